"""nats-server killed and started again: what was stored is there, what was not comes again, nothing waits for ever."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop

from cheops.sandbox.natsserver import NatsServer
from schemas import subjects
from services.chassis.bus import nats
from services.chassis.bus.nats.scanning import BATCH_TIMEOUT_S, scanned
from services.chassis.bus.port import Bus, Reader
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import PermanentError, TransientError
from tests.contract.bus.words import ALL_INTENTS, EVENT, LYON, WAIT_S, bodies, store, take
from tests.kit.waiting import eventually

QUESTION = subjects.api("resolver", LYON, "graph")
PAUSE_S = 0.05


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path / "nats", "lyon") as made:  # sync_interval: always
        yield made


@pytest.fixture
async def bus(server: NatsServer) -> AsyncIterator[Bus]:
    made = await nats.connect(server.url, name="contract")
    await ensure_streams(made)
    yield made
    await made.close()


async def until_connected(bus: Bus, connected: bool = True) -> None:
    await eventually(lambda: bus.connected == connected, lambda: f"connected: {bus.connected}", WAIT_S, PAUSE_S)


async def killed_and_restarted(server: NatsServer, bus: Bus) -> None:
    server.kill()
    await until_connected(bus, False)
    await server.restart()
    await until_connected(bus)


async def insist(bus: Bus, number: int) -> None:
    """Publish under one message id until it is acknowledged, as every service does."""
    subject = subjects.intent(LYON, f"{number}")
    await published(lambda: bus.publish(subject, b"%d" % number, message_id=f"id{number}"))


async def published(publish: Callable[[], Awaitable[int]]) -> int:
    """Again and again, until it is acknowledged; its number."""

    async def acknowledged() -> int:
        try:
            return await publish()
        except TransientError:
            return 0

    number: int = await eventually(acknowledged, "nothing is acknowledged", WAIT_S, PAUSE_S)
    return number


async def persist(reader: Reader, count: int) -> set[str]:
    """Fetch and acknowledge until so many different messages were acknowledged."""
    found: set[str] = set()

    async def complete() -> bool:
        with suppress(TransientError):
            for delivery in await reader.fetch(10, 1.0):
                await delivery.ack()
                found.update(bodies([delivery]))
        return len(found) >= count

    await eventually(complete, lambda: f"{len(found)} of {count}", 2 * WAIT_S, PAUSE_S)
    return found


async def test_a_burst_through_a_kill_is_stored_once_each_and_read_whole(server: NatsServer, bus: Bus) -> None:
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=2.0)
    reading = asyncio.create_task(persist(reader, 300))
    storing = [asyncio.create_task(insist(bus, number)) for number in range(200)]
    await storing[0]
    await killed_and_restarted(server, bus)
    storing += [asyncio.create_task(insist(bus, number)) for number in range(200, 300)]
    await asyncio.gather(*storing)
    assert await reading == {str(number) for number in range(300)}
    stored = [one.payload async for one in bus.scan("INTENTS", ALL_INTENTS)]
    assert sorted(stored, key=int) == [b"%d" % number for number in range(300)]


async def test_a_waiting_fetch_goes_on_after_a_restart(server: NatsServer, bus: Bus) -> None:
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS)
    reading = asyncio.create_task(persist(reader, 1))
    assert await bus.last("EVENTS", EVENT) is None, "asked after the fetch, on the same line, so that waits there"
    await killed_and_restarted(server, bus)
    await insist(bus, 7)
    assert await reading == {"7"}


async def test_a_delivery_from_before_a_kill_is_acknowledged_or_comes_again_and_nobody_waits_long_to_know(
    server: NatsServer, bus: Bus
) -> None:
    """What a consumer has delivered is written to disk now and then only."""
    await insist(bus, 1)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS, ack_wait_s=3.0)
    delivery = (await take(reader, 1))[0]
    await killed_and_restarted(server, bus)
    acknowledged = True
    try:
        async with asyncio.timeout(4):
            await delivery.ack()
    except TransientError:
        acknowledged = False
    await insist(bus, 2)
    found = bodies(await take(reader, 1 if acknowledged else 2))
    assert sorted(found) == (["2"] if acknowledged else ["1", "2"])


async def test_without_a_server_every_call_fails_soon_and_says_why(server: NatsServer, bus: Bus) -> None:
    await insist(bus, 1)
    reader = await bus.reader("INTENTS", "r", ALL_INTENTS)
    delivery = (await take(reader, 1))[0]
    server.kill()
    await until_connected(bus, False)
    calls = [
        lambda: store(bus, EVENT),
        lambda: bus.emit(EVENT, b""),
        lambda: bus.request(QUESTION, b"", WAIT_S),
        lambda: bus.gather(QUESTION, b"", WAIT_S),
        lambda: bus.last("EVENTS", EVENT),
        lambda: bus.reader("EVENTS", "r", EVENT),
        lambda: reader.fetch(1, WAIT_S),
        delivery.ack,
        lambda: ensure_streams(bus),
        lambda: anext(bus.scan("EVENTS", EVENT)),
    ]
    async with asyncio.timeout(5):
        for call in calls:
            with pytest.raises(TransientError, match="not connected"):
                await call()


async def test_closing_without_a_server_ends_soon(server: NatsServer, bus: Bus) -> None:
    server.kill()
    await until_connected(bus, False)
    async with asyncio.timeout(5):
        await bus.close()
    with pytest.raises(TransientError):
        await store(bus, EVENT)


async def test_services_and_subscriptions_are_there_again_after_a_restart(server: NatsServer, bus: Bus) -> None:
    async def answer(received: object) -> bytes:
        return b"here"

    async with bus.serve(QUESTION, answer, name="resolver"), bus.subscribe(EVENT) as messages:
        await killed_and_restarted(server, bus)
        assert (await bus.request(QUESTION, b"", WAIT_S)).payload == b"here"
        async with asyncio.timeout(WAIT_S):
            await bus.emit(EVENT, b"now")
            assert (await anext(messages)).payload == b"now"


async def test_a_message_id_is_known_across_a_kill(server: NatsServer, bus: Bus) -> None:
    first = await bus.publish(EVENT, b"one", message_id="x")
    await killed_and_restarted(server, bus)
    assert await published(lambda: bus.publish(EVENT, b"one", message_id="x")) == first
    assert len([one async for one in bus.scan("EVENTS", EVENT)]) == 1


async def stop(server: NatsServer) -> None:
    """On a busy machine a process goes on for a moment after the signal."""
    server.process.send_signal(signal.SIGSTOP)
    await asyncio.to_thread(os.waitid, os.P_PID, server.process.pid, os.WSTOPPED)


async def test_a_server_that_stands_still_is_noticed_by_the_publisher_and_comes_back(
    server: NatsServer, bus: Bus
) -> None:
    await stop(server)
    async with asyncio.timeout(15):
        with pytest.raises(TransientError, match="not stored: no answer in time"):
            await bus.publish(EVENT, b"one", message_id="x")
    server.process.send_signal(signal.SIGCONT)
    async with asyncio.timeout(WAIT_S):
        await bus.publish(EVENT, b"one", message_id="x")
    assert [one.payload async for one in bus.scan("EVENTS", EVENT)] == [b"one"]


async def test_a_server_that_ends_the_connection_for_good_is_a_permanent_error_with_its_reason() -> None:
    """A service must end then, and be started again, instead of waiting for what does not come."""

    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.12.0","max_payload":9000000,"headers":true}\r\n')
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
            if line.startswith(b"PUB"):
                writer.write(b"-ERR 'Authorization Violation'\r\n")
        writer.close()

    listening = await asyncio.start_server(hello, "127.0.0.1", 0)
    bus = await nats.connect(f"nats://127.0.0.1:{listening.sockets[0].getsockname()[1]}", name="contract")
    async with bus.subscribe(EVENT) as messages, asyncio.timeout(WAIT_S):
        await bus.emit(EVENT, b"")
        assert [one async for one in messages] == []
    with pytest.raises(PermanentError, match="ended the connection for good: nats: authorization failed"):
        await bus.emit(EVENT, b"")
    await bus.close()
    listening.close()


def test_who_has_something_to_say_when_the_server_is_gone_closes_in_good_order_all_the_same(tmp_path: Path) -> None:
    """On the loop that services run on: a service that is told to stop while its server is away ends with 0."""

    async def close_without_server() -> None:
        async with NatsServer(tmp_path / "nats", "lyon", sync="2m") as made:
            bus = await nats.connect(made.url, name="test", wait=False)
            made.kill()
            await until_connected(bus, False)
            await bus._link.client.publish("x", b"kept until the server is back")
            await bus.close()
            assert bus._link.client.is_closed

    uvloop.run(close_without_server())


async def test_a_long_answer_that_the_server_took_with_it_is_not_waited_for(server: NatsServer, bus: Bus) -> None:
    """It had been waited for half a minute: so long did a resolver hang that was started while its server was, too."""
    link = bus._link  # type: ignore[attr-defined]  # of the adapter that is under test
    await stop(server)  # asked, and not answered
    reading = asyncio.create_task(anext(scanned(link, "EVENTS", EVENT, 1, 1), None))
    await eventually(lambda: link.awaited, "nothing is asked", WAIT_S)
    server.kill()
    async with asyncio.timeout(BATCH_TIMEOUT_S / 3):
        with pytest.raises(TransientError, match="EVENTS was not read"):
            await reading
