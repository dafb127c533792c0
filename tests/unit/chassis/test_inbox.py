"""The inbox: checked, in order, acknowledged once handled; a refusal has a typed reason, and the sender is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY

from schemas import subjects
from schemas.deadletters import DeadLetter
from schemas.identity import SiteName
from schemas.peers import PeerMessage, Refuse, Wake
from services.chassis.bus.port import Received
from services.chassis.errors import TransientError
from services.chassis.peering.inbox import DELIVERIES_MAX, Inbox
from services.chassis.peering.letter import Letter
from tests.kit.linked import Links
from tests.kit.virtual_time import run_virtually
from tests.unit.chassis.letters import LYON, NICE, OSLO, carrying, virtually

Handle = Callable[[PeerMessage, Received], Awaitable[None]]


def wake(number: int, sender: SiteName = OSLO, receiver: SiteName = LYON) -> Wake:
    return Wake(sender=sender, receiver=receiver, intent=f"i-{number}", round=number)


@asynccontextmanager
async def reading(links: Links, handle: Handle) -> AsyncIterator[None]:
    """Lyon's resolver reads."""
    bus = links.buses[LYON]
    async with carrying(bus) as courier:
        running = asyncio.ensure_future(Inbox(LYON, bus, courier, handle).run())
        try:
            yield
            assert not running.done(), running.exception()
        finally:
            running.cancel()
            await asyncio.wait({running})


async def tell(links: Links, message: PeerMessage, **changes: Any) -> None:
    """From oslo's server to lyon's; `changes`: what the subject says instead."""
    letter = Letter.of(message, f"{message.sender}.{message.intent}")
    receiver, sender = changes.get("receiver", LYON), changes.get("sender", message.sender)
    subject = subjects.peer(receiver, sender, changes.get("what", letter.what), changes.get("intent", letter.intent))
    payload = changes.get("payload", letter.payload)
    await links.buses[OSLO].publish(subject, payload, message_id=letter.headers["ce-id"], headers=letter.headers)


async def buried(links: Links) -> list[DeadLetter]:
    return [DeadLetter.from_json(one.payload) async for one in links.buses[LYON].scan("DEAD", subjects.dead("INBOX"))]


async def told(links: Links, site: SiteName = OSLO) -> list[Refuse]:
    everything = links.buses[site].scan(subjects.inbox_stream(site), subjects.filters("INBOX", site))
    return [Refuse.from_json(one.payload) async for one in everything]


async def left(links: Links) -> int:
    everything = links.buses[LYON].scan(subjects.inbox_stream(LYON), subjects.filters("INBOX", LYON))
    return len([one async for one in everything])


def refusals(reason: str) -> float:
    return REGISTRY.get_sample_value("cheops_peer_messages_refused_total", {"site": "lyon", "reason": reason}) or 0.0


@virtually
async def test_messages_are_handed_on_in_order_and_gone_afterwards() -> None:
    links = await Links.between(LYON, OSLO)
    heard: list[PeerMessage] = []

    async def handle(message: PeerMessage, received: Received) -> None:
        heard.append(message)

    for number in range(20):
        await tell(links, wake(number))
    async with reading(links, handle):
        await asyncio.sleep(1)
    assert heard == [wake(number) for number in range(20)]
    assert await left(links) == 0


@virtually
async def test_an_inbox_that_is_not_there_is_made() -> None:
    """A store that was lost had ended the resolver, which makes it."""
    links = await Links.between(LYON, OSLO)
    heard: list[PeerMessage] = []

    async def handle(message: PeerMessage, received: Received) -> None:
        heard.append(message)

    del links.buses[LYON]._streams[subjects.inbox_stream(LYON)]
    async with reading(links, handle):
        await asyncio.sleep(1)
        await tell(links, wake(1))
        await asyncio.sleep(1)
    assert heard == [wake(1)]


