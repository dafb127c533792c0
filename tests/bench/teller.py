"""A process with the real watcher of a told fleet, so that whoever measures has a core to himself.

CHANGE on stdin ─▶ from now on every resource changes once a second, evenly      REST ─▶ nothing does any more
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import sys
import time
from contextlib import suppress
from typing import Final

import structlog
import uvloop

from services.chassis.bus import nats as adapter
from services.chassis.lifecycle import settle
from services.watcher.service import Watcher
from tests.bench.history import SITE
from tests.bench.told import ToldFleet

CHANGE: Final = b"change\n"
REST: Final = b"rest\n"
PARTS: Final = 50  # a second


async def watched(fleet: ToldFleet, url: str) -> None:
    """Until cancelled."""
    bus = await adapter.connect(url, name="watcher")
    try:
        await Watcher(SITE, fleet, bus, clock=time.monotonic, randomness=random.Random(1)).run()
    finally:
        await bus.close()


async def _changing(fleet: ToldFleet) -> None:
    start_s = time.perf_counter()
    for tick in itertools.count():
        await asyncio.sleep(max(0.0, start_s + tick / PARTS - time.perf_counter()))
        await fleet.change(tick % PARTS, PARTS)


async def _run(url: str, size: int) -> None:
    fleet = ToldFleet(size)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    watching = asyncio.create_task(watched(fleet, url))
    settle()
    changing: asyncio.Task[None] | None = None
    async for line in lines:
        if line == CHANGE:
            changing = asyncio.create_task(_changing(fleet))
        elif changing is not None:
            changing.cancel()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


def main() -> int:
    """Until stdin ends."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(sys.argv[1], int(sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
