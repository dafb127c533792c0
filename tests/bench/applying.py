"""Applies a second to a real API server: the executor's, from operations to stored final outcomes, against a bare loop
by the same client, as many at a time. In turns, another of them first in each, so that none always follows the others;
ConfigMaps that were not there, then the same changed; one process.

An executor asks its ledger, keeps what it replaces, applies on the condition that nothing has changed, stores the
outcome and acknowledges. It runs as its service does: on uvloop (so does the bare loop), with its log written. What is
the resolver's, making operations, having updates rehearsed and reading outcomes, is left out; storing operations is
not. An executor sends more than the least that a bare loop can: the operation's id, the condition, strict validation.
So another bare loop sends exactly its requests, and a third one takes them from a stream and stores a word on each
(barest.py).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
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
from schemas.rehearsals import Rehearsal, RehearsalAnswer, RehearsedChange
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.verdicts import Action, Preconditions
from services.chassis import logs
from services.chassis.bus import nats
from services.chassis.bus.port import Bus, Reader, ToStore
from services.chassis.kubernetes.connection import connect
from services.chassis.lifecycle import settle
from services.executor.carrying import Limits
from services.executor.kubernetes import manifests
from services.executor.kubernetes.adapter import KubernetesTarget
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.cluster import APPLY
from services.executor.service import ExecutorService
from services.resolver.carrying import OPERATIONS_MAX
from tests.bench import barest
from tests.bench.history import SITE
from tests.bench.measuring import Row, spent_s

AT_ONE_TIME: Final = 16  # the executor's default
TURNS: Final = 8  # each creation is first, second, third and last equally often
EACH: Final = 512
RATIO_GOAL: Final = 0.8
WAIT_S: Final = 120.0
BEGUN: Final = b'"state":"begun"'
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
    clock, reader = Clock(bus_pid), await barest.opened(bus)
    for number in range(TURNS + 1):
        clock.counts = number > 0  # the first ones open connections
        bare, same, least, ours = (f"{what}-{number}" for what in ("bare", "same", "least", "ours"))
        made, taken = _operations("create", ours), _operations("create", least)
        sent = [*map(_as_sent, _operations("create", same))]
        creations: list[tuple[str, Callable[[], Awaitable[list[bytes]]]]] = [
            ("bare", partial(_bare, client, LEAST, [*_manifests(bare)])),
            ("same", partial(_bare, client, APPLY, sent)),
            ("barest", partial(_barest, client, bus, reader, taken)),
            ("ours", partial(_carried_out, bus, [*map(_to_store, made)])),
        ]
        first = number % len(creations)
        done = {what: await clock.timed(what, act()) for what, act in creations[first:] + creations[:first]}
        said = _all_ready(made, done["ours"])
        changed = [_update(one, said[one.id].uid) for one in made]
        await _rehearsed(bus, changed)
        await clock.timed("bare, updating", _bare(client, LEAST, [*_manifests(bare, "another")]))
        released = [*map(_to_store, changed)]
        _all_ready(changed, await clock.timed("ours, updating", _carried_out(bus, released)))
    return _rows(clock)


class Clock:
    """Takes the time of turns: by what was done, what each apply took."""

    def __init__(self, bus_pid: int) -> None:
        self.found: dict[str, list[Turn]] = {}
        self.counts = False
        self._bus_pid = bus_pid

    async def timed(self, what: str, act: Awaitable[list[bytes]]) -> list[bytes]:
        """What the act says."""
        start = self._spent()
        said = await act
        end = self._spent()
        if self.counts:
            turn = Turn(*((now - then) / EACH for then, now in zip(start, end, strict=True)))
            self.found.setdefault(what, []).append(turn)
        return said

    def middle(self, what: str, of: Callable[[Turn], float]) -> float:
        """The median of all turns."""
        return statistics.median(map(of, self.found[what]))

    def ratio(self, what: str, reference: str) -> float:
        """How fast, against the reference in the same turn."""
        turns = zip(self.found[reference], self.found[what], strict=True)
        return statistics.median(one.clock_s / other.clock_s for one, other in turns)

    def _spent(self) -> tuple[float, float, float]:
        return time.perf_counter(), time.process_time(), spent_s(self._bus_pid)


def _rows(clock: Clock) -> list[Row]:
    def rate(what: str) -> float:
        return 1 / clock.middle(what, lambda one: one.clock_s)

    return [
        Row("bare loop of applies, a second", rate("bare"), ""),
        Row("bare loop of the executor's requests, a second", rate("same"), ""),
        Row("barest executor, the same requests, a second", rate("barest"), ""),
        Row("executor, operation → final outcome, a second", rate("ours"), ""),
        Row("executor against the bare loop", clock.ratio("ours", "bare"), "×", RATIO_GOAL, "more"),
        Row("executor against the bare loop of its requests", clock.ratio("ours", "same"), "×"),
        Row("executor against the barest executor", clock.ratio("ours", "barest"), "×"),
        Row("barest executor against the bare loop", clock.ratio("barest", "bare"), "×"),
        Row("bare loop, CPU of the process for each", 1e3 * clock.middle("bare", lambda one: one.own_s), "ms"),
        Row("barest executor, the same", 1e3 * clock.middle("barest", lambda one: one.own_s), "ms"),
        Row("executor, the same", 1e3 * clock.middle("ours", lambda one: one.own_s), "ms"),
        Row("barest executor, CPU of nats-server for each", 1e3 * clock.middle("barest", lambda one: one.bus_s), "ms"),
        Row("executor, CPU of nats-server for each", 1e3 * clock.middle("ours", lambda one: one.bus_s), "ms"),
        Row("bare loop of updates, a second", rate("bare, updating"), ""),
        Row("executor, updates, a second", rate("ours, updating"), ""),
        Row("executor against the bare loop, updates", clock.ratio("ours, updating", "bare, updating"), "×"),
    ]


def _manifests(prefix: str, value: str = "value") -> Iterator[Manifest]:
    for number in range(EACH):
        metadata = {"name": f"{prefix}-{number}", "namespace": "default"}
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": value}}


def _path(manifest: Manifest) -> str:
    return f"/api/v1/namespaces/default/configmaps/{manifest['metadata']['name']}"


def _as_sent(operation: Operation) -> Manifest:
    """By an executor."""
    cleaned = manifests.clean(operation.manifest or {}, ResourceKey.parse(operation.resource), operation.version)
    return manifests.guarded(manifests.marked(cleaned, operation.id), None)


async def _rehearsed(bus: Bus, operations: list[Operation]) -> None:
    """As a resolver has it done before its verdict."""
    for first in range(0, EACH, OPERATIONS_MAX):
        changes = tuple(
            RehearsedChange(action="update", resource=one.resource, version=one.version, manifest=one.manifest or {})
            for one in operations[first : first + OPERATIONS_MAX]
        )
        question = Rehearsal(site=SITE, changes=changes).to_json()
        answer = await bus.request(subjects.api("executor", SITE, "rehearse"), question, WAIT_S)
        assert all(one.status == 0 for one in RehearsalAnswer.from_json(answer.payload).results)


async def _barest(client: KubernetesClient, bus: Bus, reader: Reader, operations: list[Operation]) -> list[bytes]:
    sent = {one.id: _as_sent(one) for one in operations}

    async def act(operation_id: str) -> None:
        manifest = sent[operation_id]
        await client.apply(_path(manifest), APPLY, manifest)

    await barest.carried_out(bus, reader, operations, act, AT_ONE_TIME)
    return []


async def _bare(client: KubernetesClient, params: dict[str, str], wanted: list[Manifest]) -> list[bytes]:
    free = asyncio.Semaphore(AT_ONE_TIME)

    async def apply(manifest: Manifest) -> None:
        async with free:
            await client.apply(_path(manifest), params, manifest)

    await asyncio.gather(*map(apply, wanted))
    return []


async def _carried_out(bus: Bus, released: list[ToStore]) -> list[bytes]:
    """Their final outcomes. A ConfigMap is ready as soon as it is there, so all others say that it was begun."""
    said: list[bytes] = []
    async with asyncio.timeout(WAIT_S), bus.subscribe(subjects.filters("OUTCOMES", SITE)) as outcomes:
        for first in range(0, EACH, OPERATIONS_MAX):  # as a resolver releases the steps of a plan
            await bus.publish_together(released[first : first + OPERATIONS_MAX])
        async for received in outcomes:
            if BEGUN not in received.payload:
                said.append(received.payload)
            if len(said) == EACH:
                return said
    raise AssertionError("the bus has ended")


def _all_ready(operations: list[Operation], said: list[bytes]) -> dict[str, Outcome]:
    outcomes = {one.operation: one for one in map(Outcome.from_json, said)}
    assert {one.id: "ready" for one in operations} == {name: one.state for name, one in outcomes.items()}
    assert all(one.changed for one in outcomes.values())
    return outcomes


def _to_store(operation: Operation) -> ToStore:
    subject = subjects.operation(SITE, operation.intent, f"1-{operation.step}")
    return ToStore(subject, operation.to_json(), operation.id)


def _operations(action: Action, intent: str) -> list[Operation]:
    now = datetime.now(UTC)
    return [
        Operation(
            id=f"{intent}.1.{number}",
            intent=intent,
            revision=1,
            step=str(number),
            site=SITE,
            action=action,
            resource=ResourceId(f"ConfigMap/default/{manifest['metadata']['name']}"),
            manifest=manifest,
            keep=True,  # as an intent has it, unless it says something else
            issued_at=now,
            expires_at=now + timedelta(hours=1),
        )
        for number, manifest in enumerate(_manifests(intent))
    ]


def _update(made: Operation, uid: str) -> Operation:
    changed = {**(made.manifest or {}), "data": {"key": "another"}}
    intent = f"{made.intent}-again"
    return made.model_copy(
        update={
            "id": f"{intent}.1.{made.step}",
            "intent": intent,
            "action": "update",
            "manifest": changed,
            "preconditions": Preconditions(uid=uid),
        }
    )
