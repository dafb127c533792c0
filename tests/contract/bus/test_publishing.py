"""Storing: numbers, message ids, fences, sizes."""

from __future__ import annotations

import asyncio

import pytest

from schemas import subjects
from schemas.envelope import MESSAGE_BYTES_MAX
from services.chassis.bus.port import Bus
from services.chassis.bus.sizes import HEADER_LINE_BYTES
from services.chassis.bus.streams import DAY_S, HEADERS_BYTES_MAX, StreamDefinition
from services.chassis.errors import ConflictError, PermanentError, TransientError
from tests.contract.bus.words import ALL_INTENTS, EVENT, LYON, OSLO, store


async def test_each_message_gets_the_next_number_of_its_stream(bus: Bus) -> None:
    assert [await store(bus, EVENT) for _ in range(3)] == [1, 2, 3]
    assert await store(bus, subjects.intent(LYON, "a")) == 1


async def test_the_same_message_id_stores_nothing_new_and_returns_the_first_number(bus: Bus) -> None:
    first = await bus.publish(EVENT, b"one", message_id="x")
    await store(bus, EVENT)
    assert await bus.publish(EVENT, b"one", message_id="x") == first
    assert [one.payload async for one in bus.scan("EVENTS", EVENT)] == [b"one", b"{}"]


async def test_who_repeats_a_fenced_publish_conflicts_with_his_own_message_and_finds_it_last(bus: Bus) -> None:
    await bus.publish(EVENT, b"one", message_id="x", expected_last_seq=0)
    with pytest.raises(ConflictError):
        await bus.publish(EVENT, b"one", message_id="x", expected_last_seq=0)
    last = await bus.last("EVENTS", EVENT)
    assert last is not None
    assert (last.payload, last.stream_seq) == (b"one", 1)
    assert await bus.publish(EVENT, b"one", message_id="x", expected_last_seq=1) == 1


async def test_a_fence_lets_the_publisher_pass_who_knows_the_last_number_of_the_subject(bus: Bus) -> None:
    first = await store(bus, EVENT, expected_last_seq=0)
    await store(bus, subjects.event(OSLO))
    assert await store(bus, EVENT, expected_last_seq=first) == 3


async def test_of_rules_the_last_word_of_each_site_is_kept_and_no_other(bus: Bus) -> None:
    for payload in (b"one", b"two"):
        await bus.publish(subjects.rules(LYON), payload, message_id=payload.decode())
        await bus.publish(subjects.rules(OSLO), payload, message_id=f"{payload.decode()}-oslo")
    kept = [(one.subject, one.payload) async for one in bus.scan("RULES", subjects.filters("RULES"))]
    assert kept == [(subjects.rules(LYON), b"two"), (subjects.rules(OSLO), b"two")]


@pytest.mark.parametrize("believed", [0, 2, 7])
async def test_a_fence_stops_whoever_believes_in_another_number(bus: Bus, believed: int) -> None:
    await store(bus, EVENT)
    with pytest.raises(ConflictError, match=r"cheops\.v1\.event\.lyon"):
        await store(bus, EVENT, expected_last_seq=believed)
    assert len([one async for one in bus.scan("EVENTS", EVENT)]) == 1


async def test_a_fence_may_span_the_subjects_of_a_filter(bus: Bus) -> None:
    span = subjects.filters("VERDICTS", LYON)
    first = await store(bus, subjects.verdict(LYON, "allow", "a"), expected_last_seq=0, expected_subject=span)
    await store(bus, subjects.verdict(OSLO, "allow", "b"))
    second = await store(bus, subjects.verdict(LYON, "deny", "c"), expected_last_seq=first, expected_subject=span)
    with pytest.raises(ConflictError):
        await store(bus, subjects.verdict(LYON, "defer", "d"), expected_last_seq=first, expected_subject=span)
    assert second == 3


async def test_of_many_publishers_with_the_same_fence_one_passes(bus: Bus) -> None:
    results = await asyncio.gather(*(store(bus, EVENT, expected_last_seq=0) for _ in range(20)), return_exceptions=True)
    assert [one for one in results if isinstance(one, int)] == [1]
    assert sum(isinstance(one, ConflictError) for one in results) == 19


