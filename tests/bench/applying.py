"""Applies a second to a real API server: the executor's, from operations to stored final outcomes, against a bare loop
by the same client, as many at a time. In turns; all make ConfigMaps that were not there, all in one process.

An executor asks its ledger, applies on the condition that nothing is there, stores the outcome and acknowledges. It
runs as its service does: on uvloop (so does the bare loop), with its log written. What is the resolver's, making
operations and reading outcomes, is left out; storing the operations is not. An executor sends more than the least that
a bare loop can: the operation's id, the condition, strict validation. So another bare loop sends exactly its requests.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from cheops.sandbox.controlplane import ControlPlane
from cheops.sandbox.natsserver import NatsServer
from schemas import subjects
from schemas.identity import ResourceId, ResourceKey
from schemas.operations import Operation
from schemas.outcomes import Outcome
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from services.chassis import logs
from services.chassis.bus import nats
from services.chassis.bus.port import Bus, ToStore
from services.chassis.kubernetes.connection import connect
from services.chassis.lifecycle import settle
from services.executor.carrying import Limits
from services.executor.kubernetes import manifests
from services.executor.kubernetes.adapter import KubernetesTarget
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.cluster import APPLY
from services.executor.service import ExecutorService
from services.resolver.carrying import OPERATIONS_MAX
from tests.bench.history import SITE
from tests.bench.measuring import Row, spent_s

AT_ONE_TIME: Final = 16  # the executor's default
TURNS: Final = 7
EACH: Final = 512
RATIO_GOAL: Final = 0.8
WAIT_S: Final = 120.0
LEAST: Final = {"fieldManager": "bench"}
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn took for each apply, in seconds: of the clock, of this process, of nats-server."""

    clock_s: float
    own_s: float
    bus_s: float


def run(size: int, file: Path) -> list[Row]:
    """`size` says nothing here."""
    with open(os.devnull, "w") as nowhere, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        logs.configure(form="json")
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(nowhere))
        return runner.run(_run(file.with_suffix(".applying")))


async def _run(folder: Path) -> list[Row]:
    plane = ControlPlane(SITE, folder / "plane")
    await plane.start()
    try:
        async with NatsServer(folder / "nats", SITE) as server, _executor(server.url, plane.kubeconfig):
            client, bus = (
                KubernetesClient(await connect(plane.kubeconfig)),
                await nats.connect(server.url, name="bench"),
            )
            assert server.process.pid is not None, "it answered"
            rows = await _turns(client, bus, server.process.pid)
            await client.close()
            await bus.close()
    finally:
        await plane.stop()
    return rows


@asynccontextmanager
async def _executor(url: str, kubeconfig: Path) -> AsyncIterator[None]:
    catalogue = load_catalogue()
    bus = await nats.connect(url, name="executor")
    target = KubernetesTarget(
        KubernetesClient(await connect(kubeconfig)), lambda surface: Extractor(catalogue, surface)
    )
    executor, ready = ExecutorService(SITE, bus, target, Limits(acting_max=AT_ONE_TIME)), asyncio.Event()
    running = asyncio.create_task(executor.run(ready))
    await ready.wait()
    settle()
    yield
    executor.stop()
    await running
    await target.close()
    await bus.close()


async def _turns(client: KubernetesClient, bus: Bus, bus_pid: int) -> list[Row]:
    found: dict[str, list[Turn]] = {"bare": [], "same": [], "ours": []}
    for number in range(TURNS + 1):
        for who, turns in found.items():
            operations = [_operation(f"{who}-{number}", *one) for one in enumerate(_manifests(f"{who}-{number}"))]
            match who:
                case "bare":
                    act = _bare(client, LEAST, [one.manifest or {} for one in operations])
                case "same":
                    act = _bare(client, APPLY, [_as_the_executor_sends_it(one) for one in operations])
                case _:
                    act = _carried_out(bus, [_to_store(one) for one in operations])
            start = _spent(bus_pid)
            said = await act
            end = _spent(bus_pid)
            if number:  # the first ones open connections
                turns.append(Turn(*((now - then) / EACH for then, now in zip(start, end, strict=True))))
            if who == "ours":
                _ensure_all_ready(operations, said)
    return _rows(**found)


