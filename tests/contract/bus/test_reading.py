"""Durable readers: acknowledge, retry, terminate, extend, start somewhere, share."""

from __future__ import annotations

import asyncio

import pytest

from schemas import subjects
from services.chassis.bus.port import Bus, Reader
from services.chassis.errors import NoStreamError
from tests.contract.bus.words import (
    ALL_INTENTS,
    EVENT,
    LYON,
    OSLO,
    QUIET_S,
    WAIT_S,
    bodies,
    store,
    store_intents,
    take,
)

OPERATIONS = subjects.filters("OPERATIONS", LYON)
SHORT_S = 1.0  # ack_wait
WITNESS = b"witness"


async def assert_nothing_else_comes_again(bus: Bus, reader: Reader) -> None:
    """A time to acknowledge has passed: a witness that nobody acknowledged has come again, and nothing before it."""
    await store(bus, subjects.intent(LYON, "witness"), WITNESS)
    for deliveries in (1, 2):
        (witness,) = await take(reader, 1)
        assert (witness.message.payload, witness.message.deliveries) == (WITNESS, deliveries)
    await witness.ack()


async def test_messages_come_in_order_with_number_subject_headers_and_first_delivery(bus: Bus) -> None:
    await store(bus, subjects.intent(LYON, "a"), b"one", headers={"ce-id": "1"})
    await store(bus, subjects.intent(OSLO, "b"), b"of another site")
    await store(bus, subjects.intent(LYON, "c"), b"two")
    found = await take(await bus.reader("INTENTS", "r", ALL_INTENTS), 2)
    assert bodies(found) == ["one", "two"]
    first = found[0].message
    assert (first.stream_seq, first.deliveries, first.subject) == (1, 1, subjects.intent(LYON, "a"))
    assert first.headers["ce-id"] == "1"
    assert found[1].message.stream_seq == 3


async def test_a_fetch_returns_nothing_when_nothing_comes_in_time(bus: Bus) -> None:
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS)
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    assert await reader.fetch(5, QUIET_S) == []
    assert loop.time() - begun_s >= QUIET_S * 0.9


async def test_a_waiting_fetch_returns_as_soon_as_something_is_stored(bus: Bus) -> None:
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS)
    waiting = asyncio.create_task(reader.fetch(10, WAIT_S))
    assert await bus.last("INTENTS", subjects.intent(LYON, "a")) is None  # asked after it, and answered
    assert not waiting.done()
    await store(bus, subjects.intent(LYON, "a"), b"one")
    async with asyncio.timeout(5):  # not after the whole wait, not when a request expires
        assert bodies(await waiting) == ["one"]


async def test_a_fetch_never_gives_more_than_its_limit(bus: Bus) -> None:
    await store_intents(bus, 10)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS)
    assert len(await reader.fetch(3, WAIT_S)) <= 3
    assert len(await reader.fetch(1, WAIT_S)) == 1


async def test_a_cancelled_fetch_loses_nothing(bus: Bus) -> None:
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS)
    for number in range(20):
        waiting = asyncio.create_task(reader.fetch(1, WAIT_S))
        storing = asyncio.create_task(store(bus, subjects.intent(LYON, f"{number}"), b"%d" % number))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting, storing})
        for delivery in waiting.result() if not waiting.cancelled() else await take(reader, 1):
            assert bodies([delivery]) == [str(number)]
            await delivery.ack()


async def test_what_was_acknowledged_never_comes_again_and_the_rest_does(bus: Bus) -> None:
    await store_intents(bus, 3)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=SHORT_S)
    first, _, third = await take(reader, 3)
    await first.ack()
    await third.ack()
    again = await take(reader, 1)
    assert bodies(again) == ["1"]
    assert again[0].message.deliveries == 2
    await again[0].ack()
    await assert_nothing_else_comes_again(bus, reader)


