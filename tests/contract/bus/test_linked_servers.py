"""Letters and heartbeats over real nats-servers, one a site, behind a router that is killed, stopped and healed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas import subjects
from schemas.identity import SiteName
from schemas.peers import PeerMessage, Wake
from services.chassis.bus import nats
from services.chassis.bus.port import Bus, Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import TransientError
from services.chassis.peering.letter import Letter
from services.chassis.peering.liaison import Liaison
from tests.kit.router import Routed, routed

LYON, OSLO, NICE = map(SiteName, ("lyon", "oslo", "nice"))
SITES = (LYON, OSLO, NICE)
PATIENCE_S = 60.0
PAUSE_S = 0.05


class Site:
    """A resolver that only keeps what it is told."""

    def __init__(self, site: SiteName, bus: Bus) -> None:
        self.site, self.bus = site, bus
        self.told: list[int] = []
        self.liaison = Liaison(site, bus, SITES, self._handle)

    async def _handle(self, message: PeerMessage, received: Received) -> None:
        assert isinstance(message, Wake)
        self.told.append(message.round)

    async def tell(self, peer: SiteName, numbers: range) -> None:
        for number in numbers:
            message = Wake(sender=self.site, receiver=peer, intent="i-1", round=number)
            await self.liaison.courier.send(Letter.of(message, f"{peer}.{number}"))

    def waits_for(self, peer: SiteName) -> int:
        lag = self.liaison.courier.lags().get(peer)
        return lag.count if lag else 0

    def state(self, peer: SiteName) -> str:
        return next(link.state for link in self.liaison.links() if link.site == peer)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def working(site: SiteName, url: str) -> AsyncIterator[Site]:
    """One site's process."""
    bus = await nats.connect(url, name=site)
    await ensure_streams(bus, site)
    made, ready = Site(site, bus), asyncio.Event()
    running = asyncio.ensure_future(made.liaison.run(ready))
    try:
        await ready.wait()
        yield made
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        await asyncio.wait({running})
        await bus.close()


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Routed]:
    async with routed(tmp_path, *SITES) as made:
        yield made


@pytest.fixture
async def lyon(servers: Routed) -> AsyncIterator[Site]:
    async with working(LYON, servers.servers[LYON].url) as made:
        yield made


@pytest.fixture
async def oslo(servers: Routed) -> AsyncIterator[Site]:
    async with working(OSLO, servers.servers[OSLO].url) as made:
        yield made


@pytest.fixture
async def nice(servers: Routed) -> AsyncIterator[Site]:
    async with working(NICE, servers.servers[NICE].url) as made:
        yield made


async def test_what_is_stored_at_another_site_is_stored_there_only_and_acknowledged_through_the_link(
    lyon: Site, oslo: Site
) -> None:
    await until(lambda: lyon.state(OSLO) == "up")
    subject = subjects.peer(OSLO, LYON, "refuse", "i-9")  # oslo's reader buries it: it is no message
    assert await lyon.bus.publish(subject, b"{}", message_id="x", timeout_s=PATIENCE_S) == 1
    assert await lyon.bus.publish(subject, b"{}", message_id="x", timeout_s=PATIENCE_S) == 1
    assert await lyon.bus.last(subjects.inbox_stream(LYON), subjects.filters("INBOX", LYON)) is None
    with pytest.raises(TransientError, match="no stream takes"):
        await lyon.bus.publish(subjects.peer(SiteName("paris"), LYON, "ask", "i-9"), b"{}", message_id="y")


async def test_letters_cross_in_order_in_both_directions(lyon: Site, oslo: Site) -> None:
    await asyncio.gather(lyon.tell(OSLO, range(200)), oslo.tell(LYON, range(200)))
    await until(lambda: len(oslo.told) >= 200 <= len(lyon.told))
    assert oslo.told == lyon.told == list(range(200))
    await until(lambda: lyon.waits_for(OSLO) == oslo.waits_for(LYON) == 0)


@pytest.mark.parametrize("hole", [False, True], ids=["killed", "black hole"])
async def test_through_a_cut_nothing_is_lost_doubled_or_turned_round_and_the_link_is_shown_as_it_is(
    servers: Routed, lyon: Site, oslo: Site, hole: bool
) -> None:
    await until(lambda: lyon.state(OSLO) == oslo.state(LYON) == "up")
    await lyon.tell(OSLO, range(50))
    if hole:
        servers.hole(True)
    else:
        servers.router.kill()
    await lyon.tell(OSLO, range(50, 150))
    await oslo.tell(LYON, range(50))
    await until(lambda: lyon.state(OSLO) == oslo.state(LYON) == "unreachable")
    assert lyon.waits_for(OSLO) >= 100
    if hole:
        servers.hole(False)
    else:
        await servers.start()
    await until(lambda: len(oslo.told) >= 150 and len(lyon.told) >= 50)
    assert oslo.told == list(range(150))
    assert lyon.told == list(range(50))
    await until(lambda: lyon.waits_for(OSLO) == oslo.waits_for(LYON) == 0)
    await until(lambda: lyon.state(OSLO) == oslo.state(LYON) == "up")


async def test_a_site_whose_server_is_away_delays_no_other_and_gets_its_letters_when_it_is_back(
    servers: Routed, lyon: Site, oslo: Site
) -> None:
    await until(lambda: lyon.state(OSLO) == "up")
    servers.servers[OSLO].kill()
    await lyon.tell(OSLO, range(30))
    async with working(NICE, servers.servers[NICE].url) as nice:  # a site that starts while another is away
        await lyon.tell(NICE, range(30))
        await until(lambda: len(nice.told) >= 30)
        assert nice.told == list(range(30))
        assert lyon.waits_for(OSLO) == 30
    await servers.servers[OSLO].restart()
    await until(lambda: len(oslo.told) >= 30)
    assert oslo.told == list(range(30))


async def test_a_courier_that_dies_with_its_server_goes_on_where_it_was(servers: Routed, oslo: Site) -> None:
    """Lyon's process and then its nats-server are killed in the middle of a burst; what was taken arrives."""
    async with working(LYON, servers.servers[LYON].url) as lyon:
        await until(lambda: lyon.state(OSLO) == "up")
        await lyon.tell(OSLO, range(100))
    servers.servers[LYON].kill()
    await servers.servers[LYON].restart()
    async with working(LYON, servers.servers[LYON].url) as lyon:
        await lyon.tell(OSLO, range(100, 120))
        await until(lambda: len(oslo.told) >= 120)
        assert list(dict.fromkeys(oslo.told)) == list(range(120))
        await until(lambda: lyon.waits_for(OSLO) == 0)
