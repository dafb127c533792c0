"""Reading a stream through, and its last message."""

from __future__ import annotations

import pytest

from schemas import subjects
from services.chassis.bus.port import Bus
from services.chassis.errors import NoStreamError, TransientError
from tests.contract.bus.words import ALL_INTENTS, EVENT, LYON, OSLO, store, store_intents


async def scanned(bus: Bus, start_seq: int = 1) -> list[tuple[int, str]]:
    found = [one async for one in bus.scan("INTENTS", ALL_INTENTS, start_seq)]
    return [(one.stream_seq, one.payload.decode()) for one in found]


async def test_a_scan_reads_everything_on_its_subjects_in_order(bus: Bus) -> None:
    await store(bus, subjects.intent(LYON, "a"), b"one")
    await store(bus, subjects.intent(OSLO, "b"), b"of another site")
    await store(bus, subjects.intent(LYON, "c"), b"two")
    assert await scanned(bus) == [(1, "one"), (3, "two")]
    assert await scanned(bus, 2) == [(3, "two")]
    assert await scanned(bus, 4) == []


async def test_a_scan_of_an_empty_stream_ends_at_once(bus: Bus) -> None:
    assert await scanned(bus) == []


async def test_a_scan_longer_than_a_batch_misses_and_repeats_nothing(bus: Bus) -> None:
    expected = await store_intents(bus, 2_500)
    assert await scanned(bus) == [(place + 1, body) for place, body in enumerate(expected)]
    assert [number for number, _ in await scanned(bus, 1_234)] == list(range(1_234, 2_501))


async def test_a_scan_ends_at_the_end_as_it_was_when_it_began(bus: Bus) -> None:
    await store_intents(bus, 3)
    found = []
    async for one in bus.scan("INTENTS", ALL_INTENTS):
        found.append(one.stream_seq)
        if len(found) < 10:
            await store(bus, subjects.intent(LYON, f"more{len(found)}"))
    assert found == [1, 2, 3]


async def test_a_scan_of_large_messages_comes_whole(bus: Bus) -> None:
    for number in range(7):
        await store(bus, EVENT, b"%d" % number + b" " * (7 * 1024 * 1024))
    found = [one.payload async for one in bus.scan("EVENTS", EVENT)]
    assert [one.split()[0] for one in found] == [b"%d" % number for number in range(7)]
    assert {len(one) for one in found} == {7 * 1024 * 1024 + 1}


async def test_a_scan_that_is_left_early_disturbs_nothing(bus: Bus) -> None:
    await store_intents(bus, 5)
    async for one in bus.scan("INTENTS", ALL_INTENTS):
        assert one.stream_seq == 1
        break
    assert len(await scanned(bus)) == 5


async def test_the_last_message_is_that_of_the_subject_or_of_the_filter(bus: Bus) -> None:
    assert await bus.last("INTENTS", ALL_INTENTS) is None
    await store(bus, subjects.intent(LYON, "a"), b"one")
    await store(bus, subjects.intent(LYON, "b"), b"two")
    await store(bus, subjects.intent(OSLO, "c"), b"three")
    one, two = await bus.last("INTENTS", subjects.intent(LYON, "a")), await bus.last("INTENTS", ALL_INTENTS)
    assert one is not None
    assert two is not None
    assert (one.payload, one.stream_seq, two.payload, two.stream_seq) == (b"one", 1, b"two", 2)


async def test_the_last_messages_of_many_subjects_come_at_one_go(bus: Bus) -> None:
    asked = [subjects.intent(LYON, name) for name in ("a", "b", "c")]
    assert await bus.last_of_each("INTENTS", asked) == {}
    for name, payload in (("b", b"one"), ("a", b"two"), ("b", b"three"), ("d", b"four")):
        await store(bus, subjects.intent(LYON, name), payload)
    found = await bus.last_of_each("INTENTS", asked)
    assert {one.subject: (one.payload, one.stream_seq) for one in found.values()} == {
        asked[0]: (b"two", 2),
        asked[1]: (b"three", 3),
    }
    assert found == {name: one for name in asked if (one := await bus.last("INTENTS", name)) is not None}
    assert await bus.last_of_each("INTENTS", []) == {}


async def test_last_messages_that_are_too_much_for_one_go_are_all_there_or_an_error(bus: Bus) -> None:
    asked = [subjects.intent(LYON, f"{number}") for number in range(4)]
    for number, name in enumerate(asked):
        await store(bus, name, b"%d " % number + b"x" * (7 * 1024 * 1024 - 2))
    try:
        found = await bus.last_of_each("INTENTS", asked)
    except TransientError:  # then each is asked for
        found = {name: one for name in asked if (one := await bus.last("INTENTS", name)) is not None}
    assert [found[name].payload[:2] for name in asked] == [b"0 ", b"1 ", b"2 ", b"3 "]


HOSTILE_HEADERS = {
    "ends": {"Status": "204"},
    "fails": {"Status": "500", "Description": "no"},
    "another": {"Nats-Subject": "x", "Nats-Sequence": "x", "Nats-Stream": "x", "Nats-Time-Stamp": "x"},
    "none to come": {"Nats-Num-Pending": "0", "Nats-UpTo-Sequence": "1"},
}


async def test_a_message_whose_headers_look_like_the_servers_word_is_read_like_any_other(bus: Bus) -> None:
    """A publisher gives it what headers he likes. A resolver did not start any more with one of them in a stream."""
    for place, headers in enumerate(HOSTILE_HEADERS.values()):
        made = {"message_id": f"id{place}", "headers": headers}
        await bus.publish(subjects.intent(LYON, f"{place}"), b"%d" % place, **made)  # type: ignore[arg-type]
    await store(bus, subjects.intent(LYON, "fine"), b"fine")
    expected = [(place + 1, f"{place}") for place in range(len(HOSTILE_HEADERS))]
    assert await scanned(bus) == [*expected, (len(expected) + 1, "fine")]
    asked = [subjects.intent(LYON, f"{place}") for place in range(len(HOSTILE_HEADERS))]
    found = await bus.last_of_each("INTENTS", asked)
    assert [found[one].payload for one in asked] == [b"%d" % place for place in range(len(HOSTILE_HEADERS))]
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS)
    assert len(await reader.fetch(10, 1.0)) == len(expected) + 1


async def test_a_stream_that_is_not_there_is_an_error_that_names_it(bus: Bus) -> None:
    with pytest.raises(NoStreamError, match="there is no stream INBOX"):
        await bus.last("INBOX", subjects.filters("INBOX", LYON))
    with pytest.raises(NoStreamError, match="there is no stream INBOX"):
        _ = [one async for one in bus.scan("INBOX", subjects.filters("INBOX", LYON))]