async def test_an_acknowledgement_that_nobody_waits_for_settles_as_well(bus: Bus) -> None:
    for number in range(3):
        await store(bus, subjects.operation(LYON, "i", f"{number}"), b"%d" % number)
    reader = await bus.reader("OPERATIONS", "executor-lyon", OPERATIONS, ack_wait_s=SHORT_S)
    first, _, third = await take(reader, 3)
    await first.ack_unconfirmed()
    await third.ack_unconfirmed()
    again = await take(reader, 1)
    assert bodies(again) == ["1"]
    await again[0].ack()  # words are taken in their order, so those before it have been heard
    assert [one async for one in bus.scan("OPERATIONS", OPERATIONS)] == []


async def test_retry_brings_it_again_after_its_delay_and_not_before(bus: Bus) -> None:
    await store_intents(bus, 1)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS)
    await (await take(reader, 1))[0].retry()
    second = (await take(reader, 1))[0]
    assert second.message.deliveries == 2
    await second.retry(delay_s=1.0)
    begun_s = asyncio.get_running_loop().time()
    third = (await take(reader, 1))[0]
    assert third.message.deliveries == 3
    assert asyncio.get_running_loop().time() - begun_s > 0.8


async def test_what_was_terminated_never_comes_again(bus: Bus) -> None:
    await store_intents(bus, 1)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=SHORT_S)
    await (await take(reader, 1))[0].terminate("not an intent:\r\nline two\0")
    await assert_nothing_else_comes_again(bus, reader)


async def test_extending_restarts_the_timer(bus: Bus) -> None:
    """A witness that nobody extends comes again twice meanwhile."""
    await store_intents(bus, 2)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=SHORT_S)
    held, _ = await take(reader, 2)
    for deliveries in (2, 3):
        while not (again := await reader.fetch(1, SHORT_S / 4)):
            await held.extend()
        await held.extend()
        assert (bodies(again), again[0].message.deliveries) == (["1"], deliveries)
    await held.ack()
    await again[0].ack()
    await assert_nothing_else_comes_again(bus, reader)


async def test_after_its_last_delivery_a_message_is_given_up_and_stays_in_the_stream(bus: Bus) -> None:
    await store_intents(bus, 1)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=0.3, deliveries_max=2)
    assert [one.message.deliveries for one in await take(reader, 2)] == [1, 2]
    await assert_nothing_else_comes_again(bus, reader)
    assert [one.payload async for one in bus.scan("INTENTS", ALL_INTENTS)] == [b"0", WITNESS]


async def test_one_acknowledgement_settles_all_before_it_where_the_reader_says_so(bus: Bus) -> None:
    for number in range(5):
        await store(bus, EVENT, b"%d" % number)
    reader = await bus.reader("EVENTS", "r", EVENT, ack="all", ack_wait_s=SHORT_S)
    found = await take(reader, 5)
    await reader.ack_all(found[3])
    assert bodies(await take(reader, 1)) == ["4"]


async def test_a_work_queue_forgets_what_was_handled_and_keeps_what_was_not(bus: Bus) -> None:
    for number in range(3):
        await store(bus, subjects.operation(LYON, "i", f"{number}"), b"%d" % number)
    reader = await bus.reader("OPERATIONS", "executor-lyon", OPERATIONS)
    first, second, _ = await take(reader, 3)
    await first.ack()
    await second.terminate("poison")
    assert [one.payload async for one in bus.scan("OPERATIONS", OPERATIONS)] == [b"2"]


async def test_a_durable_reader_goes_on_where_it_was(bus: Bus) -> None:
    await store_intents(bus, 4)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS)
    for delivery in await take(reader, 2):
        await delivery.ack()
    await reader.close()
    assert bodies(await take(await bus.reader("INTENTS", "r", ALL_INTENTS), 2)) == ["2", "3"]


async def test_what_was_fetched_ahead_and_given_to_nobody_goes_to_the_next_reader_at_once(bus: Bus) -> None:
    await store_intents(bus, 10)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=600)
    first = await take(reader, 1)
    await first[0].ack()
    waiting = asyncio.create_task(reader.fetch(8, WAIT_S))
    given = await waiting
    await reader.close()
    rest = await take(await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=600), 9 - len(given))
    assert sorted(bodies(given) + bodies(rest), key=int) == [str(number) for number in range(1, 10)]


