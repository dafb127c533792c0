"""The courier: in order per peer, nothing lost, nobody delayed by another's cut, bounded, and it says how far it is."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import subjects
from schemas.deadletters import DeadLetter
from schemas.envelope import MESSAGE_BYTES_MAX
from schemas.identity import SiteName
from services.chassis.bus.streams import DAY_S, StreamDefinition
from services.chassis.errors import TransientError
from services.chassis.peering.courier import RETRY_MAX_S, Courier, Limits
from services.chassis.peering.letter import OutboxFullError
from tests.kit.examples import examples
from tests.kit.linked import Fate, Links
from tests.kit.virtual_time import run_virtually
from tests.kit.waiting import eventually
from tests.unit.chassis.letters import LYON, NICE, OSLO, arrived, carrying, letter, unpacking, until_arrived, virtually
from tests.unit.resolver.mortal import Mortal

FATES: list[Fate] = ["pass", "pass", "refused", "lost", "answer lost"]


@pytest.mark.parametrize("parcels", [False, True], ids=["one by one", "together"])
def test_letters_arrive_in_order_and_nothing_waits_afterwards(parcels: bool) -> None:
    async def run() -> None:
        links = await Links.between(LYON, OSLO)
        links.latency_s = 0.15
        async with unpacking(links) if parcels else nullcontext():
            took_s = await _fifty(links)
        assert (took_s < 1) == parcels  # a link of 300 ms: three round trips, or fifty

    run_virtually(run())


async def _fifty(links: Links) -> float:
    loop = asyncio.get_running_loop()
    async with carrying(links.buses[LYON]) as courier:
        for number in range(50):
            await courier.send(letter(number))
        assert await until_arrived(links, OSLO, 50) == [b"%d" % number for number in range(50)]
        took_s = loop.time()
        await asyncio.sleep(1)
        assert courier.lags()[OSLO].count == 0
        assert courier.lags()[OSLO].size == 0
    left = links.buses[LYON].scan(subjects.outbox_stream(LYON), subjects.filters("OUTBOX", LYON))
    assert [one async for one in left] == []
    return took_s


@virtually
async def test_a_letter_carries_its_senders_headers_and_an_id_that_no_other_site_can_have() -> None:
    links = await Links.between(LYON, OSLO)
    async with carrying(links.buses[LYON]) as courier:
        await courier.send(letter(7, what="ask"))
        await until_arrived(links, OSLO, 1)
    last = await links.buses[OSLO].last(subjects.inbox_stream(OSLO), "cheops.v1.peer.oslo.lyon.ask.i-7")
    assert last is not None
    assert last.headers["ce-type"] == "io.cheops.ask.v1"
    assert last.headers["ce-source"] == "resolver/lyon"
    assert last.headers["Nats-Msg-Id"] == last.headers["ce-id"] == "lyon.oslo.7"


@pytest.mark.parametrize("fate", ["refused", "lost", "answer lost"])
def test_a_peer_that_is_cut_off_delays_no_other_and_gets_everything_in_order_when_it_is_back(fate: Fate) -> None:
    async def run() -> None:
        links = await Links.between(LYON, OSLO, NICE)
        links.cut(LYON, NICE, fate)
        loop = asyncio.get_running_loop()
        async with carrying(links.buses[LYON]) as courier:
            for number in range(20):
                await courier.send(letter(number, NICE))
                await courier.send(letter(number, OSLO))
            begun_s = loop.time()
            await until_arrived(links, OSLO, 20)
            assert loop.time() - begun_s < 0.1
            await asyncio.sleep(300)
            lag = courier.lags()[NICE]
            assert (lag.count, lag.size) == (20, sum(len(b"%d" % number) for number in range(20)))
            assert lag.oldest_s >= 300
            assert lag.error
            links.heal()
            assert await until_arrived(links, NICE, 20) == [b"%d" % number for number in range(20)]
            await asyncio.sleep(10)
            assert courier.lags()[NICE].count == 0
            assert courier.lags()[NICE].error == ""

    run_virtually(run())


@virtually
async def test_a_peer_that_was_cut_off_for_an_hour_is_asked_seldom_and_at_once_when_it_is_heard_again() -> None:
    links = await Links.between(LYON, OSLO)
    links.cut(LYON, OSLO)
    loop = asyncio.get_running_loop()
    async with carrying(links.buses[LYON]) as courier:
        await courier.send(letter(1))
        await asyncio.sleep(3_600)
        assert 3_600 / RETRY_MAX_S < links.tries[LYON, OSLO] < 3 * 3_600 / RETRY_MAX_S
        links.heal()
        courier.wake(OSLO)
        woken_s = loop.time()
        await until_arrived(links, OSLO, 1)
        assert loop.time() - woken_s < 0.1


@virtually
async def test_an_attempt_that_hangs_in_a_black_hole_ends_soon_after_the_peer_is_heard_again() -> None:
    links = await Links.between(LYON, OSLO)
    links.cut(LYON, OSLO, "lost")
    loop = asyncio.get_running_loop()
    async with carrying(links.buses[LYON]) as courier:
        await courier.send(letter(1))
        await asyncio.sleep(0.1)
        links.heal()
        courier.wake(OSLO)
        await until_arrived(links, OSLO, 1)
        assert loop.time() < 2  # not after the five seconds that an answer may take


@virtually
async def test_what_waits_survives_the_process_and_its_age_is_known_to_the_next() -> None:
    links = await Links.between(LYON, OSLO)
    links.cut(LYON, OSLO)
    async with carrying(links.buses[LYON]) as courier:
        for number in range(3):
            await courier.send(letter(number))
        await asyncio.sleep(100)
    await asyncio.sleep(100)
    async with carrying(links.buses[LYON]) as courier:
        assert courier.lags()[OSLO].count == 3
        assert 199 < courier.lags()[OSLO].oldest_s < 201
        await asyncio.sleep(60)
        links.heal()
        assert await until_arrived(links, OSLO, 3) == [b"0", b"1", b"2"]


@virtually
async def test_a_letter_that_is_sent_again_arrives_once_and_is_not_counted_as_waiting() -> None:
    links = await Links.between(LYON, OSLO)
    async with carrying(links.buses[LYON]) as courier:
        await courier.send(letter(1))
        await until_arrived(links, OSLO, 1)
        await courier.send(letter(1))
        await courier.send(letter(2))
        assert await until_arrived(links, OSLO, 2) == [b"1", b"2"]
    async with carrying(links.buses[LYON]) as courier:  # a new process does not know what left before it
        await courier.send(letter(1))
        assert courier.lags()[OSLO].count == 1
        await asyncio.sleep(10)
        assert courier.lags()[OSLO].count == 0
    assert await arrived(links, OSLO) == [b"1", b"2"]


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@virtually
async def test_too_many_letters_for_a_peer_are_refused_with_what_waits_and_why_and_asks_first() -> None:
    links = await Links.between(LYON, OSLO, NICE)
    links.cut(LYON, NICE)
    async with carrying(links.buses[LYON], Limits(count_max=8)) as courier:
        for number in range(6):
            await courier.send(letter(number, NICE, "ask"))
        await asyncio.sleep(30)
        with pytest.raises(OutboxFullError, match=r"no room for this ask: 6 letters .* the oldest for 30 s .*nobody"):
            await courier.send(letter(6, NICE, "ask"))
        for number in (6, 7):
            await courier.send(letter(number, NICE, "decide"))
        with pytest.raises(OutboxFullError, match="no room for this decide: 8 letters"):
            await courier.send(letter(8, NICE, "decide"))
        await courier.send(letter(1, OSLO, "ask"))
        links.heal()
        await until_arrived(links, NICE, 8)
        await asyncio.sleep(1)
        await courier.send(letter(9, NICE, "ask"))


@virtually
async def test_peers_that_are_cut_off_cannot_fill_the_outbox_for_the_others() -> None:
    links = await Links.between(LYON, OSLO, NICE)
    links.cut(LYON, NICE)
    kilobyte = b"x" * 1_000
    async with carrying(links.buses[LYON], Limits(bytes_max=3_000, all_bytes_max=4_000)) as courier:
        for number in range(3):
            await courier.send(letter(number, NICE, body=kilobyte))
        with pytest.raises(OutboxFullError):
            await courier.send(letter(3, NICE, body=kilobyte))
        for number in range(10):
            await courier.send(letter(number, OSLO, body=kilobyte))
            await until_arrived(links, OSLO, number + 1)
            await asyncio.sleep(0.1)


@virtually
async def test_a_full_inbox_lets_letters_wait_and_takes_them_in_order_as_it_empties() -> None:
    links = await Links.between(LYON, OSLO)
    oslo, stream = links.buses[OSLO], subjects.inbox_stream(OSLO)
    taken = subjects.inbox_subjects(OSLO)
    await oslo.ensure_stream(StreamDefinition(stream, DAY_S, 1_200_000, work_queue=True, bound=taken))
    async with carrying(links.buses[LYON]) as courier:
        for number in range(9):
            await courier.send(letter(number, body=b"%d" % number * 300_000))
        await asyncio.sleep(60)
        assert 5 <= courier.lags()[OSLO].count <= 8
        assert "full" in courier.lags()[OSLO].error
        reader, found = await oslo.reader(stream, "r", subjects.filters("INBOX", OSLO)), []
        async with asyncio.timeout(600):
            while len(found) < 9:
                for delivery in await reader.fetch(1, 100):
                    found.append(delivery.message.payload[:1])
                    await delivery.ack()
    assert found == [b"%d" % number for number in range(9)]


@virtually
async def test_what_no_server_would_take_is_kept_in_dead_letters_and_the_rest_goes_on() -> None:
    links = await Links.between(LYON, OSLO)
    stream, taken = subjects.inbox_stream(OSLO), subjects.inbox_subjects(OSLO)
    await links.buses[OSLO].ensure_stream(
        StreamDefinition(stream, DAY_S, work_queue=True, bound=taken, message_bytes_max=100)
    )
    async with carrying(links.buses[LYON]) as courier:
        await courier.send(letter(1, body=b"x" * 101))
        await courier.send(letter(2))
        assert await until_arrived(links, OSLO, 1) == [b"2"]
        buried = [
            DeadLetter.from_json(one.payload) async for one in links.buses[LYON].scan("DEAD", subjects.dead("OUTBOX"))
        ]
        assert [(one.subject, one.size, one.payload) for one in buried] == [(letter(1).outbox_subject, 101, "")]
        with pytest.raises(Exception, match="at most"):
            await courier.send(letter(3, body=b"x" * (MESSAGE_BYTES_MAX + 1)))


@virtually
async def test_without_its_own_bus_the_courier_says_so_and_goes_on_afterwards() -> None:
    links = await Links.between(LYON, OSLO)
    links.cut(LYON, OSLO)
    async with carrying(links.buses[LYON]) as courier:
        await courier.send(letter(1))
        await asyncio.sleep(1)
        links.buses[LYON].connected = False
        with pytest.raises(TransientError, match="not connected"):
            await courier.send(letter(2))
        await asyncio.sleep(100)
        links.heal()
        links.buses[LYON].connected = True
        await courier.send(letter(2))
        assert await until_arrived(links, OSLO, 2) == [b"1", b"2"]


# ── whatever happens ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Life:
    """Of one process: it sends letters to each peer, and dies at a wait on its bus or some time after the last."""

    letters: int
    waits: int
    pause_s: float
    then_s: float


LIVES = st.lists(
    st.builds(Life, st.integers(0, 15), st.integers(1, 200), st.floats(0.0, 2.0), st.floats(0.0, 10.0)), max_size=3
)


@settings(max_examples=examples(200))
@given(LIVES, st.lists(st.sampled_from(FATES), max_size=60), st.integers(0, 2**16), st.booleans())
def test_whatever_becomes_of_messages_and_of_processes_each_peer_gets_everything_in_order(
    lives: list[Life], fates: list[Fate], seed: int, parcels: bool
) -> None:
    """Each attempt has a fate of its own as long as there are some left; the last process lives."""

    async def run() -> None:
        links = await Links.between(LYON, OSLO, NICE)
        links.fate = lambda sender, receiver: fates.pop() if fates else "pass"
        async with unpacking(links) if parcels else nullcontext():
            await _assert_all_in_order_through(links, lives, seed)

    run_virtually(run())


async def _assert_all_in_order_through(links: Links, lives: list[Life], seed: int) -> None:
    first, last = 0, 0
    for life in lives:
        last += life.letters
        mortal = Mortal(links.buses[LYON], life.waits)
        async with carrying(mortal, seed=seed) as courier:
            living = asyncio.ensure_future(_live(courier, range(first, last), life.pause_s, life.then_s))
            dying = asyncio.ensure_future(mortal.died.wait())
            await asyncio.wait({living, dying}, return_when=asyncio.FIRST_COMPLETED)
            first = last if living.done() else first  # who was not told that it was taken sends it again
            living.cancel()
            dying.cancel()
    async with carrying(links.buses[LYON], seed=seed) as courier:
        await _live(courier, range(first, last + 5), 0.0, 0.0)
        wanted = [b"%d" % number for number in range(last + 5)]
        for site in (OSLO, NICE):
            assert list(dict.fromkeys(await _until_complete(links, site, wanted))) == wanted


async def _live(courier: Courier, numbers: range, pause_s: float, then_s: float) -> None:
    for number in numbers:
        for site in (OSLO, NICE):
            await courier.send(letter(number, site))
        await asyncio.sleep(pause_s)
    await asyncio.sleep(then_s)


async def _until_complete(links: Links, site: SiteName, wanted: list[bytes]) -> list[bytes]:
    found: list[bytes] = []

    async def complete() -> bool:
        found[:] = await arrived(links, site)
        return set(found) == set(wanted)

    await eventually(complete, lambda: f"{found} ≠ {wanted}", 10_000, pause_s=1)
    return found


@virtually
async def test_what_waits_for_a_site_that_is_gone_for_good_is_buried() -> None:
    links = await Links.between(LYON, OSLO, NICE)
    links.cut(LYON, NICE)
    async with carrying(links.buses[LYON]) as courier:
        for number in range(3):
            await courier.send(letter(number, NICE))
        await asyncio.sleep(5)
        assert courier.lags()[NICE].count == 3
    courier = Courier(LYON, links.buses[LYON], now_s=asyncio.get_running_loop().time, gone={NICE})
    running = asyncio.ensure_future(courier.run())
    await asyncio.sleep(20)
    assert courier.lags()[NICE].count == 0
    await courier.send(letter(7, OSLO))
    assert await until_arrived(links, OSLO, 1) == [b"7"]
    dead = links.buses[LYON].scan("DEAD", subjects.dead("OUTBOX"))
    reasons = [DeadLetter.from_json(one.payload).reason async for one in dead]
    assert reasons == ["nice is gone for good (CHEOPS_GONE)"] * 3
    running.cancel()
    await asyncio.wait({running})
