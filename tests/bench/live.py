"""A site on a real nats-server with the sandbox's settings, for whoever measures over the bus.

this process: watcher, client      another: resolver, echo, relay (site.py)      a third: nats-server
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cheops.sandbox.natsserver import NatsServer
from schemas import subjects
from schemas.identity import KindId
from schemas.intents import Intent
from schemas.queries import SiteStatus, StatusQuery
from services.chassis.bus import nats as adapter
from services.chassis.bus.port import Bus
from services.watcher.service import Watcher
from tests.bench.history import SITE
from tests.bench.told import ToldFleet

FRESH_TIMEOUT_S: Final = 60.0
numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Live:
    """The site: what it holds, where its server is, the process of its resolver, how long it took to be known."""

    fleet: ToldFleet
    url: str
    bus: Bus
    resolver: Process
    known_after_s: float
    server_pid: int


@contextlib.asynccontextmanager
async def site(size: int, folder: Path) -> AsyncIterator[Live]:
    """A site of this size, watched and known."""
    fleet = ToldFleet(size)
    async with NatsServer(folder, SITE) as server:
        command = (sys.executable, "-m", "tests.bench.site", server.url)
        child = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
        try:
            assert child.stdout is not None, "piped"
            await child.stdout.readline()
            bus = await adapter.connect(server.url, name="bench")
            async with _watching(fleet, server.url, bus) as known_after_s:
                assert server.process.pid is not None, "it answered"
                yield Live(fleet, server.url, bus, child, known_after_s, server.process.pid)
            await bus.close()
        finally:
            child.kill()
            await child.wait()


@contextlib.asynccontextmanager
async def _watching(fleet: ToldFleet, url: str, asking: Bus) -> AsyncIterator[float]:
    """The real watcher; yields how long it takes until the resolver knows all, when the site is called fresh."""
    bus = await adapter.connect(url, name="watcher")
    watcher = Watcher(SITE, fleet, bus, clock=time.monotonic, randomness=random.Random(1))
    start_s = time.perf_counter()
    running = asyncio.create_task(watcher.run())
    try:
        async with asyncio.timeout(FRESH_TIMEOUT_S):
            while not is_known(found := await status(asking), fleet):
                await asyncio.sleep(0.02)
            known_s = time.perf_counter() - start_s
            while found.state != "fresh":
                await asyncio.sleep(0.1)
                found = await status(asking)
        yield known_s
    finally:
        running.cancel()
        await asyncio.wait({running})
        await bus.close()


def is_known(found: SiteStatus, fleet: ToldFleet) -> bool:
    """All of it, and every event that was published."""
    return found.resources == fleet.size and found.lag == 0


async def status(bus: Bus) -> SiteStatus:
    """What the resolver says of the site."""
    reply = await bus.request(api("status"), StatusQuery().to_json(), 60.0)
    return SiteStatus.from_json(reply.payload)


def deletions(fleet: ToldFleet, *, preview: bool) -> Iterator[Intent]:
    """Deletions of Secrets in use: denied, so the verdict is the whole answer and the site stays as it is."""
    secrets = [one.resource for one in fleet.states[KindId("Secret")] if one.resource.endswith("-credentials")]
    for secret in itertools.cycle(secrets):
        now = datetime.now(UTC)
        yield Intent(
            id=f"i-{next(numbers)}",
            verb="delete",
            site=SITE,
            resources=(secret,),
            requester="bench",
            created_at=now,
            expires_at=now + timedelta(hours=1),
            preview=preview,
        )


def api(verb: str) -> str:
    """Where a question to the resolver goes."""
    return subjects.api("resolver", SITE, verb)
