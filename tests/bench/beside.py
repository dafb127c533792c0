"""A thousand stored intents a second for a minute, alone and then while twenty thousand events a second arrive.

this process: the watcher, who enters the intents, who hears the verdicts      others: resolver, nats-server

Every second all resources change. Each intent is the deletion of a Secret that is in use, so its denial is the whole
answer. Its time runs from the moment at which it was due until its verdict is heard: whoever cannot keep up shows as
waiting. What is not heard within a while after the last counts as having taken so long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
import uvloop

from schemas import subjects
from tests.bench import live
from tests.bench.history import SITE
from tests.bench.live import Live
from tests.bench.measuring import Row, percentile

SECONDS: Final = 60
EACH_SECOND: Final = 1_000
TICKS: Final = 100  # a second
UNDER_WAY_MAX: Final = 500  # publications that wait for their acknowledgement
PATIENCE_S: Final = 120.0
GOAL_MS: Final = 20.0


def run(size: int, file: Path) -> list[Row]:
    """Without events, and with as many a second as there are resources."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(size, file.with_suffix(".nats")))


async def _run(size: int, folder: Path) -> list[Row]:
    async with live.site(size, folder / "alone") as here:  # a site each: what one leaves undone is not the other's
        alone = await _Minute(here).measure("without events", None)
    async with live.site(size, folder / "beside") as here:
        return [*alone, *await _Minute(here).measure("with events", GOAL_MS, events=True)]


class _Minute:
    """One run: what was due when, and what was heard."""

    def __init__(self, here: Live) -> None:
        self._here = here
        self._due_s: dict[str, float] = {}
        self._taken_s: list[float] = []
        self._ready = asyncio.Event()
        self._under_way = asyncio.Semaphore(UNDER_WAY_MAX)

    async def measure(self, what: str, goal_ms: float | None, *, events: bool = False) -> list[Row]:
        """Rows about it."""
        changing = asyncio.create_task(self._change() if events else asyncio.sleep(0))
        hearing = asyncio.create_task(self._hear())
        await self._ready.wait()
        start_s = time.perf_counter()
        await self._enter()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await hearing
        heard_s = time.perf_counter() - start_s
        hearing.cancel()
        changing.cancel()
        await asyncio.wait({hearing, changing})
        told = await changing if events and not changing.cancelled() else 0
        self._taken_s += [heard_s] * len(self._due_s)  # not heard, so at least so long
        rows = [
            Row(f"{what}: verdicts/s", (len(self._taken_s) - len(self._due_s)) / heard_s, ""),
            Row(f"{what}: intent due → verdict, p50", 1e3 * percentile(self._taken_s, 0.5), "ms"),
            Row(f"{what}: the same, p99", 1e3 * percentile(self._taken_s, 0.99), "ms", goal_ms),
            Row(f"{what}: not heard", len(self._due_s), "", 0),
        ]
        return rows if not events else [*rows, Row("rounds of changes of everything", told, "")]

    async def _enter(self) -> None:
        intents, start_s = live.deletions(self._here.fleet, preview=False), time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for tick in range(SECONDS * TICKS):
                due_s = start_s + tick / TICKS
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
                for _ in range(EACH_SECOND // TICKS):
                    intent = next(intents)
                    self._due_s[intent.id] = due_s
                    await self._under_way.acquire()
                    tasks.create_task(self._publish(intent.id, intent.to_json()))

    async def _publish(self, name: str, payload: bytes) -> None:
        await self._here.bus.publish(subjects.intent(SITE, name), payload, message_id=name)
        self._under_way.release()

    async def _hear(self) -> None:
        async with self._here.bus.subscribe(subjects.verdict(SITE, "*", "*")) as verdicts:
            self._ready.set()
            async for received in verdicts:
                due_s = self._due_s.pop(subjects.last_name(received.subject), None)
                if due_s is not None:
                    self._taken_s.append(time.perf_counter() - due_s)
                    if len(self._taken_s) == SECONDS * EACH_SECOND:
                        return

    async def _change(self) -> int:
        """Until cancelled: every second everything."""
        rounds = 0
        with suppress(asyncio.CancelledError):
            while True:
                await self._here.fleet.change_all()
                rounds += 1
                await asyncio.sleep(1.0)
        return rounds
