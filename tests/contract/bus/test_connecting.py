"""Connecting: within 3 s, or a sentence that says what to do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from cheops.sandbox.natsserver import NatsServer
from services.chassis.bus import nats
from services.chassis.bus.streams import STORE_BYTES, ensure_streams, promised
from services.chassis.errors import BusUnavailableError, PermanentError, SettingsError, TransientError
from tests.contract.bus.words import EVENT, LYON, WAIT_S, store

CONNECT_MAX_S = 3.0


@contextmanager
def bound_port() -> Iterator[int]:
    """A port where nobody listens, and nobody else can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


@asynccontextmanager
async def shut_door(port: int = 0) -> AsyncIterator[tuple[int, Callable[[], Awaitable[None]]]]:
    """Nobody is at home: who connects is hung up on. The port, and a wait until somebody has tried."""
    tried = asyncio.Event()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tried.set()
        writer.close()

    async def knocked() -> None:
        async with asyncio.timeout(WAIT_S):
            await tried.wait()

    async with await asyncio.start_server(hang_up, "127.0.0.1", port) as server:
        yield int(server.sockets[0].getsockname()[1]), knocked


async def failing(url: str) -> tuple[Exception, float]:
    """The error of an impatient connect, and the seconds that it took."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    with pytest.raises((BusUnavailableError, SettingsError)) as caught:
        await nats.connect(url, name="test", wait=False)
    return caught.value, loop.time() - begun_s


async def test_a_port_where_nobody_listens_fails_at_once_and_says_what_to_start() -> None:
    with bound_port() as port:
        error, took_s = await failing(f"nats://127.0.0.1:{port}")
    assert str(error) == (
        f"no NATS server answers at nats://127.0.0.1:{port} (start one: cheops sandbox up; or set CHEOPS_NATS_URL)"
    )
    assert took_s < CONNECT_MAX_S


async def test_a_server_that_says_nothing_fails_within_the_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        error, took_s = await failing(f"nats://127.0.0.1:{silent.getsockname()[1]}")
    assert "no NATS server answers" in str(error)
    assert took_s < CONNECT_MAX_S


async def test_what_is_no_nats_server_is_called_so() -> None:
    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(web, "127.0.0.1", 0)
    async with listening:
        error, took_s = await failing(f"nats://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    assert "is no NATS server" in str(error)
    assert took_s < CONNECT_MAX_S


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:4222", "nats://", "nats://127.0.0.1:notaport", "nats://:4222"])
async def test_an_address_that_is_none_names_the_setting(url: str) -> None:
    error, _ = await failing(url)
    assert isinstance(error, SettingsError)
    assert "CHEOPS_NATS_URL" in str(error)


async def test_a_service_with_an_address_that_is_none_does_not_try_for_ever() -> None:
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(SettingsError, match="CHEOPS_NATS_URL"):
            await nats.connect("http://127.0.0.1:4222", name="test")


async def test_refused_credentials_are_named_and_the_password_is_not_repeated(tmp_path: Path) -> None:
    password = {"authorization": {"user": "lyon", "password": "right"}}
    async with NatsServer(tmp_path / "nats", "lyon", sync="2m", more=password) as server:
        await (await nats.connect(f"nats://lyon:right@127.0.0.1:{server.port}", name="test", wait=False)).close()
        error, took_s = await failing(f"nats://lyon:wrong@127.0.0.1:{server.port}")
    assert "refuses these credentials" in str(error)
    assert "wrong" not in str(error)
    assert took_s < CONNECT_MAX_S


async def test_a_service_waits_for_its_server_and_then_works(tmp_path: Path) -> None:
    first = NatsServer(tmp_path / "nats", "lyon", sync="2m")
    async with first:
        port = first.port
    waiting = asyncio.create_task(nats.connect(f"nats://127.0.0.1:{port}", name="test"))
    async with shut_door(port) as (_, knocked):
        await knocked()
    assert not waiting.done()
    async with NatsServer(tmp_path / "nats", "lyon", sync="2m", port=port), asyncio.timeout(WAIT_S):
        bus = await waiting
        with pytest.raises(TransientError, match="no stream takes"):
            await store(bus, EVENT)
        await bus.close()


async def test_a_service_that_waits_can_be_stopped() -> None:
    async with shut_door() as (port, knocked):
        waiting = asyncio.create_task(nats.connect(f"nats://127.0.0.1:{port}", name="test"))
        await knocked()
        waiting.cancel()
        async with asyncio.timeout(CONNECT_MAX_S):
            await asyncio.wait({waiting})
    assert waiting.cancelled()


async def test_who_stops_waiting_for_a_connection_leaves_none_open() -> None:
    reached, left = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await reader.read()
        left.set()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server, asyncio.timeout(WAIT_S):
        url = f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        waiting = asyncio.create_task(nats.connect(url, name="test", wait=False))
        await reached.wait()
        waiting.cancel()
        await asyncio.wait({waiting})
        await left.wait()
    assert waiting.cancelled()


async def test_the_streams_of_a_site_promise_what_is_said_and_a_server_for_less_is_told_from_one_for_all(
    tmp_path: Path,
) -> None:
    """Unless it is told a bound, a server takes three quarters of what is free: on 10 GiB too little."""
    for room, holds_all in ((promised() - 1, False), (promised(), True), (STORE_BYTES, True)):
        store = {"jetstream": {"store_dir": "store", "max_file_store": room}}
        async with NatsServer(tmp_path / str(room), "lyon", sync="2m", more=store) as server:
            bus = await nats.connect(server.url, name="test")
            if holds_all:
                await ensure_streams(bus, LYON)
            else:
                with pytest.raises(PermanentError, match=r"insufficient storage .*max_file_store"):
                    await ensure_streams(bus, LYON)
            await bus.close()


async def test_a_server_for_small_messages_says_which_setting_to_change(tmp_path: Path) -> None:
    async with NatsServer(tmp_path / "nats", "lyon", sync="2m", more={"max_payload": 1048576}) as server:
        bus = await nats.connect(server.url, name="test")
        with pytest.raises(PermanentError, match="at most 987136; this server takes no more: set max_payload: 8454144"):
            await store(bus, EVENT, b"x" * 1_000_000)
        assert bus.connected
        await bus.close()


async def test_a_server_runs_in_a_folder_that_is_named_in_any_script(tmp_path: Path) -> None:
    async with NatsServer(tmp_path / "josé's 東京" / "nats", "lyon", sync="2m") as server:
        await (await nats.connect(server.url, name="test", wait=False)).close()
