"""Letters between two sites of a mesh with two routers, over links of several lengths: how long, how many.

One after the other: from `send` to the handler at the other site. Then a backlog, gathered while the link was cut.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
import uvloop

from cheops.sandbox.faults import Fault
from cheops.sandbox.links import Links
from cheops.sandbox.servers import Servers
from cheops.topology.folder import MeshFolder
from schemas.identity import SiteName
from schemas.peers import PeerMessage, Wake
from services.chassis.bus import nats
from services.chassis.bus.identity import identity_of
from services.chassis.bus.port import Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.peering.letter import Letter
from services.chassis.peering.liaison import Liaison
from tests.bench.measuring import Row, percentile

LYON, OSLO = SiteName("lyon"), SiteName("oslo")
ROUND_TRIPS_S: Final = (0.0, 0.02, 0.3)
EACH: Final = 50
BACKLOG: Final = 2_000
PATIENCE_S: Final = 600.0


def run(size: int, file: Path) -> list[Row]:
    """The size does not matter here."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(file.with_suffix(".mesh")))


class Site:
    """One end: it sends, and counts what it is told."""

    def __init__(self, site: SiteName, bus: nats.NatsBus) -> None:
        self.told = self.sent = 0
        self.changed = asyncio.Event()
        self.liaison = Liaison(site, bus, (LYON, OSLO), self._handle)

    async def _handle(self, message: PeerMessage, received: Received) -> None:
        self.told += 1
        self.changed.set()

    async def send(self, peer: SiteName) -> None:
        self.sent += 1
        message = Wake(sender=LYON, receiver=peer, intent=f"i-{self.sent}", round=self.sent)
        await self.liaison.courier.send(Letter.of(message, str(self.sent)))

    async def until_told(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.told < count:
                self.changed.clear()
                await self.changed.wait()

    async def until_up(self, peer: SiteName) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while next(link.state for link in self.liaison.links() if link.site == peer) != "up":
                await asyncio.sleep(0.05)


async def _run(folder: Path) -> list[Row]:
    links = Links(folder / "links")
    await links.start()
    mesh = MeshFolder(folder / "mesh")
    mesh.init([LYON, OSLO], 2, {})
    try:
        async with (
            Servers(mesh, via=links.open) as servers,
            _at_work(servers, LYON) as lyon,
            _at_work(servers, OSLO) as oslo,
        ):
            lengths = [Fault(latency_s=trip_s / 2) for trip_s in ROUND_TRIPS_S]
            return [row for length in lengths for row in await _over(links, length, lyon, oslo)]
    finally:
        await links.stop()


async def _over(links: Links, length: Fault, lyon: Site, oslo: Site) -> list[Row]:
    name = f"round trip of {2_000 * length.latency_s:.0f} ms"
    await links.set(LYON, length)
    await lyon.until_up(OSLO)
    times = [await _one(lyon, oslo) for _ in range(EACH)]
    await links.set(LYON, Fault(cut=True))
    for _ in range(BACKLOG):
        await lyon.send(OSLO)
    await links.set(LYON, length)
    await oslo.until_told(lyon.sent - BACKLOG + 1)
    begun_s = time.perf_counter()
    await oslo.until_told(lyon.sent)
    took_s = time.perf_counter() - begun_s
    return [
        Row(f"{name}: one letter, p50", 1_000 * percentile(times, 0.5), "ms"),
        Row(f"{name}: a backlog, letters/s", BACKLOG / took_s, "", None, "more"),
    ]


async def _one(lyon: Site, oslo: Site) -> float:
    begun_s = time.perf_counter()
    await lyon.send(OSLO)
    await oslo.until_told(lyon.sent)
    return time.perf_counter() - begun_s


@asynccontextmanager
async def _at_work(servers: Servers, site: SiteName) -> AsyncIterator[Site]:
    identity = identity_of(servers.folder.keys_of(site), site, "resolver")
    bus = await nats.connect(servers.sites[site].url, name=f"resolver-{site}", identity=identity)
    await ensure_streams(bus, site)
    made, ready = Site(site, bus), asyncio.Event()
    running = asyncio.ensure_future(made.liaison.run(ready))
    await ready.wait()
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.wait({running})
        await bus.close()
