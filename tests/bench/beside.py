"""A thousand stored intents a second for a minute, alone and then while twenty thousand events a second arrive.

this process: who enters the intents, who hears the verdicts      others: watcher, resolver, nats-server

Every second all resources change, evenly. Intents are published by the SDK. Each is the deletion of a Secret that is in
use, so its denial is the whole answer. Its time runs from the moment at which it was due until its verdict is heard:
whoever cannot keep up shows as waiting. Intents stored a second say what the server can; verdicts a second what all
can. The same at a quarter of the rate says how long an intent takes that need not wait for others. Lost is what the
stream INTENTS holds and VERDICTS does not, when no verdict came for a while.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop

from cheops.mesh import Mesh, connect
from schemas import subjects
from schemas.batches import decode_batch
from schemas.intents import Intent
from services.chassis.errors import TransientError
from tests.bench import live
from tests.bench.history import SITE
from tests.bench.live import Live
from tests.bench.measuring import Row, percentile, spent_s
from tests.bench.teller import CHANGE, REST

SECONDS: Final = 60
RATE: Final = 1_000  # intents a second
SLOW_SECONDS, SLOW_RATE = 20, 250
TICKS: Final = 50  # a second
UNDER_WAY_MAX: Final = 500  # publications that wait for their acknowledgement
QUIET_S: Final = 30.0  # without a verdict: then none comes any more
GOAL_MS: Final = 20.0


def run(size: int, file: Path) -> list[Row]:
    """Without events, and with as many a second as there are resources."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(size, file.with_suffix(".nats")))


async def _run(size: int, folder: Path) -> list[Row]:
    rows = []
    for rate, seconds in ((RATE, SECONDS), (SLOW_RATE, SLOW_SECONDS)):
        for events in (False, True):  # a site each: what one leaves undone is not the other's
            async with (
                live.site(size, folder / f"{rate}{events}", apart=True) as here,
                connect(here.url, site=SITE) as mesh,
            ):
                rows += await Run(here, mesh, rate, seconds, events=events).measure()
    return rows


class Run:
    """One run: what was due when, and what was heard."""

    def __init__(self, here: Live, mesh: Mesh, rate: int, seconds: int, *, events: bool) -> None:
        self._here, self._mesh, self._rate, self._seconds, self._events = here, mesh, rate, seconds, events
        self._due_s: dict[str, float] = {}
        self._taken_s: list[float] = []
        self._last_s = 0.0
        self._ready = asyncio.Event()
        self._under_way = asyncio.Semaphore(UNDER_WAY_MAX)

    async def measure(self) -> list[Row]:
        """Rows about it."""
        hearing = asyncio.create_task(self._hear())
        await self._ready.wait()
        before = await live.status(self._here.bus)
        teller = self._here.teller
        assert teller is not None, "the watcher is apart"
        assert teller.stdin is not None, "piped"
        if self._events:
            teller.stdin.write(CHANGE)
        processes = {
            "resolver": self._here.resolver.pid,
            "nats-server": self._here.server_pid,
            "watcher": teller.pid,
            "who enters and hears": os.getpid(),
        }
        used_s = {name: spent_s(pid) for name, pid in processes.items()}
        start_s = self._last_s = time.perf_counter()
        await self._enter()
        stored_s = time.perf_counter() - start_s
        while not hearing.done() and time.perf_counter() - self._last_s < QUIET_S:
            await asyncio.wait({hearing}, timeout=1.0)
        heard_s = self._last_s - start_s
        used_s = {name: spent_s(pid) - used_s[name] for name, pid in processes.items()}
        teller.stdin.write(REST)
        hearing.cancel()
        await asyncio.wait({hearing})
        after = await live.status(self._here.bus)
        self._taken_s += [heard_s] * len(self._due_s)  # not heard, so at least so long
        what = f"{self._rate}/s{' beside events' if self._events else ''}"
        met = GOAL_MS if self._events and self._rate == RATE else None
        rows = [
            Row(f"{what}: intents stored, a second", self._rate * self._seconds / stored_s, ""),
            Row(f"{what}: verdicts, a second", (len(self._taken_s) - len(self._due_s)) / heard_s, ""),
            Row(f"{what}: intent due → verdict, p50", 1e3 * percentile(self._taken_s, 0.5), "ms"),
            Row(f"{what}: the same, p99", 1e3 * percentile(self._taken_s, 0.99), "ms", met),
            Row(f"{what}: lost", len(await self._lost()), "", 0),
        ]
        if self._events:
            told, taken = (await self._told()) - before.evidence.seq, after.evidence.seq - before.evidence.seq
            rows.append(Row(f"{what}: events told, a second", told / heard_s, ""))
            rows.append(Row(f"{what}: events taken in meanwhile, a second", taken / heard_s, ""))
        return [*rows, *(Row(f"{what}: cores of {name}", spent / heard_s, "") for name, spent in used_s.items())]

    async def _enter(self) -> None:
        intents, start_s = live.deletions(self._here.fleet, preview=False), time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for tick in range(self._seconds * TICKS):
                due_s = start_s + tick / TICKS
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
                for _ in range(self._rate // TICKS):
                    intent = next(intents)
                    self._due_s[intent.id] = due_s
                    tasks.create_task(self._publish(intent))

    async def _publish(self, intent: Intent) -> None:
        """Until it is stored: a second time is harmless."""
        async with self._under_way:
            while True:
                with suppress(TransientError):
                    await self._mesh.publish(intent)
                    return

    async def _hear(self) -> None:
        async with self._here.bus.subscribe(subjects.verdict(SITE, "*", "*")) as verdicts:
            self._ready.set()
            async for received in verdicts:
                due_s = self._due_s.pop(subjects.last_name(received.subject), None)
                if due_s is not None:
                    self._last_s = time.perf_counter()
                    self._taken_s.append(self._last_s - due_s)
                    if len(self._taken_s) == self._seconds * self._rate:
                        return

    async def _lost(self) -> set[str]:
        """Stored, and no verdict of it is."""
        asked, answered = [await self._names(stream) for stream in ("INTENTS", "VERDICTS")]
        return asked - answered

    async def _names(self, stream: Any) -> set[str]:
        every = subjects.filters(stream, SITE)
        return {subjects.last_name(one.subject) async for one in self._here.bus.scan(stream, every)}

    async def _told(self) -> int:
        """The last number that the watcher gave to an event that is stored."""
        last = await self._here.bus.last("EVENTS", subjects.event(SITE))
        assert last is not None, "it has listed everything"
        batch = decode_batch(last.payload)
        return batch.seq + len(batch.events) - 1