async def test_what_is_on_its_way_to_a_reader_that_closes_goes_to_the_next_one_at_once(bus: Bus) -> None:
    many, large = 100, b"x" * 20_000  # more than comes in one piece
    for number in range(many):
        await store(bus, subjects.intent(LYON, f"i-{number}"), large)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=600)
    given = await reader.fetch(many, WAIT_S)
    await reader.close()
    rest = await take(await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=600), many - len(given))
    assert len({one.message.subject for one in (*given, *rest)}) == many


async def test_a_reader_may_start_at_a_number_or_with_what_comes_now_and_forgets_where_it_was(bus: Bus) -> None:
    await store_intents(bus, 5)
    assert bodies(await take(await bus.reader("INTENTS", "r", ALL_INTENTS, start_seq=4), 2)) == ["3", "4"]
    assert bodies(await take(await bus.reader("INTENTS", "r", ALL_INTENTS, start_seq=2), 4)) == ["1", "2", "3", "4"]
    late = await bus.reader("INTENTS", "r", ALL_INTENTS, new_only=True)
    await store(bus, subjects.intent(LYON, "new"), b"new")
    assert bodies(await take(late, 1)) == ["new"]


async def test_a_reader_says_whether_somebody_has_made_its_consumer_anew(bus: Bus) -> None:
    first = await bus.reader("INTENTS", "r", ALL_INTENTS)
    shared = await bus.reader("INTENTS", "r", ALL_INTENTS)
    assert (await first.is_replaced(), await shared.is_replaced()) == (False, False)
    second = await bus.reader("INTENTS", "r", ALL_INTENTS, start_seq=1)
    assert (await first.is_replaced(), await second.is_replaced()) == (True, False)


async def test_a_start_beyond_the_end_waits_for_that_number(bus: Bus) -> None:
    await store_intents(bus, 2)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS, start_seq=4)
    await store(bus, subjects.intent(LYON, "x"), b"third")
    await store(bus, subjects.intent(LYON, "y"), b"fourth")
    assert bodies(await take(reader, 1)) == ["fourth"]


async def test_a_changed_configuration_is_applied_and_the_place_kept(bus: Bus) -> None:
    await store_intents(bus, 2)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=600)
    await (await take(reader, 1))[0].ack()
    await reader.close()
    changed = await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=0.3)
    assert [one.message.deliveries for one in await take(changed, 2)] == [1, 2]


async def test_two_readers_of_one_durable_share_its_messages(bus: Bus) -> None:
    first = await bus.reader("INTENTS", "r", ALL_INTENTS)
    second = await bus.reader("INTENTS", "r", ALL_INTENTS)
    found: list[str] = []

    async def work(reader: object) -> None:
        while len(found) < 40:
            for delivery in await reader.fetch(1, QUIET_S):  # type: ignore[attr-defined]
                found.extend(bodies([delivery]))
                await delivery.ack()

    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(work(first))
        tasks.create_task(work(second))
        expected = await store_intents(bus, 40)
    assert sorted(found, key=int) == expected


async def test_two_durables_each_get_everything(bus: Bus) -> None:
    expected = await store_intents(bus, 3)
    for name in ("one", "two"):
        assert bodies(await take(await bus.reader("INTENTS", name, ALL_INTENTS), 3)) == expected


async def test_a_reader_of_a_stream_that_is_not_there_is_an_error_that_names_it(bus: Bus) -> None:
    with pytest.raises(NoStreamError, match="there is no stream INBOX"):
        await bus.reader("INBOX", "r", subjects.filters("INBOX", LYON))


async def test_a_reader_takes_more_bytes_in_its_life_than_the_client_buffers(bus: Bus) -> None:
    """nats-py drops what comes after 128 MiB when a reader does not give its buffer back."""
    reader = await bus.reader("EVENTS", "r", EVENT)
    for number in range(24):
        await store(bus, EVENT, b"%d" % number + b" " * (6 * 1024 * 1024))
        delivery = (await take(reader, 1))[0]
        assert delivery.message.payload.split()[0] == b"%d" % number
        await delivery.ack()
