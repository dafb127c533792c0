"""Letters and heartbeats over the real servers of a mesh, whose routers are killed, stopped and healed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cheops.sandbox.faults import CUT, NO_FAULT, Fault
from cheops.sandbox.servers import Servers
from schemas import subjects
from schemas.identity import SiteName
from schemas.peers import PeerMessage, Wake
from services.chassis.bus import nats
from services.chassis.bus.identity import identity_of
from services.chassis.bus.port import Bus, Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import TransientError
from services.chassis.peering.letter import Letter
from services.chassis.peering.liaison import Liaison
from tests.contract.mesh.test_cuts import cuttable
from tests.contract.mesh.world import LYON, NICE, OSLO, SITES, mesh
from tests.kit.waiting import eventually, lasting

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
    await eventually(true, wait_s=PATIENCE_S, pause_s=PAUSE_S)


@asynccontextmanager
async def working(servers: Servers, site: SiteName) -> AsyncIterator[Site]:
    """One site's process, with the rights of its resolver."""
    identity = identity_of(servers.folder.keys_of(site), site, "resolver")
    bus = await nats.connect(servers.sites[site].url, name=f"resolver-{site}", identity=identity)
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


@pytest.fixture(params=[2, 0], ids=["two routers", "direct links"])
async def servers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Servers]:
    async with mesh(tmp_path, routers=request.param) as made:
        yield made


def cut(servers: Servers, hole: bool) -> None:
    """Every way between sites: gone at once, or silent."""
    for router in servers.routers.values():
        router.process.send_signal(signal.SIGSTOP) if hole else router.kill()


async def heal(servers: Servers, hole: bool) -> None:
    """As it was."""
    for router in servers.routers.values():
        router.process.send_signal(signal.SIGCONT)
        if not hole:
            await router.restart()


@pytest.fixture
async def lyon(servers: Servers) -> AsyncIterator[Site]:
    async with working(servers, LYON) as made:
        yield made


@pytest.fixture
async def oslo(servers: Servers) -> AsyncIterator[Site]:
    async with working(servers, OSLO) as made:
        yield made


@pytest.fixture
async def nice(servers: Servers) -> AsyncIterator[Site]:
    async with working(servers, NICE) as made:
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


@pytest.mark.parametrize("servers", [2, 1], ids=["two routers", "one router"], indirect=True)
@pytest.mark.parametrize("hole", [False, True], ids=["killed", "black hole"])
async def test_through_a_cut_nothing_is_lost_doubled_or_turned_round_and_the_link_is_shown_as_it_is(
    servers: Servers, lyon: Site, oslo: Site, hole: bool
) -> None:
    await until(lambda: lyon.state(OSLO) == oslo.state(LYON) == "up")
    await lyon.tell(OSLO, range(50))
    cut(servers, hole)
    await lyon.tell(OSLO, range(50, 150))
    await oslo.tell(LYON, range(50))
    await until(lambda: lyon.state(OSLO) == oslo.state(LYON) == "unreachable")
    assert lyon.waits_for(OSLO) >= 100
    await heal(servers, hole)
    await until(lambda: len(oslo.told) >= 150 and len(lyon.told) >= 50)
    assert oslo.told == list(range(150))
    assert lyon.told == list(range(50))
    await until(lambda: lyon.waits_for(OSLO) == oslo.waits_for(LYON) == 0)
    await until(lambda: lyon.state(OSLO) == oslo.state(LYON) == "up")


async def test_a_site_whose_server_is_away_delays_no_other_and_gets_its_letters_when_it_is_back(
    servers: Servers, lyon: Site, oslo: Site
) -> None:
    await until(lambda: lyon.state(OSLO) == "up")
    servers.sites[OSLO].kill()
    await lyon.tell(OSLO, range(30))
    async with working(servers, NICE) as nice:  # a site that starts while another is away
        await lyon.tell(NICE, range(30))
        await until(lambda: len(nice.told) >= 30)
        assert nice.told == list(range(30))
        assert lyon.waits_for(OSLO) == 30
    await servers.sites[OSLO].restart()
    await until(lambda: len(oslo.told) >= 30)
    assert oslo.told == list(range(30))


