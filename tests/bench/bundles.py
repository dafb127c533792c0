"""Bundles that are applied side by side: how many a second when 1, 4, 16 or 64 of them are under way.

this process: who enters and hears, and an executor that has done everything at once      others: resolver, nats-server

Each bundle is a ConfigMap and a Deployment that needs it: it is rehearsed, decided, and done in two steps, the second
of which is released by the outcome of the first. So it is six messages one after the other, each of which waits for
the disk. Turns of each kind follow each other.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from schemas import subjects
from schemas.exports import KeyAnswer
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

UNDER_WAY: Final = (1, 4, 16, 64)
EACH: Final = 128  # bundles a turn
TURNS: Final = 3
TIMEOUT_S: Final = 300.0
NAMESPACE: Final = "team-00000"
STEPS: Final = 2


def run(size: int, file: Path) -> list[Row]:
    """On a site of this size."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(size, file.with_suffix(".nats")))


async def _run(size: int, folder: Path) -> list[Row]:
    taken_s: dict[int, list[float]] = {many: [] for many in UNDER_WAY}
    async with live.site(size, folder) as here, _executor(here) as done, asyncio.timeout(TIMEOUT_S):
        await _allowed(here)
        for turn in range(TURNS):
            for many in UNDER_WAY:
                start_s = time.perf_counter()
                await _applied(here, done, many, f"{turn}-{many}")
                taken_s[many].append((time.perf_counter() - start_s) / EACH)
    rows = [Row(f"{many} under way, a second", 1 / statistics.median(taken_s[many]), "") for many in UNDER_WAY]
    first, last = taken_s[UNDER_WAY[0]], taken_s[UNDER_WAY[-1]]
    ratio = statistics.median(one / other for one, other in zip(first, last, strict=True))
    return [*rows, Row(f"{UNDER_WAY[-1]} against {UNDER_WAY[0]}", ratio, "×")]


async def _allowed(here: Live) -> None:
    """Raises AssertionError where nothing of this would be done."""
    asked = _intent("first").model_copy(update={"preview": True})
    reply = await here.bus.request(live.api("preview"), asked.to_json(), 30.0)
    verdict = Verdict.from_json(reply.payload)
    assert len(verdict.plan) == STEPS, verdict.summary


async def _applied(here: Live, done: dict[str, asyncio.Event], many: int, turn: str) -> None:
    room = asyncio.Semaphore(many)

    async def one(name: str) -> None:
        async with room:
            intent = _intent(name)
            done[intent.id] = asyncio.Event()
            await here.bus.publish(subjects.intent(SITE, intent.id), intent.to_json(), message_id=intent.id)
            await done[intent.id].wait()

    await asyncio.gather(*(one(f"{turn}-{place}") for place in range(EACH)))


def _intent(name: str) -> Intent:
    labels, metadata = {"app": name}, {"name": name, "namespace": NAMESPACE}
    container = {"name": "main", "image": "example.org/app:1", "envFrom": [{"configMapRef": {"name": name}}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    manifests: tuple[dict[str, Any], ...] = (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "value"}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    )
    now = datetime.now(UTC)
    return Intent(
        id=f"apply-{name}",
        verb="apply",
        site=SITE,
        manifests=manifests,
        requester="bench",
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )


# ── an executor that has done everything at once ────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def _executor(here: Live) -> AsyncIterator[dict[str, asyncio.Event]]:
    """What of each intent is set when its last step is done."""
    bus, done = await nats.connect(here.url, name="executor"), dict[str, asyncio.Event]()
    async with AsyncExitStack() as stack:
        for verb, answer in (("rehearse", _rehearsed), ("key", _key)):
            await stack.enter_async_context(bus.serve(subjects.api("executor", SITE, verb), answer, name="bench"))
        acting = asyncio.create_task(_act(bus, done))
        yield done
        acting.cancel()
        await asyncio.wait({acting})
    await bus.close()


async def _rehearsed(received: Received) -> bytes:
    changes = Rehearsal.from_json(received.payload).changes
    results = tuple(RehearsedResult(resource=one.resource) for one in changes)
    return RehearsalAnswer(site=SITE, results=results).to_json()


async def _key(received: Received) -> bytes:
    return KeyAnswer(site=SITE, key="", at=datetime.now(UTC)).to_json()


async def _act(bus: Bus, done: dict[str, asyncio.Event]) -> None:
    reader = await bus.reader("OPERATIONS", f"executor-{SITE}", subjects.filters("OPERATIONS", SITE))
    while True:
        deliveries = await reader.fetch(64, 5.0)
        await asyncio.gather(*(_report(bus, Operation.from_json(one.message.payload), done) for one in deliveries))
        for delivery in deliveries:
            await delivery.ack_unconfirmed()


async def _report(bus: Bus, operation: Operation, done: dict[str, asyncio.Event]) -> None:
    said: dict[str, Any] = {
        name: getattr(operation, name) for name in ("intent", "revision", "step", "action", "resource")
    }
    outcome = Outcome(operation=operation.id, site=SITE, state="ready", at=datetime.now(UTC), **said)
    subject = subjects.outcome(SITE, operation.intent, f"{operation.revision}-{operation.step}")
    await bus.publish(subject, outcome.to_json(), message_id=f"{operation.id}.ready")
    if operation.step == str(STEPS):
        done[operation.intent].set()
