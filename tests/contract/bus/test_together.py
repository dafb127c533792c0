"""Several messages stored in one round trip: in order, all of them or none."""

from __future__ import annotations

import asyncio

import pytest

from schemas import subjects
from schemas.envelope import MESSAGE_BYTES_MAX
from services.chassis.bus.port import Bus, ToStore
from services.chassis.bus.streams import DAY_S, StreamDefinition, ensure_streams
from services.chassis.errors import ConflictError, PermanentError, TransientError
from tests.contract.bus.words import LYON, OSLO, bodies, store, take

INBOX, TO_LYON = subjects.inbox_stream(LYON), subjects.filters("INBOX", LYON)


@pytest.fixture
async def lyon(bus: Bus) -> Bus:
    await ensure_streams(bus, LYON)
    return bus


def messages(first: int, last: int, body: bytes = b"") -> list[ToStore]:
    """Of oslo to lyon, about different intents, each with its number."""
    return [
        ToStore(
            subjects.peer(LYON, OSLO, "ask", f"i-{number % 7}"),
            body or b"%d" % number,
            f"oslo.{number}",
            {"ce-id": f"oslo.{number}"},
        )
        for number in range(first, last)
    ]


async def stored(bus: Bus) -> list[str]:
    return [one.payload.decode() async for one in bus.scan(INBOX, TO_LYON)]


async def test_messages_are_stored_in_their_order_with_their_headers_and_nothing_added(lyon: Bus) -> None:
    await lyon.publish_together(messages(0, 64))
    assert await stored(lyon) == [str(number) for number in range(64)]
    given = {"ce-id": "oslo.63", "Nats-Msg-Id": "oslo.63"}
    last = await lyon.last(INBOX, TO_LYON)
    (first, *_) = await take(await lyon.reader(INBOX, "r", TO_LYON), 64)
    scanned = [one async for one in lyon.scan(INBOX, TO_LYON)]
    assert last is not None
    assert dict(last.headers) == dict(scanned[-1].headers) == given
    assert first.message.headers == {"ce-id": "oslo.0", "Nats-Msg-Id": "oslo.0"}


async def test_who_repeats_them_all_learns_that_they_are_there(lyon: Bus) -> None:
    await lyon.publish_together(messages(0, 3))
    with pytest.raises(ConflictError):
        await lyon.publish_together(messages(0, 3))
    assert await stored(lyon) == ["0", "1", "2"]


async def test_with_one_that_is_known_none_is_stored(lyon: Bus) -> None:
    one = messages(1, 2)[0]
    await lyon.publish(one.subject, one.payload, message_id=one.message_id)
    with pytest.raises(ConflictError):
        await lyon.publish_together(messages(0, 3))
    assert await stored(lyon) == ["1"]
    for each in messages(0, 3):  # one by one only the new ones are taken
        await lyon.publish(each.subject, each.payload, message_id=each.message_id)
    assert await stored(lyon) == ["1", "0", "2"]


async def test_one_that_is_stored_alone_is_known_when_it_comes_again(lyon: Bus) -> None:
    await lyon.publish_together(messages(0, 1))
    one = messages(0, 1)[0]
    assert await lyon.publish(one.subject, one.payload, message_id=one.message_id) == 1


async def test_with_one_that_is_too_large_none_is_stored(lyon: Bus) -> None:
    with pytest.raises(PermanentError):
        await lyon.publish_together([*messages(0, 2), *messages(2, 3, b"x" * (MESSAGE_BYTES_MAX + 1))])
    assert await stored(lyon) == []


async def test_when_there_is_not_room_for_all_none_is_stored(lyon: Bus) -> None:
    taken = subjects.inbox_subjects(LYON)
    await lyon.ensure_stream(StreamDefinition(INBOX, DAY_S, 64 * 1024, work_queue=True, bound=taken))
    await lyon.publish_together(messages(0, 2, b"x" * 20_000))
    with pytest.raises(TransientError):
        await lyon.publish_together(messages(2, 5, b"x" * 20_000))
    assert len(await stored(lyon)) == 2


async def test_the_number_of_the_last_one_comes_back_and_is_the_next_fence(lyon: Bus) -> None:
    assert await lyon.publish_together(messages(0, 3), expected_last_seq=0, expected_subject=TO_LYON) == 3
    assert await lyon.publish_together(messages(3, 4), expected_last_seq=3, expected_subject=TO_LYON) == 4
    assert await lyon.publish_together(messages(4, 9), expected_last_seq=4, expected_subject=TO_LYON) == 9


@pytest.mark.parametrize("believed", [0, 2, 7])
async def test_of_who_believes_in_another_number_none_is_stored(lyon: Bus, believed: int) -> None:
    await lyon.publish_together(messages(0, 3))
    with pytest.raises(ConflictError):
        await lyon.publish_together(messages(3, 6), expected_last_seq=believed, expected_subject=TO_LYON)
    assert await stored(lyon) == ["0", "1", "2"]


async def test_of_many_batches_with_the_same_fence_one_passes_whole(lyon: Bus) -> None:
    batches = [messages(first, first + 4) for first in range(0, 40, 4)]
    fenced = (lyon.publish_together(one, expected_last_seq=0, expected_subject=TO_LYON) for one in batches)
    results = await asyncio.gather(*fenced, return_exceptions=True)
    assert [one for one in results if isinstance(one, int)] == [4]
    assert sum(isinstance(one, ConflictError) for one in results) == 9
    assert len(await stored(lyon)) == 4


async def test_with_an_id_twice_among_them_none_is_stored(lyon: Bus) -> None:
    with pytest.raises(ConflictError):
        await lyon.publish_together([*messages(0, 2), *messages(1, 3)])
    assert await stored(lyon) == []


def _own_fence(number: int, seq: int) -> ToStore:
    return ToStore(subjects.peer(LYON, OSLO, "ask", f"j-{number}"), b"", f"j.{number}.{seq}", {}, seq)


async def test_each_may_have_a_fence_on_its_own_subject(lyon: Bus) -> None:
    assert await lyon.publish_together([_own_fence(number, 0) for number in range(3)]) == 3
    assert await lyon.publish_together([_own_fence(number, number + 1) for number in range(3)]) == 6
    with pytest.raises(ConflictError):
        await lyon.publish_together([_own_fence(0, 4), _own_fence(1, 2), _own_fence(2, 6)])
    assert len(await stored(lyon)) == 6


async def test_what_no_stream_takes_is_an_error_at_once(bus: Bus) -> None:
    with pytest.raises(TransientError, match="no stream takes"):
        await bus.publish_together(messages(0, 2))


async def test_a_scan_ends_at_its_limit(lyon: Bus) -> None:
    await lyon.publish_together(messages(0, 9))
    assert [one.payload async for one in lyon.scan(INBOX, TO_LYON, 3, limit=4)] == [b"2", b"3", b"4", b"5"]
    assert bodies(await take(await lyon.reader(INBOX, "r", TO_LYON), 1)) == ["0"]
    await store(lyon, subjects.peer(LYON, OSLO, "ask", "i-1"), b"9")
    assert len([one async for one in lyon.scan(INBOX, TO_LYON, 1, limit=100)]) == 10
