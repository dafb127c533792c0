"""What happens now: emit, subscribe; and the end of a bus."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from schemas import subjects
from services.chassis.bus.mailbox import MAILBOX_MAX
from services.chassis.bus.port import Bus
from services.chassis.errors import ConflictError, TransientError
from tests.contract.bus.words import EVENT, LYON, OSLO, WAIT_S, store

BEAT = subjects.heartbeat(LYON)


async def test_a_subscriber_hears_what_is_emitted_and_what_is_stored(bus: Bus) -> None:
    async with bus.subscribe("cheops.v1.*.lyon") as messages, asyncio.timeout(WAIT_S):
        await bus.emit(subjects.heartbeat(OSLO), b"not this")
        await bus.emit(BEAT, b"beat", {"ce-id": "1"})
        await store(bus, EVENT, b"event")
        first, second = await anext(messages), await anext(messages)
    assert (first.subject, first.payload, first.headers, first.stream_seq) == (BEAT, b"beat", {"ce-id": "1"}, 0)
    assert (second.subject, second.payload) == (EVENT, b"event")


async def test_a_subscriber_hears_nothing_of_before_and_every_subscriber_everything_of_now(bus: Bus) -> None:
    await bus.emit(BEAT, b"before")
    async with bus.subscribe(BEAT) as one, bus.subscribe("cheops.v1.heartbeat.>") as two, asyncio.timeout(WAIT_S):
        await bus.emit(BEAT, b"now")
        assert (await anext(one)).payload == (await anext(two)).payload == b"now"


async def test_what_is_emitted_on_the_subject_of_a_stream_is_stored_as_well_and_moves_its_fence(bus: Bus) -> None:
    await store(bus, EVENT, b"stored")
    await bus.emit(EVENT, b"emitted")
    await store(bus, subjects.event(OSLO), b"after it")  # no answer tells of the one before: the stream keeps an order
    assert [one.payload async for one in bus.scan("EVENTS", EVENT)] == [b"stored", b"emitted"]
    with pytest.raises(ConflictError):
        await store(bus, EVENT, expected_last_seq=1)


async def test_a_slow_subscriber_loses_the_oldest_keeps_the_newest_and_it_is_counted(bus: Bus) -> None:
    with capture_logs() as logs:
        async with bus.subscribe(BEAT) as slow, bus.subscribe("cheops.v1.heartbeat.end") as end:
            async with asyncio.timeout(WAIT_S):
                for number in range(MAILBOX_MAX + 50):
                    await bus.emit(BEAT, b"%d" % number)
                await bus.emit("cheops.v1.heartbeat.end", b"")
                await anext(end)
                assert (await anext(slow)).payload == b"50"
    assert [one["dropped"] for one in logs if "dropped" in one] == [50]


async def test_who_gives_up_while_subscribing_leaves_a_bus_that_works(bus: Bus) -> None:
    async def listen() -> None:
        async with bus.subscribe(BEAT):
            await asyncio.Event().wait()

    for steps in range(12):  # whatever it waits for just then: the server's word as well
        listening = asyncio.create_task(listen())
        for _ in range(steps):
            await asyncio.sleep(0)
        listening.cancel()
        await asyncio.wait({listening})
    async with bus.subscribe(BEAT) as messages, asyncio.timeout(WAIT_S):
        await bus.emit(BEAT, b"heard")
        assert (await anext(messages)).payload == b"heard"


async def test_closing_ends_the_subscriptions_and_every_later_use_says_so(bus: Bus) -> None:
    async with bus.subscribe(BEAT) as messages:
        await bus.emit(BEAT, b"last")
        async with asyncio.timeout(WAIT_S):
            assert (await anext(messages)).payload == b"last"
            await bus.close()
            assert [one async for one in messages] == []
    assert not bus.connected
    with pytest.raises(TransientError, match="the bus is closed"):
        await bus.emit(BEAT, b"")
    with pytest.raises(TransientError, match="the bus is closed"):
        await store(bus, EVENT)
    await bus.close()
