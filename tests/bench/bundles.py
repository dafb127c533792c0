"""Bundles that are applied side by side: how many a second when 1, 4, 16 or 64 of them are under way.

this process: who enters and hears, and an executor that has done everything at once      others: resolver, nats-server

Each bundle changes two ConfigMaps, so it is rehearsed, decided, and done in two operations. What is written counts as
seen already: of a change that no watcher has told yet each decision would think. Turns of each kind follow each other.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
import uvloop

from schemas import subjects
from schemas.exports import KeyAnswer
from schemas.identity import KindId, ResourceKey
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import Outcome
from schemas.rehearsals import Rehearsal, RehearsalAnswer, RehearsedResult
from schemas.verdicts import Verdict
from services.chassis.bus import nats
from services.chassis.bus.port import Bus, Received
from tests.bench import live
from tests.bench.history import SITE
from tests.bench.live import Live
from tests.bench.measuring import Row
from tests.bench.told import ToldFleet

UNDER_WAY: Final = (1, 4, 16, 64)
EACH: Final = 256  # bundles a turn
TURNS: Final = 3
STEPS: Final = 2  # of a bundle
TIMEOUT_S: Final = 300.0
CONFIG_MAP: Final = KindId("ConfigMap")


def run(size: int, file: Path) -> list[Row]:
    """On a site of this size."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(size, file.with_suffix(".nats")))


async def _run(size: int, folder: Path) -> list[Row]:
    taken_s: dict[int, list[float]] = {many: [] for many in UNDER_WAY}
    async with live.site(size, folder) as here, _Executor.running(here) as executor, asyncio.timeout(TIMEOUT_S):
        intents = _intents(here.fleet)
        await _check(here, next(intents))
        for _, many in itertools.product(range(TURNS), UNDER_WAY):
            start_s = time.perf_counter()
            await _applied(here, executor, many, [*itertools.islice(intents, EACH)])
            taken_s[many].append((time.perf_counter() - start_s) / EACH)
    rows = [Row(f"{many} under way, a second", 1 / statistics.median(taken_s[many]), "") for many in UNDER_WAY]
    first, last = taken_s[UNDER_WAY[0]], taken_s[UNDER_WAY[-1]]
    ratio = statistics.median(one / other for one, other in zip(first, last, strict=True))
    return [*rows, Row(f"{UNDER_WAY[-1]} against {UNDER_WAY[0]}", ratio, "×")]


def _intents(fleet: ToldFleet) -> Iterator[Intent]:
    """Each changes the next two ConfigMaps."""
    found = itertools.cycle(ResourceKey.parse(one.resource) for one in fleet.states[CONFIG_MAP])
    for number in itertools.count():
        keys, now = [*itertools.islice(found, STEPS)], datetime.now(UTC)
        metadata = ({"name": one.name, "namespace": one.namespace} for one in keys)
        yield Intent(
            id=f"apply-{number}",
            verb="apply",
            site=SITE,
            manifests=tuple(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": one, "data": {"key": str(number)}}
                for one in metadata
            ),
            requester="bench",
            created_at=now,
            expires_at=now + timedelta(hours=1),
        )


async def _check(here: Live, intent: Intent) -> None:
    """Raises AssertionError where nothing of it would be done."""
    asked = intent.model_copy(update={"preview": True})
    reply = await here.bus.request(live.api("preview"), asked.to_json(), 30.0)
    verdict = Verdict.from_json(reply.payload)
    assert len(verdict.plan) == STEPS, verdict.summary


async def _applied(here: Live, executor: _Executor, many: int, intents: list[Intent]) -> None:
    room = asyncio.Semaphore(many)

    async def one(intent: Intent) -> None:
        async with room:
            over = executor.over[intent.id] = asyncio.Event()
            await here.bus.publish(subjects.intent(SITE, intent.id), intent.to_json(), message_id=intent.id)
            await over.wait()

    await asyncio.gather(*map(one, intents))


class _Executor:
    """It has done everything at once. `over`: by intent, that its last step is done."""

    def __init__(self, bus: Bus, fleet: ToldFleet) -> None:
        self.over: dict[str, asyncio.Event] = {}
        self._bus, self._done = bus, Counter[str]()
        self._versions = {one.resource: one.resource_version for one in fleet.states[CONFIG_MAP]}

    @classmethod
    @asynccontextmanager
    async def running(cls, here: Live) -> AsyncIterator[_Executor]:
        """Until the context ends."""
        bus = await nats.connect(here.url, name="executor")
        made = cls(bus, here.fleet)
        async with AsyncExitStack() as stack:
            for verb, answer in (("rehearse", _rehearsed), ("key", _key)):
                await stack.enter_async_context(bus.serve(subjects.api("executor", SITE, verb), answer, name="bench"))
            acting = asyncio.create_task(made._act())
            yield made
            acting.cancel()
            await asyncio.wait({acting})
        await bus.close()

    async def _act(self) -> None:
        reader = await self._bus.reader("OPERATIONS", f"executor-{SITE}", subjects.filters("OPERATIONS", SITE))
        while True:
            deliveries = await reader.fetch(64, 5.0)
            await asyncio.gather(*(self._report(Operation.from_json(one.message.payload)) for one in deliveries))
            for delivery in deliveries:
                await delivery.ack_unconfirmed()

    async def _report(self, operation: Operation) -> None:
        version = self._versions[operation.resource]
        outcome = Outcome.of(operation, "ready", datetime.now(UTC), resource_version=version)
        subject = subjects.outcome(SITE, operation.intent, f"{operation.revision}-{operation.step}")
        await self._bus.publish(subject, outcome.to_json(), message_id=f"{operation.id}.ready")
        self._done[operation.intent] += 1
        if self._done[operation.intent] == STEPS:
            self.over[operation.intent].set()


async def _rehearsed(received: Received) -> bytes:
    results = [RehearsedResult(resource=one.resource) for one in Rehearsal.from_json(received.payload).changes]
    return RehearsalAnswer(site=SITE, results=tuple(results)).to_json()


async def _key(received: Received) -> bytes:
    return KeyAnswer(site=SITE, key="", at=datetime.now(UTC)).to_json()
