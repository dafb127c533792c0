"""Heartbeats between sites: who is there, how far away, who is not, who speaks another version, who lies."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import subjects
from schemas.identity import SiteName
from schemas.pings import Ping, Pong
from schemas.queries import Refusal
from services.chassis.bus.port import Received
from services.chassis.peering.contacts import (
    FORGOTTEN_AFTER_S,
    LEARNED_MAX,
    PING_INTERVAL_S,
    ROUND_TRIPS,
    SILENT_AFTER,
    Contacts,
)
from services.chassis.peering.pulse import ANSWER_TIMEOUT_S, Pulse
from tests.kit.linked import Fate, Links
from tests.kit.virtual_time import run_virtually
from tests.unit.chassis.letters import BEGAN, LYON, NICE, OSLO, virtually

SITES = (LYON, OSLO, NICE)


class Beating:
    """The heartbeats of all sites. `back`: who told whom that it is there again."""

    def __init__(self, links: Links, speaks: dict[SiteName, str]) -> None:
        self.contacts = {
            site: Contacts([peer for peer in SITES if peer != site], speaks.get(site, "1.0")) for site in SITES
        }
        self.back: list[tuple[SiteName, SiteName]] = []
        self._links = links

    async def run(self, site: SiteName) -> None:
        loop = asyncio.get_running_loop()
        pulse = Pulse(
            site,
            self._links.buses[site],
            self.contacts[site],
            lambda peer: self.back.append((site, peer)),
            now_s=loop.time,
            wall=lambda: BEGAN + timedelta(seconds=loop.time()),
            randomness=random.Random(0),
        )
        await pulse.run()

    def state(self, site: SiteName, peer: SiteName) -> str:
        return self.contacts[site].state(peer, asyncio.get_running_loop().time())


@asynccontextmanager
async def beating(links: Links, **speaks: str) -> AsyncIterator[Beating]:
    made = Beating(links, {SiteName(site): speech for site, speech in speaks.items()})
    running = [asyncio.ensure_future(made.run(site)) for site in SITES]
    try:
        yield made
        assert not any(one.done() for one in running)
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running)


@virtually
async def test_peers_that_answer_are_up_with_their_round_trip_and_their_version() -> None:
    links = await Links.between(*SITES)
    links.latency_s = 0.15
    async with beating(links) as beat:
        assert beat.state(LYON, OSLO) == "unreachable"
        await asyncio.sleep(20)
        oslo = beat.contacts[LYON].of(OSLO)
        assert beat.state(LYON, OSLO) == "up"
        assert oslo.round_trip_s == pytest.approx(0.3)
        assert oslo.speaks == "1.0"
        assert oslo.release
        assert sorted(beat.back) == sorted((one, other) for one in SITES for other in SITES if one != other)


@pytest.mark.parametrize("fate", ["refused", "lost", "answer lost"])
def test_a_cut_in_either_direction_is_seen_within_seconds_by_both_and_its_end_at_once(fate: Fate) -> None:
    """A one-way cut (fault 12): whoever hears and is not heard knows it, too, because its own pings die."""

    async def run() -> None:
        links = await Links.between(*SITES)
        loop = asyncio.get_running_loop()
        async with beating(links) as beat:
            await asyncio.sleep(5)
            beat.back.clear()
            links.cuts[LYON, NICE] = fate
            await asyncio.sleep(SILENT_AFTER * PING_INTERVAL_S + ANSWER_TIMEOUT_S + 0.1)
            assert (beat.state(LYON, NICE), beat.state(LYON, OSLO)) == ("unreachable", "up")
            if fate != "answer lost":  # its answers to lyon are lost, not its questions
                assert beat.state(NICE, LYON) == "unreachable"
            assert beat.contacts[LYON].of(NICE).error
            await asyncio.sleep(100)
            assert 100 < (beat.contacts[LYON].heard_s(NICE, loop.time()) or 0) < 110
            links.heal()
            await asyncio.sleep(ANSWER_TIMEOUT_S + PING_INTERVAL_S + 0.1)
            assert beat.state(LYON, NICE) == beat.state(NICE, LYON) == "up"
            assert (LYON, NICE) in beat.back
            assert (LYON, OSLO) not in beat.back

    run_virtually(run())


@virtually
async def test_a_ping_that_is_lost_now_and_then_is_no_cut() -> None:
    links = await Links.between(*SITES)
    links.fate = lambda sender, receiver: "lost" if links.tries[sender, receiver] % 5 == 0 else "pass"
    async with beating(links) as beat:
        await asyncio.sleep(5)
        for _ in range(600):
            await asyncio.sleep(1)
            assert beat.state(LYON, OSLO) == "up"


@virtually
async def test_the_next_minor_version_is_a_peer_and_another_major_one_is_refused_by_name_on_both_sides() -> None:
    links = await Links.between(*SITES)
    async with beating(links, oslo="1.1", nice="2.0") as beat:
        await asyncio.sleep(5)
        assert beat.state(LYON, OSLO) == beat.state(OSLO, LYON) == "up"
        assert beat.contacts[LYON].of(OSLO).speaks == "1.1"
        assert beat.state(LYON, NICE) == beat.state(NICE, LYON) == "refused"
        assert beat.contacts[LYON].of(NICE).refusal == "version 1.0 is not spoken here: nice speaks 2.0"
        assert beat.contacts[NICE].of(LYON).refusal == "version 2.0 is not spoken here: lyon speaks 1.0"


@virtually
async def test_a_site_that_asks_is_a_peer_until_it_has_been_gone_for_an_hour() -> None:
    links = await Links.between(LYON, OSLO)
    loop = asyncio.get_running_loop()
    contacts = {LYON: Contacts([OSLO]), OSLO: Contacts([])}  # oslo was there before lyon was thought of
    back: list[SiteName] = []
    oslo = asyncio.ensure_future(Pulse(OSLO, links.buses[OSLO], contacts[OSLO], back.append, now_s=loop.time).run())
    lyon = asyncio.ensure_future(Pulse(LYON, links.buses[LYON], contacts[LYON], _ignore, now_s=loop.time).run())
    await asyncio.sleep(5)
    assert contacts[LYON].state(OSLO, loop.time()) == contacts[OSLO].state(LYON, loop.time()) == "up"
    assert back == [LYON]
    lyon.cancel()
    await asyncio.sleep(FORGOTTEN_AFTER_S - 10)
    assert contacts[OSLO].peers == (LYON,)
    assert contacts[OSLO].state(LYON, loop.time()) == "unreachable"
    await asyncio.sleep(30)
    assert contacts[OSLO].peers == ()
    oslo.cancel()
    await asyncio.wait({oslo, lyon})


def test_no_more_sites_are_learned_than_there_is_room_for() -> None:
    contacts = Contacts([OSLO])
    learned = [contacts.learn(SiteName(f"site-{number}"), 0.0) for number in range(LEARNED_MAX + 5)]
    assert sum(learned) == LEARNED_MAX
    assert not contacts.learn(OSLO, 0.0)


ANSWERS: dict[str, tuple[bytes, str]] = {  # what a peer answers → why it is refused
    "nonsense": (b"\xff\x00", "message: "),
    "another site": (Pong(site=NICE, number=1, speaks="1.0", release="", at=BEGAN).to_json(), "site, number: nice, 1"),
    "an old answer": (Pong(site=OSLO, number=0, speaks="1.0", release="", at=BEGAN).to_json(), "site, number: oslo, 0"),
    "pong/v2": (b'{"schema":"pong/v2"}', "unknown version 'pong/v2' (expected 'pong/v1')"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_peer_that_answers_something_else_is_refused_with_the_reason_and_is_up_when_it_answers_well(
    answer: str,
) -> None:
    payload, reason = ANSWERS[answer]

    async def nonsense(received: Received) -> bytes:
        return payload

    async def run() -> None:
        links = await Links.between(*SITES)
        contacts = Contacts([OSLO])
        loop = asyncio.get_running_loop()
        back: list[SiteName] = []
        pulse = asyncio.ensure_future(Pulse(LYON, links.buses[LYON], contacts, back.append, now_s=loop.time).run())
        async with links.buses[OSLO].serve(subjects.peer_filter(OSLO, "ping"), nonsense, name="resolver"):
            await asyncio.sleep(1.5)
            assert contacts.state(OSLO, loop.time()) == "refused"
            assert contacts.of(OSLO).refusal.startswith(reason)
        oslo = Pulse(OSLO, links.buses[OSLO], Contacts([]), _ignore, now_s=loop.time)
        answering = asyncio.ensure_future(oslo.run())
        await asyncio.sleep(5)
        assert contacts.state(OSLO, loop.time()) == "up"
        assert back == [OSLO]
        for one in (pulse, answering):
            one.cancel()
        await asyncio.wait({pulse, answering})

    run_virtually(run())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", "400"),
        (b'{"schema":"ping/v2","number":1}', "505"),
        (Ping(sender=OSLO, receiver=LYON, number=1, speaks="3.2").to_json(), "505"),
        (Ping(sender=NICE, receiver=LYON, number=1).to_json(), "400"),
        (Ping(sender=OSLO, receiver=NICE, number=1).to_json(), "400"),
    ],
)
def test_whoever_asks_wrongly_gets_a_typed_refusal(body: bytes, code: str) -> None:
    async def run() -> None:
        links = await Links.between(LYON, OSLO)
        running = asyncio.ensure_future(Pulse(LYON, links.buses[LYON], Contacts([]), _nobody).run())
        await asyncio.sleep(0)
        reply = await links.buses[OSLO].request(subjects.peer(LYON, OSLO, "ping", "1"), body, 1.0)
        assert Refusal.from_json(reply.payload).code == code
        running.cancel()
        await asyncio.wait({running})

    run_virtually(run())


# ── the figures, alone ──────────────────────────────────────────────────────────────────────────────────────────────


@given(st.lists(st.floats(0.0001, 2.0), min_size=1, max_size=40))
def test_the_round_trip_is_the_median_of_the_last_and_one_outlier_does_not_move_it(trips: list[float]) -> None:
    contacts = Contacts([OSLO])
    for number, trip in enumerate(trips):
        contacts.answered(OSLO, _pong(number), 10.0, 10.0 + trip)
    last = sorted(trips[-ROUND_TRIPS:])
    found = contacts.of(OSLO).round_trip_s
    assert found is not None
    assert last[0] - 1e-9 <= found <= last[-1] + 1e-9
    assert sum(one <= found + 1e-9 for one in last) * 2 >= len(last) <= sum(one >= found - 1e-9 for one in last) * 2


def test_with_many_peers_each_is_asked_less_often_and_is_silent_later() -> None:
    few, many = Contacts([OSLO]), Contacts([SiteName(f"site-{number}") for number in range(1_000)])
    assert (few.interval_s, many.interval_s) == (1.0, 10.0)
    many.answered(SiteName("site-1"), _pong(1), 0.0, 0.1)
    assert many.reachable(SiteName("site-1"), 39.0)
    assert not many.reachable(SiteName("site-1"), 41.0)


def test_a_site_that_is_no_peer_is_out_of_reach() -> None:
    contacts = Contacts([OSLO])
    assert contacts.state(NICE, 0.0) == "unreachable"
    assert contacts.heard_s(NICE, 0.0) is None


def _pong(number: int) -> Pong:
    return Pong(site=OSLO, number=number, speaks="1.0", release="0.1.0", at=BEGAN)


def _ignore(peer: SiteName) -> None:
    """Nothing waits for it."""


def _nobody(peer: Any) -> None:
    raise AssertionError(f"{peer} is not asked here")
