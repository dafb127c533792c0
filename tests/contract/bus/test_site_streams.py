"""INBOX and OUTBOX of a site: what they take, what they leave alone, and the order that reading one by one keeps."""

from __future__ import annotations

import pytest

from schemas import subjects
from services.chassis.bus.port import Bus, Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import TransientError
from tests.contract.bus.words import LYON, OSLO, WAIT_S, bodies, nothing, store, take

INBOX, OUTBOX = subjects.inbox_stream(LYON), subjects.outbox_stream(LYON)
TO_LYON = subjects.filters("INBOX", LYON)
SHORT_S = 1.0  # ack_wait


@pytest.fixture
async def joined(bus: Bus) -> Bus:
    """One server that two sites share."""
    await ensure_streams(bus, LYON)
    await ensure_streams(bus, OSLO)
    return bus


@pytest.mark.parametrize("what", subjects.PEER_STORED)
async def test_what_must_not_be_lost_is_stored_at_the_site_it_is_meant_for(joined: Bus, what: str) -> None:
    subject = subjects.peer(LYON, OSLO, what, "i-1")
    await store(joined, subject, b"to lyon")
    await store(joined, subjects.peer(OSLO, LYON, what, "i-1"), b"to oslo")
    found = [one async for one in joined.scan(INBOX, TO_LYON)]
    assert [(one.subject, one.payload) for one in found] == [(subject, b"to lyon")]


@pytest.mark.parametrize("what", subjects.PEER_ASKED)
async def test_a_question_between_sites_is_answered_by_who_serves_it_and_never_by_a_stream(
    joined: Bus, what: str
) -> None:
    async def answer(received: Received) -> bytes:
        return b"the answer"

    async with joined.serve(subjects.peer_filter(LYON, what), answer, name="resolver"):
        reply = await joined.request(subjects.peer(LYON, OSLO, what, "1"), b"", WAIT_S)
    assert reply.payload == b"the answer"
    assert [one async for one in joined.scan(INBOX, TO_LYON)] == []


async def test_a_message_to_a_site_that_nobody_here_reaches_is_refused_at_once(bus: Bus) -> None:
    await ensure_streams(bus, LYON)
    with pytest.raises(TransientError, match="no stream takes"):
        await store(bus, subjects.peer(OSLO, LYON, "ask", "i-1"), timeout_s=WAIT_S)


async def test_what_is_handled_is_gone_from_an_inbox(joined: Bus) -> None:
    await store(joined, subjects.peer(LYON, OSLO, "ask", "i-1"), b"one")
    reader = await joined.reader(INBOX, "r", TO_LYON)
    (delivery,) = await take(reader, 1)
    await delivery.ack()
    assert [one async for one in joined.scan(INBOX, TO_LYON)] == []


async def test_each_peer_has_a_reader_of_its_own_on_the_outbox(joined: Bus) -> None:
    for to, body in ((OSLO, b"1"), (LYON, b"2"), (OSLO, b"3")):
        await store(joined, subjects.outbox(LYON, to, "ask", f"i-{body.decode()}"), body)
    oslo = await joined.reader(OUTBOX, "courier-oslo", subjects.outbox_filter(LYON, OSLO))
    lyon = await joined.reader(OUTBOX, "courier-lyon", subjects.outbox_filter(LYON, LYON))
    assert bodies(await take(oslo, 2)) == ["1", "3"]
    assert bodies(await take(lyon, 1)) == ["2"]


async def test_a_reader_of_one_at_a_time_gets_nothing_newer_while_one_waits_for_its_answer(joined: Bus) -> None:
    for body in (b"1", b"2"):
        await store(joined, subjects.outbox(LYON, OSLO, "ask", f"i-{body.decode()}"), body)
    reader = await joined.reader(OUTBOX, "r", subjects.outbox_filter(LYON, OSLO), pending_max=1)
    (first,) = await take(reader, 1)
    assert await nothing(reader)
    await first.ack()
    assert bodies(await take(reader, 1)) == ["2"]


async def test_what_a_killed_reader_of_one_at_a_time_had_taken_comes_again_before_anything_newer(joined: Bus) -> None:
    for body in (b"1", b"2"):
        await store(joined, subjects.outbox(LYON, OSLO, "ask", f"i-{body.decode()}"), body)
    only = subjects.outbox_filter(LYON, OSLO)
    killed = await joined.reader(OUTBOX, "r", only, pending_max=1, ack_wait_s=SHORT_S)
    await take(killed, 1)
    again = await joined.reader(OUTBOX, "r", only, pending_max=1, ack_wait_s=SHORT_S)
    for body in ("1", "2"):
        (delivery,) = await take(again, 1)
        assert bodies([delivery]) == [body]
        await delivery.ack()
