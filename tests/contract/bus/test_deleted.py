"""A consumer, or a stream, that somebody deletes while it is in use: who reads goes on, and nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext
from structlog.testing import capture_logs

from cheops.sandbox.natsserver import NatsServer
from services.chassis.bus import nats
from services.chassis.bus.nats.adapter import NatsBus
from services.chassis.bus.port import Reader
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import NoStreamError, TransientError
from tests.contract.bus.words import ALL_INTENTS, EVENT, LYON, WAIT_S, bodies, store, store_intents
from tests.kit.waiting import eventually

LOST = "a consumer was deleted, it is made anew"


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[NatsBus]:
    async with NatsServer(tmp_path / "nats", "lyon", sync="2m") as server:
        made = await nats.connect(server.url, name="contract")
        await ensure_streams(made)
        yield made
        await made.close()


def jetstream(bus: NatsBus) -> JetStreamContext:
    """As an administrator would."""
    return bus._link.js


async def persist(reader: Reader, wanted: set[str]) -> list[str]:
    """What is fetched until all of these have come."""
    found: list[str] = []

    async def complete() -> bool:
        with suppress(TransientError):
            deliveries = await reader.fetch(10, 0.5)
            found.extend(bodies(deliveries))
            for one in deliveries:
                await one.ack_unconfirmed()
        return wanted <= set(found)

    await eventually(complete, lambda: f"of {wanted} came {found}", WAIT_S)
    return found


async def test_a_reader_whose_consumer_was_deleted_goes_on_and_says_so_once(bus: NatsBus) -> None:
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS)
    sent = {*await store_intents(bus, 3)}
    await persist(reader, sent)
    await jetstream(bus).delete_consumer("INTENTS", "r")
    await bus.publish("cheops.v1.intent.lyon.later", b"later", message_id="later")
    with capture_logs() as logs:
        await persist(reader, {"later"})
    assert [one["event"] for one in logs].count(LOST) == 1
    assert not await reader.is_replaced()


async def test_a_reader_of_events_goes_on_behind_the_last_that_it_was_given(bus: NatsBus) -> None:
    for number in range(4):
        await store(bus, EVENT, b"%d" % number)
    reader = await bus.reader("EVENTS", "r", EVENT, start_seq=2, ack="all")
    assert await persist(reader, {"3"}) == ["1", "2", "3"]
    await jetstream(bus).delete_consumer("EVENTS", "r")
    await store(bus, EVENT, b"4")
    assert await persist(reader, {"4"}) == ["4"]


@pytest.mark.parametrize("options", [{}, {"start_seq": 2, "ack": "all"}], ids=["all", "from a number"])
async def test_a_reader_whose_stream_was_deleted_goes_on_when_it_is_made_again(
    bus: NatsBus, options: dict[str, Any]
) -> None:
    reader = await bus.reader("EVENTS", "r", EVENT, **options)
    for number in range(3):
        await store(bus, EVENT, b"%d" % number)
    await persist(reader, {"2"})
    await jetstream(bus).delete_stream("EVENTS")

    async def said() -> bool:
        try:
            await reader.fetch(1, 0.5)
        except NoStreamError as error:
            assert "there is no stream EVENTS" in str(error)
            return True
        except TransientError:
            return False
        return False

    await eventually(said, "nobody says what is missing", WAIT_S)
    with pytest.raises(NoStreamError):
        await bus.publish(EVENT, b"x", message_id="x")
    await ensure_streams(bus, LYON)
    await store(bus, EVENT, b"anew")
    assert await persist(reader, {"anew"}) == ["anew"]


async def test_one_that_was_taken_over_meanwhile_is_not_made_anew(bus: NatsBus) -> None:
    reader = await bus.reader("EVENTS", "r", EVENT, start_seq=1, ack="all")
    await jetstream(bus).delete_consumer("EVENTS", "r")
    other = await bus.reader("EVENTS", "r", EVENT, start_seq=1, ack="all")
    with suppress(TransientError):
        await reader.fetch(1, 0.5)
    assert await reader.is_replaced()
    assert not await other.is_replaced()