async def test_more_publishes_than_the_window_holds_are_all_stored_once(bus: Bus) -> None:
    numbers = await asyncio.gather(*(store(bus, EVENT, b"%d" % number) for number in range(1_000)))
    assert sorted(numbers) == list(range(1, 1_001))
    found = [one.payload async for one in bus.scan("EVENTS", EVENT)]
    assert sorted(found) == sorted(b"%d" % number for number in range(1_000))


async def test_the_largest_message_is_stored_whole_and_a_larger_one_refused_with_both_sizes(bus: Bus) -> None:
    await store(bus, EVENT, b"x" * MESSAGE_BYTES_MAX, headers={"ce-type": "io.cheops.event.v1"})
    with pytest.raises(PermanentError, match=f"{MESSAGE_BYTES_MAX + 1} bytes .*at most {MESSAGE_BYTES_MAX}"):
        await store(bus, EVENT, b"x" * (MESSAGE_BYTES_MAX + 1))
    last = await bus.last("EVENTS", EVENT)
    assert last is not None
    assert len(last.payload) == MESSAGE_BYTES_MAX
    assert bus.connected
    assert await store(bus, EVENT) == 2


async def test_headers_that_are_too_large_are_refused_and_the_connection_lives(bus: Bus) -> None:
    with pytest.raises(PermanentError, match=f"headers of .* bytes .*at most {HEADERS_BYTES_MAX}"):
        await store(bus, EVENT, headers={"traceparent": "x" * HEADERS_BYTES_MAX})
    used = len("traceparent") + len("Nats-Msg-Id") + 2 * HEADER_LINE_BYTES + len("m0000")
    assert await store(bus, EVENT, headers={"traceparent": "x" * (HEADERS_BYTES_MAX - used)}) == 1


async def test_headers_come_as_they_were_given_with_the_message_id(bus: Bus) -> None:
    given = {"ce-type": "io.cheops.event.v1", "ce-source": "watcher/lyon", "ce-id": "1", "traceparent": "00-1-2-03"}
    await bus.publish(EVENT, b"{}", message_id="x", headers=given)
    last = await bus.last("EVENTS", EVENT)
    scanned = [one async for one in bus.scan("EVENTS", EVENT)]
    assert last is not None
    assert dict(last.headers) == {**given, "Nats-Msg-Id": "x"}
    assert [dict(one.headers) for one in scanned] == [{**given, "Nats-Msg-Id": "x"}]


async def test_a_subject_that_no_stream_takes_is_an_error_that_says_so(bus: Bus) -> None:
    with pytest.raises(TransientError, match="no stream takes"):
        await store(bus, "cheops.v1.nobody.lyon")


async def test_a_full_stream_forgets_its_oldest_and_a_full_work_queue_refuses_the_new_one(bus: Bus) -> None:
    small = 64 * 1024
    await bus.ensure_stream(StreamDefinition("INTENTS", DAY_S, max_bytes=small))
    await bus.ensure_stream(StreamDefinition("OPERATIONS", DAY_S, max_bytes=small, work_queue=True))
    for number in range(4):
        await store(bus, subjects.intent(LYON, f"i{number}"), b"x" * 20_000)
    found = [one.subject async for one in bus.scan("INTENTS", ALL_INTENTS)]
    assert found[-1] == subjects.intent(LYON, "i3")
    assert subjects.intent(LYON, "i0") not in found
    for number in range(3):
        await store(bus, subjects.operation(LYON, "i", f"{number}"), b"x" * 20_000)
    with pytest.raises(TransientError, match="was not stored"):
        await store(bus, subjects.operation(LYON, "i", "3"), b"x" * 20_000)
    assert len([one async for one in bus.scan("OPERATIONS", subjects.filters("OPERATIONS"))]) == 3


async def test_making_the_streams_again_changes_nothing(bus: Bus) -> None:
    await store(bus, EVENT)
    await bus.ensure_stream(StreamDefinition("EVENTS", DAY_S))
    assert len([one async for one in bus.scan("EVENTS", EVENT)]) == 1
