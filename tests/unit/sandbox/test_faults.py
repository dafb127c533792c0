"""The proxy that makes a network bad: what each fault does to the bytes of a connection."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cheops.sandbox.faults import NO_FAULT, Fault, FaultProxy

WAIT_S = 30.0
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    """A far end that says what it hears; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1024):
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    async with echoing() as port, FaultProxy("127.0.0.1", port, randomness=random.Random(1)) as made:
        yield made


@asynccontextmanager
async def connected(proxy: FaultProxy) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        async with asyncio.timeout(WAIT_S):
            yield reader, writer
    finally:
        writer.close()


async def echoed(connection: Connection, words: bytes = b"hello") -> float:
    """Say it, hear it; how long that took."""
    reader, writer = connection
    now_s = asyncio.get_running_loop().time
    started_s = now_s()
    writer.write(words)
    assert await reader.readexactly(len(words)) == words
    return now_s() - started_s


async def ended(connection: Connection) -> bool:
    try:
        return await connection[0].read(1) == b""
    except ConnectionError:
        return True


async def test_without_a_fault_everything_passes_and_the_end_too(proxy: FaultProxy) -> None:
    async with connected(proxy) as one:
        big = random.Random(2).randbytes(3_000_000)
        sending = asyncio.create_task(echoed(one, big))
        await sending
        one[1].write_eof()
        assert await ended(one)


async def test_a_cut_ends_connections_and_new_ones_until_it_is_healed(proxy: FaultProxy) -> None:
    async with connected(proxy) as one:
        await echoed(one)
        proxy.set(Fault(cut=True))
        assert await ended(one)
    async with connected(proxy) as another:
        assert await ended(another)
    proxy.set(NO_FAULT)
    async with connected(proxy) as healed:
        await echoed(healed)


async def test_a_reset_ends_connections_and_lets_new_ones_in(proxy: FaultProxy) -> None:
    async with connected(proxy) as one:
        await echoed(one)
        proxy.reset()
        assert await ended(one)
    async with connected(proxy) as another:
        await echoed(another)


@pytest.mark.parametrize("swallow", ["both", "out", "in"])
async def test_a_black_hole_says_nothing_and_the_connection_ends_when_it_is_healed(
    proxy: FaultProxy, swallow: str
) -> None:
    async with connected(proxy) as one:
        await echoed(one)
        proxy.set(Fault(swallow=swallow))  # type: ignore[arg-type]  # a parameter of the test
        one[1].write(b"lost")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(one[0].read(1), 0.2)
        proxy.set(NO_FAULT)
        assert await ended(one)


async def test_in_a_one_way_cut_the_other_direction_is_still_heard() -> None:
    said: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.put_nowait(await reader.read(10))
        writer.write(b"unheard")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with FaultProxy("127.0.0.1", port, fault=Fault(swallow="in")) as proxy, connected(proxy) as one:
            one[1].write(b"hello")
            assert await said.get() == b"hello"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(one[0].read(1), 0.2)


async def test_latency_and_jitter_make_bytes_late_and_never_out_of_order(proxy: FaultProxy) -> None:
    proxy.set(Fault(latency_s=0.1, jitter_s=0.05))
    async with connected(proxy) as one:
        assert await echoed(one) >= 2 * 0.05
        words = b"".join(b"%04d" % number for number in range(200))
        for start in range(0, len(words), 4):
            one[1].write(words[start : start + 4])
            await asyncio.sleep(0)
        assert await one[0].readexactly(len(words)) == words


async def test_a_thin_line_takes_its_time(proxy: FaultProxy) -> None:
    proxy.set(Fault(bytes_per_s=100_000))
    async with connected(proxy) as one:
        assert await echoed(one, b"x" * 20_000) >= 0.2


async def test_nobody_at_the_far_end_is_an_end_not_a_hang() -> None:
    async with echoing() as port:
        pass
    async with FaultProxy("127.0.0.1", port) as proxy, connected(proxy) as one:
        assert await ended(one)


def test_faults_of_both_ends_of_a_link_add_up() -> None:
    slow, deaf = Fault(latency_s=0.1, bytes_per_s=10.0), Fault(swallow="in", latency_s=0.2)
    assert slow.joined(deaf.reversed()) == Fault(swallow="out", latency_s=0.1 + 0.2, bytes_per_s=10.0)
    assert Fault(swallow="in").joined(Fault(swallow="out")).swallow == "both"
    assert NO_FAULT.joined(NO_FAULT) == NO_FAULT