@virtually
async def test_the_next_message_waits_while_one_cannot_be_handled_yet() -> None:
    links = await Links.between(LYON, OSLO)
    heard: list[str] = []

    async def handle(message: PeerMessage, received: Received) -> None:
        heard.append(message.intent)
        if len(heard) < 4:
            raise TransientError("not now")

    await tell(links, wake(1))
    await tell(links, wake(2))
    async with reading(links, handle):
        await asyncio.sleep(30)
    assert heard == ["i-1", "i-1", "i-1", "i-1", "i-2"]
    assert await buried(links) == []


@virtually
async def test_a_message_that_was_taken_by_a_killed_resolver_comes_again_before_the_next() -> None:
    links = await Links.between(LYON, OSLO)
    heard: list[str] = []

    async def hang(message: PeerMessage, received: Received) -> None:
        await asyncio.Event().wait()

    async def handle(message: PeerMessage, received: Received) -> None:
        heard.append(message.intent)

    await tell(links, wake(1))
    await tell(links, wake(2))
    async with reading(links, hang):
        await asyncio.sleep(1)
    async with reading(links, handle):
        await asyncio.sleep(5)
    assert heard == ["i-1", "i-2"]


REFUSED: dict[str, tuple[dict[str, Any], str, bool]] = {  # reason → what is wrong, what is said, is the sender told
    "unreadable": ({"payload": b'{"schema":"wake/v1"}'}, "sender: missing", True),
    "unknown version": ({"payload": b'{"schema":"wake/v2"}'}, "unknown version 'wake/v2' (expected 'wake/v1')", True),
    "sender": ({"sender": NICE}, "sender: 'oslo' (published by 'nice')", False),
    "intent": ({"intent": "i-7"}, "intent: 'i-1' (published under 'i-7')", False),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_what_it_says_is_buried_with_a_typed_reason_counted_and_the_rest_goes_on(reason: str) -> None:
    changes, said, is_told = REFUSED[reason]

    async def run() -> None:
        links = await Links.between(LYON, OSLO)
        heard: list[str] = []

        async def handle(message: PeerMessage, received: Received) -> None:
            heard.append(message.intent)

        before = refusals(reason)
        await tell(links, wake(1), **changes)
        await tell(links, wake(2))
        async with reading(links, handle):
            await asyncio.sleep(1)
        assert heard == ["i-2"]
        (letter,) = await buried(links)
        assert letter.reason.startswith(f"{reason}: {said}")
        assert letter.payload == ""  # a peer's message may hold manifests
        assert refusals(reason) == before + 1
        if is_told:
            (refuse,) = await told(links)
            assert (refuse.sender, refuse.intent, refuse.what) == (LYON, "i-1", "wake")
            assert refuse.reason == letter.reason
            assert "wake/v1" in refuse.speaks
        else:
            assert await told(links) == []

    run_virtually(run())


@virtually
async def test_a_message_for_another_site_is_not_handled() -> None:
    links = await Links.between(LYON, OSLO)
    await tell(links, wake(1, receiver=NICE))
    async with reading(links, _never):
        await asyncio.sleep(1)
    assert [one.reason for one in await buried(links)] == ["receiver: receiver: 'nice' (published to 'lyon')"]


@virtually
async def test_a_refusal_that_cannot_be_read_is_not_answered_with_another() -> None:
    links = await Links.between(LYON, OSLO)
    await tell(links, wake(1), what="refuse")
    async with reading(links, _never):
        await asyncio.sleep(1)
    assert len(await buried(links)) == 1
    assert await told(links) == []


@virtually
async def test_a_message_that_ends_the_resolver_each_time_is_buried_in_the_end() -> None:
    links = await Links.between(LYON, OSLO)
    taken = 0

    async def crash(message: PeerMessage, received: Received) -> None:
        nonlocal taken
        taken += 1
        raise KeyError("a defect")

    await tell(links, wake(1))
    for _ in range(DELIVERIES_MAX):
        with pytest.raises(AssertionError, match="a defect"):
            async with reading(links, crash):
                await asyncio.sleep(10)
    async with reading(links, crash):
        await asyncio.sleep(10)
    assert taken == DELIVERIES_MAX
    assert [one.reason.partition(":")[0] for one in await buried(links)] == ["handled too often"]


async def _never(message: PeerMessage, received: Received) -> None:
    raise AssertionError("it must not be handed on")
