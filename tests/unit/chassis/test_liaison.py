"""All of it together: what a site says of its links, to people and to Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Set
from contextlib import asynccontextmanager
from types import MappingProxyType

from prometheus_client import REGISTRY

from schemas import subjects
from schemas.identity import SiteName
from schemas.peers import PeerMessage
from schemas.queries import SiteStatus
from schemas.verdicts import Evidence
from services.chassis.bus.port import Received
from services.chassis.peering.liaison import Liaison
from tests.kit.linked import Links
from tests.unit.chassis.letters import BEGAN, LYON, NICE, OSLO, letter, virtually

PARIS = SiteName("paris")


class Site:
    """A liaison, what it handled, and who was heard."""

    def __init__(self, links: Links, site: SiteName, peers: list[SiteName], gone: Set[SiteName] = frozenset()) -> None:
        self.handled: list[PeerMessage] = []
        self.heard: list[tuple[SiteName, float]] = []
        loop = asyncio.get_running_loop()
        self.liaison = Liaison(site, links.buses[site], peers, self._handle, self._hear, loop.time, gone=gone)

    async def _handle(self, message: PeerMessage, received: Received) -> None:
        self.handled.append(message)

    async def _hear(self, peer: SiteName, round_trip_s: float) -> None:
        self.heard.append((peer, round_trip_s))


@asynccontextmanager
async def at_work(
    links: Links, gone: Mapping[SiteName, Set[SiteName]] = MappingProxyType({})
) -> AsyncIterator[dict[SiteName, Site]]:
    """Lyon, oslo and nice; lyon knows paris, too, which nobody ever started."""
    names = list(links.buses)
    sites = {one: Site(links, one, [*names, PARIS], gone.get(one, frozenset())) for one in names}
    running = [asyncio.ensure_future(site.liaison.run()) for site in sites.values()]
    try:
        await asyncio.sleep(5)
        yield sites
        assert not any(one.done() for one in running)
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running)


def figure(name: str, peer: SiteName) -> float | None:
    return REGISTRY.get_sample_value(name, {"site": LYON, "peer": peer})


@virtually
async def test_a_site_says_who_is_up_who_is_not_and_what_waits_for_whom() -> None:
    links = await Links.between(LYON, OSLO, NICE)
    links.latency_s = 0.05
    async with at_work(links) as sites:
        lyon = sites[LYON].liaison
        links.cut(LYON, NICE)
        await asyncio.sleep(10)
        for number in range(3):
            await lyon.courier.send(letter(number, NICE, body=b"12345"))
        await asyncio.sleep(30)
        rows = {link.site: link for link in lyon.links()}
        assert {name: row.state for name, row in rows.items()} == {
            NICE: "unreachable",
            OSLO: "up",
            PARIS: "unreachable",
        }
        assert rows[OSLO].round_trip_s is not None
        assert abs(rows[OSLO].round_trip_s - 0.1) < 1e-6
        assert (rows[NICE].outbox.count, rows[NICE].outbox.size) == (3, 15)
        assert 30 <= rows[NICE].outbox.oldest_s < 31
        assert 38 < (rows[NICE].heard_s or 0) < 42
        assert rows[PARIS].heard_s is None
        assert rows[PARIS].why
        links.heal()
        await asyncio.sleep(5)
        rows = {link.site: link for link in lyon.links()}
        assert (rows[NICE].state, rows[NICE].outbox.count) == ("up", 0)


@virtually
async def test_what_waits_for_a_site_that_is_no_peer_any_more_is_shown_until_it_is_gone() -> None:
    links = await Links.between(LYON, OSLO, NICE)
    gone = SiteName("gone")
    async with at_work(links) as sites:
        lyon = sites[LYON].liaison
        await lyon.courier.send(letter(1, gone))
        await asyncio.sleep(1)
        row = next(link for link in lyon.links() if link.site == gone)
        assert (row.state, row.outbox.count) == ("unreachable", 1)
        assert "no peer of this site" in row.why


@virtually
async def test_the_peers_own_word_is_gathered_from_those_that_are_up() -> None:
    links = await Links.between(LYON, OSLO, NICE)

    async def status(received: Received) -> bytes:
        claim = Evidence(site=OSLO, epoch=1, seq=7, age_s=0.1, bound_s=10.0, fresh=True, observed=3)
        return SiteStatus(site=OSLO, version="0.1.0", evidence=claim, state="fresh", started_at=BEGAN).to_json()

    async with at_work(links) as sites, links.buses[OSLO].serve(subjects.peer_filter(OSLO, "sites"), status, name="r"):
        answer = await sites[LYON].liaison.asked_links()
    words = {link.site: link.status.evidence.seq if link.status else None for link in answer.peers}
    assert words == {NICE: None, OSLO: 7, PARIS: None}
    assert (answer.site, answer.speaks) == (LYON, "1.0")


@virtually
async def test_whoever_decides_hears_each_answer_and_each_message() -> None:
    links = await Links.between(LYON, OSLO, NICE)
    async with at_work(links) as sites:
        await asyncio.sleep(10)
        heard = {peer for peer, _ in sites[LYON].heard}
        assert heard == {OSLO, NICE}
        assert 26 <= len(sites[LYON].heard) <= 32


@virtually
async def test_prometheus_reads_the_same_figures() -> None:
    links = await Links.between(LYON, OSLO, NICE)
    links.cut(LYON, NICE)
    async with at_work(links) as sites:
        await sites[LYON].liaison.courier.send(letter(1, NICE, body=b"12345"))
        await asyncio.sleep(7)
        assert (figure("cheops_peer_up", OSLO), figure("cheops_peer_up", NICE)) == (1.0, 0.0)
        assert figure("cheops_outbox_letters", NICE) == 1.0
        assert figure("cheops_outbox_bytes", NICE) == 5.0
        assert figure("cheops_outbox_oldest_seconds", NICE) == 7.0
    assert figure("cheops_peer_up", OSLO) is None


@virtually
async def test_a_site_that_is_gone_for_good_is_not_answered_and_that_it_asks_is_told() -> None:
    links = await Links.between(LYON, NICE)
    async with at_work(links, gone={LYON: {NICE}}) as sites:
        await asyncio.sleep(10)
        (seen,) = (one for one in sites[NICE].liaison.links() if one.site == LYON)
        assert (seen.state, "gone for good" in seen.why) == ("refused", True)
        (seen,) = (one for one in sites[LYON].liaison.links() if one.site == NICE)
        assert (seen.state, seen.outbox.count, "CHEOPS_GONE" in seen.why) == ("gone", 0, True)
        assert NICE in {peer for peer, _ in sites[LYON].heard}
        assert LYON not in {peer for peer, _ in sites[NICE].heard}
        assert figure("cheops_peer_up", NICE) is None