def _spent(bus_pid: int) -> tuple[float, float, float]:
    return time.perf_counter(), time.process_time(), spent_s(bus_pid)


def _rows(bare: list[Turn], same: list[Turn], ours: list[Turn]) -> list[Row]:
    def middle(turns: list[Turn], what: Callable[[Turn], float]) -> float:
        return statistics.median(map(what, turns))

    def ratio(reference: list[Turn]) -> float:
        return statistics.median(one.clock_s / other.clock_s for one, other in zip(reference, ours, strict=True))

    return [
        Row("bare loop of applies, a second", 1 / middle(bare, lambda one: one.clock_s), ""),
        Row("bare loop of the executor's requests, a second", 1 / middle(same, lambda one: one.clock_s), ""),
        Row("executor, operation → final outcome, a second", 1 / middle(ours, lambda one: one.clock_s), ""),
        Row("executor against the bare loop", ratio(bare), "×", RATIO_GOAL, "more"),
        Row("executor against the bare loop of its requests", ratio(same), "×"),
        Row("bare loop, CPU of the process for each", 1e3 * middle(bare, lambda one: one.own_s), "ms"),
        Row("executor, the same", 1e3 * middle(ours, lambda one: one.own_s), "ms"),
        Row("executor, CPU of nats-server for each", 1e3 * middle(ours, lambda one: one.bus_s), "ms"),
    ]


def _manifests(prefix: str) -> Iterator[Manifest]:
    for number in range(EACH):
        metadata = {"name": f"{prefix}-{number}", "namespace": "default"}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "value"}}


def _as_the_executor_sends_it(operation: Operation) -> Manifest:
    cleaned = manifests.clean(operation.manifest or {}, ResourceKey.parse(operation.resource), operation.version)
    return manifests.guarded(manifests.marked(cleaned, operation.id), None)


async def _bare(client: KubernetesClient, params: dict[str, str], wanted: list[Manifest]) -> list[bytes]:
    free = asyncio.Semaphore(AT_ONE_TIME)

    async def apply(manifest: Manifest) -> None:
        path = f"/api/v1/namespaces/default/configmaps/{manifest['metadata']['name']}"
        async with free:
            await client.apply(path, params, manifest)

    await asyncio.gather(*map(apply, wanted))
    return []


async def _carried_out(bus: Bus, released: list[ToStore]) -> list[bytes]:
    """What was said of them: of each its final outcome alone, since a ConfigMap is ready as soon as it is there."""
    said: list[bytes] = []
    async with asyncio.timeout(WAIT_S), bus.subscribe(subjects.filters("OUTCOMES", SITE)) as outcomes:
        for first in range(0, EACH, OPERATIONS_MAX):  # as a resolver releases the steps of a plan
            await bus.publish_together(released[first : first + OPERATIONS_MAX])
        async for received in outcomes:
            said.append(received.payload)
            if len(said) == EACH:
                return said
    raise AssertionError("the bus has ended")


def _ensure_all_ready(operations: list[Operation], said: list[bytes]) -> None:
    states = {one.operation: one.state for one in map(Outcome.from_json, said)}
    assert states == {one.id: "ready" for one in operations}, states


def _to_store(operation: Operation) -> ToStore:
    subject = subjects.operation(SITE, operation.intent, f"1-{operation.step}")
    return ToStore(subject, operation.to_json(), operation.id)


def _operation(intent: str, number: int, manifest: dict[str, Any]) -> Operation:
    now = datetime.now(UTC)
    return Operation(
        id=f"{intent}.1.{number}",
        intent=intent,
        revision=1,
        step=str(number),
        site=SITE,
        action="create",
        resource=ResourceId(f"ConfigMap/default/{manifest['metadata']['name']}"),
        manifest=manifest,
        issued_at=now,
        expires_at=now + timedelta(hours=1),
    )
