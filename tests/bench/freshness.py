"""A real API server: an object changed → in the graph. Two hundred changes a second, for a while.

    this process: who changes, a bare watch, the watcher (its own loop per kind)
                  ─▶ nats-server, a disk sync a batch ─▶ the resolver, which looks at its graph after each batch

An object counts as changed when its writer hears so, or the bare watch, whichever is first; it is in the graph when
that holds this version of it or a later one. How long writes take stands beside it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from cheops.sandbox.controlplane import ControlPlane
from cheops.sandbox.natsserver import NatsServer
from schemas.identity import ResourceId, SiteName
from schemas.relations.loader import load_catalogue
from services.chassis.bus import nats
from services.chassis.kubernetes.connection import connect
from services.executor.kubernetes.client import KubernetesClient
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.service import ResolverService
from services.resolver.signals import BatchSeen, Effect, Moment, Signal
from services.watcher.__main__ import WatcherSettings
from services.watcher.__main__ import run as watch
from services.watcher.kubernetes.lines import LineSplitter
from services.watcher.kubernetes.transport import Transport
from tests.bench.history import SITE
from tests.bench.measuring import Row, percentile

OBJECTS: Final = 1_000
RATE: Final = 200  # changes a second
SECONDS: Final = 30
TICKS: Final = 50  # a second
AT_ONE_TIME: Final = 32
WAIT_S: Final = 60.0
GOAL_MS: Final = 250.0
PATH: Final = "/api/v1/namespaces/default/configmaps"
_line: Final = msgspec.json.Decoder(dict[str, Any])


def run(size: int, file: Path) -> list[Row]:
    """`size` says nothing here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return asyncio.run(_run(file.with_suffix(".freshness")))


async def _run(folder: Path) -> list[Row]:
    plane = ControlPlane(SITE, folder / "plane")
    await plane.start()
    try:
        async with NatsServer(folder / "nats", SITE) as server:
            client = KubernetesClient(await connect(plane.kubeconfig))
            for number in range(OBJECTS):
                await _write(client, number, 0)
            machine = _Timed(SITE)
            async with _site(plane.kubeconfig, server.url, machine), _watched(plane.kubeconfig) as bare:
                rows = await _changes(client, machine, bare)
            await client.close()
            return rows
    finally:
        await plane.stop()


class _Timed(Machine):
    """Knows when its graph came to hold each version of what is looked for."""

    def __init__(self, site: SiteName) -> None:
        super().__init__(site, load_catalogue(), Policy(), "bench")
        self.wanted: dict[ResourceId, list[int]] = {}
        self.taken_s: dict[int, float] = {}

    def step(self, signal: Signal, moment: Moment) -> list[Effect]:
        effects = super().step(signal, moment)
        if isinstance(signal, BatchSeen):
            self.look()
        return effects

    def look(self) -> None:
        """Which changes are in the graph by now."""
        now_s = time.perf_counter()
        for resource, waiting in list(self.wanted.items()):
            state = self.graph.find(resource)
            version = int(state.resource_version) if state is not None else 0
            self.taken_s |= {one: now_s for one in waiting if one <= version}
            left = [one for one in waiting if one > version]
            if left:
                self.wanted[resource] = left
            else:
                del self.wanted[resource]


@asynccontextmanager
async def _site(kubeconfig: Path, url: str, machine: _Timed) -> AsyncIterator[None]:
    """Watcher and resolver as they are deployed, until everything is known."""
    settings = WatcherSettings(site=SITE, nats_url=url, kubeconfig=kubeconfig)
    bus = await nats.connect(url, name="resolver")
    resolving, watching = asyncio.Event(), asyncio.Event()
    running = [
        asyncio.create_task(ResolverService(SITE, bus, machine).run(resolving)),
        asyncio.create_task(watch(settings, ready=watching)),
    ]
    try:
        async with asyncio.timeout(WAIT_S):
            await resolving.wait()
            await watching.wait()
            while not machine.evidence.synced or machine.graph.find(_resource(OBJECTS - 1)) is None:
                await asyncio.sleep(0.05)
        yield
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running)
        await bus.close()


@asynccontextmanager
async def _watched(kubeconfig: Path) -> AsyncIterator[dict[int, float]]:
    """A bare watch: when each version came."""
    transport, came_s = Transport(await connect(kubeconfig)), dict[int, float]()
    begun = asyncio.Event()

    async def read() -> None:
        since: dict[str, str] = {}
        while True:  # an API server ends the watch of who reads too slowly
            splitter = LineSplitter()
            async with transport.lines(PATH, {"watch": "true", "timeoutSeconds": "300", **since}) as chunks:
                begun.set()
                async for chunk in chunks:
                    for line in splitter.feed(chunk):
                        version = _line.decode(line)["object"]["metadata"]["resourceVersion"]
                        came_s.setdefault(int(version), time.perf_counter())
                        since = {"resourceVersion": version}

    reading = asyncio.create_task(read())
    await begun.wait()
    try:
        yield came_s
    finally:
        reading.cancel()
        await asyncio.wait({reading})
        await transport.close()


async def _changes(client: KubernetesClient, machine: _Timed, came_s: dict[int, float]) -> list[Row]:
    asked_s, heard_s = dict[int, float](), dict[int, float]()
    free = asyncio.Semaphore(AT_ONE_TIME)

    async def change(number: int, count: int) -> None:
        async with free:
            begun_s = time.perf_counter()
            made = await _write(client, number, count)
        version = int(made["metadata"]["resourceVersion"])
        asked_s[version], heard_s[version] = begun_s, time.perf_counter()
        machine.wanted.setdefault(_resource(number), []).append(version)
        machine.look()  # it may be there before its writer hears of it

    start_s = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for tick in range(SECONDS * TICKS):
            await asyncio.sleep(max(0.0, start_s + tick / TICKS - time.perf_counter()))
            for place in range(RATE // TICKS):
                count = tick * (RATE // TICKS) + place
                tasks.create_task(change(count % OBJECTS, 1 + count))
    written_s = time.perf_counter() - start_s
    async with asyncio.timeout(WAIT_S):
        while machine.wanted or not heard_s.keys() <= came_s.keys():
            await asyncio.sleep(0.01)
    changed_s = {one: min(at_s, came_s[one]) for one, at_s in heard_s.items()}
    return [
        Row("changes written, a second", len(heard_s) / written_s, "", RATE * 0.99, "more"),
        *_spread("a write", [at_s - asked_s[one] for one, at_s in heard_s.items()]),
        *_spread("changed → seen by a bare watch", [came_s[one] - at_s for one, at_s in changed_s.items()]),
        *_spread("bare watch → in the graph", [machine.taken_s[one] - came_s[one] for one in heard_s]),
        *_spread("changed → in the graph", [machine.taken_s[one] - at_s for one, at_s in changed_s.items()], GOAL_MS),
    ]


def _spread(what: str, taken_s: list[float], goal_ms: float | None = None) -> list[Row]:
    return [
        Row(f"{what}, p50", 1e3 * percentile(taken_s, 0.5), "ms"),
        Row(f"{what}, p99", 1e3 * percentile(taken_s, 0.99), "ms", goal_ms),
    ]


def _resource(number: int) -> ResourceId:
    return ResourceId(f"ConfigMap/default/c-{number}")


async def _write(client: KubernetesClient, number: int, count: int) -> dict[str, Any]:
    name = f"c-{number}"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}
    body["data"] = {"count": str(count), "settings": "x" * 200}  # type: ignore[assignment]  # of a manifest anything is
    return await client.apply(f"{PATH}/{name}", {"fieldManager": "bench", "force": "true"}, body)