@pytest.mark.parametrize(
    "fault",
    [CUT, Fault(swallow="both"), Fault(swallow="out"), Fault(swallow="in")],
    ids=["cut", "black hole", "one way out", "one way in"],
)
async def test_whatever_is_wrong_with_a_link_both_ends_see_it_and_everything_arrives_in_order_afterwards(
    tmp_path: Path, fault: Fault
) -> None:
    """A one-way cut (fault 12), too: whoever still hears and is not heard knows it."""
    async with (
        cuttable(tmp_path, 2) as (servers, links),
        working(servers, LYON) as lyon,
        working(servers, OSLO) as oslo,
        working(servers, NICE) as nice,
    ):
        await until(lambda: lyon.state(OSLO) == oslo.state(LYON) == oslo.state(NICE) == "up")
        links.set(LYON, fault)
        await asyncio.gather(lyon.tell(OSLO, range(100)), oslo.tell(LYON, range(100)), oslo.tell(NICE, range(100)))
        await until(lambda: lyon.state(OSLO) == oslo.state(LYON) == "unreachable")
        await until(lambda: len(nice.told) >= 100)
        assert oslo.state(NICE) == "up"
        links.set(LYON, NO_FAULT)
        await until(lambda: len(oslo.told) >= 100 <= len(lyon.told))
        assert oslo.told == lyon.told == nice.told == list(range(100))
        await until(lambda: lyon.waits_for(OSLO) == oslo.waits_for(LYON) == 0)


async def test_a_link_that_flaps_is_tried_seldom_and_loses_nothing(tmp_path: Path) -> None:
    """Fault 13, shortened: up and down every half second."""
    async with (
        cuttable(tmp_path, 1) as (servers, links),
        working(servers, LYON) as lyon,
        working(servers, OSLO) as oslo,
    ):
        await until(lambda: lyon.state(OSLO) == "up")
        for turn in range(20):
            links.set(LYON, CUT if turn % 2 == 0 else NO_FAULT)
            await lyon.tell(OSLO, range(10 * turn, 10 * turn + 10))
            await lasting(0.5)
        links.set(LYON, NO_FAULT)
        await until(lambda: len(oslo.told) >= 200)
        assert oslo.told == list(range(200))
        assert lyon.liaison.courier.lags()[OSLO].retries < 100  # 10 s of trouble: some a second at most


async def test_a_slow_thin_line_is_slow_and_loses_nothing(tmp_path: Path) -> None:
    """Fault 14: 300 ms there and back, 8 Mbit/s; what a real line loses, TCP sends again."""
    async with (
        cuttable(tmp_path, 2) as (servers, links),
        working(servers, LYON) as lyon,
        working(servers, OSLO) as oslo,
    ):
        await until(lambda: lyon.state(OSLO) == "up")
        links.set(LYON, Fault(latency_s=0.15, jitter_s=0.05, bytes_per_s=1_000_000))
        await asyncio.gather(lyon.tell(OSLO, range(300)), oslo.tell(LYON, range(300)))
        await until(lambda: len(oslo.told) >= 300 <= len(lyon.told))
        assert oslo.told == lyon.told == list(range(300))
        assert lyon.state(OSLO) == oslo.state(LYON) == "up"


async def test_a_courier_that_dies_with_its_server_goes_on_where_it_was(servers: Servers, oslo: Site) -> None:
    """Lyon's process and then its nats-server are killed in the middle of a burst; what was taken arrives."""
    async with working(servers, LYON) as lyon:
        await until(lambda: lyon.state(OSLO) == "up")
        await lyon.tell(OSLO, range(100))
    servers.sites[LYON].kill()
    await servers.sites[LYON].restart()
    async with working(servers, LYON) as lyon:
        await lyon.tell(OSLO, range(100, 120))
        await until(lambda: len(oslo.told) >= 120)
        assert list(dict.fromkeys(oslo.told)) == list(range(120))
        await until(lambda: lyon.waits_for(OSLO) == 0)
