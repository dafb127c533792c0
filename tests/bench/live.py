"""A site on a real nats-server with the sandbox's settings, for whoever measures over the bus.

this process: watcher, client      another: resolver, echo, relay (site.py)      a third: nats-server

Where it is said so, the watcher is in a fourth (teller.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
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
from tests.bench.history import SITE
from tests.bench.teller import watched
from tests.bench.told import ToldFleet

FRESH_TIMEOUT_S: Final = 60.0
numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Live:
    """The site: what it holds, where its server is, the process of its resolver, how long it took to be known.

    `teller`: the process of its watcher, when it has one of its own.
    """

    fleet: ToldFleet
    url: str
    bus: Bus
    resolver: Process
    known_after_s: float
    server_pid: int
    teller: Process | None


@contextlib.asynccontextmanager
async def site(size: int, folder: Path, *, apart: bool = False) -> AsyncIterator[Live]:
    """A site of this size, watched and known. `apart`: by a watcher in a process of its own."""
    fleet = ToldFleet(size)
    async with NatsServer(folder, SITE) as server, _child("tests.bench.site", server.url) as resolver:
        assert resolver.stdout is not None, "piped"
        await resolver.stdout.readline()
        bus = await adapter.connect(server.url, name="bench")
        async with _apart(size, server.url) if apart else _here(fleet, server.url) as teller:
            known_after_s = await _fresh(fleet, bus)
            assert server.process.pid is not None, "it answered"
            yield Live(fleet, server.url, bus, resolver, known_after_s, server.process.pid, teller)
        await bus.close()


@contextlib.asynccontextmanager
async def _child(module: str, *arguments: str) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", module, *arguments, stdin=PIPE, stdout=PIPE)
    try:
        yield child
    finally:
        child.kill()
        await child.wait()


@contextlib.asynccontextmanager
async def _apart(size: int, url: str) -> AsyncIterator[Process | None]:
    async with _child("tests.bench.teller", url, str(size)) as teller:
        yield teller


@contextlib.asynccontextmanager
async def _here(fleet: ToldFleet, url: str) -> AsyncIterator[Process | None]:
    running = asyncio.create_task(watched(fleet, url))
    try:
        yield None
    finally:
        running.cancel()
        await asyncio.wait({running})


async def _fresh(fleet: ToldFleet, asking: Bus) -> float:
    """Wait until the site is called fresh; how long it takes until the resolver knows all, in seconds."""
    start_s = time.perf_counter()
    async with asyncio.timeout(FRESH_TIMEOUT_S):
        while not is_known(found := await status(asking), fleet):
            await asyncio.sleep(0.02)
        known_s = time.perf_counter() - start_s
        while found.state != "fresh":
            await asyncio.sleep(0.1)
            found = await status(asking)
    return known_s


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
