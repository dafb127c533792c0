"""A burst of intents behind a backlog of events: does control traffic go first?

The resolver's process stands still (SIGSTOP) until every resource has changed and a thousand intents are stored; then
it goes on, and each verdict's time is taken. What a verdict waited for something else than other intents is at most
the time since the verdict before it. The same burst without a backlog, before it, says what the burst itself takes.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import time
from pathlib import Path
from typing import Final

import structlog
import uvloop

from schemas import subjects
from schemas.batches import decode_batch
from tests.bench import live
from tests.bench.history import SITE
from tests.bench.live import Live
from tests.bench.measuring import Row, percentile

BURST: Final = 1_000
CHANGES: Final = 3  # of each resource
GOAL_MS: Final = 100.0
TIMEOUT_S: Final = 120.0


def run(size: int, file: Path) -> list[Row]:
    """The burst alone, then behind a backlog."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(size, file.with_suffix(".nats")))


async def _run(size: int, folder: Path) -> list[Row]:
    async with live.site(size, folder) as here:
        async with asyncio.timeout(TIMEOUT_S):
            alone_s, _ = await _burst(here, changes=0)
            behind_s, left = await _burst(here, CHANGES)
            start_s = time.perf_counter()
            while not live.is_known(await live.status(here.bus), here.fleet):
                await asyncio.sleep(0.02)
    gaps_ms = [1e3 * (two - one) for one, two in itertools.pairwise([0.0, *behind_s])]
    return [
        Row(f"events that wait when {BURST:,} intents do", CHANGES * here.fleet.size, ""),
        Row("events that still wait at the last verdict", left, ""),
        Row("longest wait for a verdict since the one before", max(gaps_ms), "ms", GOAL_MS),
        Row("the same, p99", percentile(gaps_ms, 0.99), "ms"),
        Row("first verdict after", 1e3 * behind_s[0], "ms"),
        Row("last verdict after", 1e3 * behind_s[-1], "ms"),
        Row("last verdict after, without a backlog", 1e3 * alone_s[-1], "ms"),
        Row("last event known after the last verdict", 1e3 * (time.perf_counter() - start_s), "ms"),
    ]


async def _burst(here: Live, changes: int) -> tuple[list[float], int]:
    """Seconds until each verdict from the moment in which the resolver goes on; and events that wait at the last."""
    intents = list(itertools.islice(live.deletions(here.fleet, preview=False), BURST))
    here.resolver.send_signal(signal.SIGSTOP)
    await _change(here, changes)
    await asyncio.gather(
        *(here.bus.publish(subjects.intent(SITE, one.id), one.to_json(), message_id=one.id) for one in intents)
    )
    wanted, found = {one.id for one in intents}, []
    async with here.bus.subscribe(subjects.verdict(SITE, "*", "*")) as verdicts:
        here.resolver.send_signal(signal.SIGCONT)
        start_s = time.perf_counter()
        async for received in verdicts:
            found.append(time.perf_counter() - start_s)
            wanted.discard(subjects.last_name(received.subject))
            if not wanted:
                break
    return found, (await live.status(here.bus)).lag


async def _change(here: Live, changes: int) -> None:
    """So many changes of every resource, published."""
    left = changes * here.fleet.size
    async with here.bus.subscribe(subjects.event(SITE)) as batches:
        for _ in range(changes):
            await here.fleet.change()
        while left > 0:
            left -= len(decode_batch((await anext(batches)).payload).events)
