"""What was stored together is delivered one by one, and taken together; what does not come is not waited for long."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, ConsumerInfo

from services.chassis.bus.nats import reading
from services.chassis.bus.nats.reading import NatsReader

LONG_S = 60.0
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Wire:
    """A connection on which the messages come that a test has sent."""

    losses, client = 0, cast("Any", None)

    def __init__(self) -> None:
        self.client = self
        self.asked = 0

    def ensure_open(self) -> None: ...

    def new_inbox(self) -> str:
        return "_INBOX.mine"

    async def subscribe(self, subject: str, cb: Any) -> None:
        self.deliver = cb

    async def publish(self, subject: str, body: bytes, reply: str) -> None:
        self.asked += 1

    async def send(self, *numbers: int, of: int) -> None:
        """Messages with these numbers; the server says with each how many are still to come."""
        for number in numbers:
            token = f"$JS.ACK.INTENTS.resolver-lyon.1.{number}.{number}.0.{of - number}"
            await self.deliver(Msg(cast("Client", self), subject="cheops.v1.intent.lyon.i", reply=token, data=b"{}"))


async def opened(wire: Wire) -> NatsReader:
    made = ConsumerInfo(name="resolver-lyon", stream_name="INTENTS", config=ConsumerConfig(), created=NOW)
    return await NatsReader(cast("Any", wire), made, ConsumerConfig()).opened()


async def _fetching(reader: NatsReader, limit: int = 64) -> asyncio.Task[list[int]]:
    async def numbers() -> list[int]:
        return [one.message.stream_seq for one in await reader.fetch(limit, LONG_S)]

    task = asyncio.create_task(numbers())
    await asyncio.sleep(0)
    return task


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_the_server_is_still_sending_is_taken_with_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "COMPANY_S", LONG_S)
    wire = Wire()
    fetching = await _fetching(await opened(wire))
    await wire.send(1, 2, of=4)
    await _turns()
    assert not fetching.done()
    await wire.send(3, 4, of=4)
    await _turns()
    assert fetching.done()
    assert fetching.result() == [1, 2, 3, 4]


async def test_who_comes_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "COMPANY_S", LONG_S)
    wire = Wire()
    fetching = await _fetching(await opened(wire))
    await wire.send(1, of=1)
    await _turns()
    assert fetching.done()


async def test_no_more_is_waited_for_than_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "COMPANY_S", LONG_S)
    wire = Wire()
    reader = await opened(wire)
    fetching = await _fetching(reader, limit=2)
    await wire.send(1, 2, of=9)
    await _turns()
    assert fetching.done()
    assert fetching.result() == [1, 2]


async def test_what_the_server_holds_back_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "COMPANY_S", 0.0)
    wire = Wire()
    fetching = await _fetching(await opened(wire))
    await wire.send(1, of=9)
    async with asyncio.timeout(LONG_S):
        assert await fetching == [1]
    assert wire.asked == 1
