"""A TCP proxy that makes a network bad: latency, jitter, bandwidth, cut, black hole, one-way, reset.

    near ──▶ proxy ──▶ far      out: what the near end says        in: what it hears

A real network loses packets and TCP hides that; what an application sees is what happens here: bytes come late, stop
coming, or the connection ends. Bytes that a black hole has swallowed are gone, so a connection that lost some is ended
when the fault is over: nobody may go on in the middle of a message.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Literal, Self

from cheops.sandbox.ports import LOOPBACK

CHUNK_BYTES: Final = 64 * 1024
CHUNKS_MAX: Final = 64  # under way in one direction; then the sender waits
CONNECT_TIMEOUT_S: Final = 2.0

Direction = Literal["out", "in"]
Swallowed = Literal["", "out", "in", "both"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a link; nothing by default. `cut`: connections end, new ones are ended at once.

    `swallow`: bytes of a direction vanish while the connection stands (`both`: a black hole).
    """

    cut: bool = False
    swallow: Swallowed = ""
    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = 0.0

    def swallows(self, direction: Direction) -> bool:
        """Of this direction."""
        return self.swallow in (direction, "both")

    def reversed(self) -> Fault:
        """The same as the other end sees it."""
        turned: dict[Swallowed, Swallowed] = {"out": "in", "in": "out"}
        return replace(self, swallow=turned.get(self.swallow, self.swallow))

    def joined(self, other: Fault) -> Fault:
        """Both at once."""
        parts = {self.swallow, other.swallow} - {""}
        rates = [one for one in (self.bytes_per_s, other.bytes_per_s) if one > 0]
        return Fault(
            cut=self.cut or other.cut,
            swallow="both" if len(parts) > 1 else next(iter(parts), ""),
            latency_s=self.latency_s + other.latency_s,
            jitter_s=self.jitter_s + other.jitter_s,
            bytes_per_s=min(rates, default=0.0),
        )


NO_FAULT: Final = Fault()
CUT: Final = Fault(cut=True)


class FaultProxy:
    """`async with FaultProxy("127.0.0.1", 7422) as proxy:`, connect to `proxy.port`, `proxy.set(Fault(cut=True))`."""

    def __init__(
        self, host: str, port: int, *, fault: Fault = NO_FAULT, randomness: random.Random | None = None
    ) -> None:
        self.fault = fault
        self._far = (host, port)
        self._random = randomness or random.Random()
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """That stand now."""
        return len(self._connections)

    def set(self, fault: Fault) -> None:
        """From now on it is so."""
        self.fault = fault
        for one in list(self._connections):
            if fault.cut or one.healed(fault):
                one.end()

    def reset(self) -> None:
        """End every connection; new ones may come."""
        for one in list(self._connections):
            one.end()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)

    async def stop(self) -> None:
        """End everything."""
        self._server.close()
        self.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._carry(reader, writer)
        except OSError:
            pass  # nobody listens at the far end, or one of the two went away: it is over
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault.cut:
            return
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            far_reader, far_writer = await asyncio.open_connection(*self._far)
        connection = _Connection(self, (writer, far_writer))
        self._connections.add(connection)
        try:
            if not self.fault.cut:
                await connection.run(reader, far_reader)
        finally:
            self._connections.discard(connection)
            far_writer.transport.abort()

    def delay_s(self) -> float:
        """How late a piece of bytes is now."""
        fault = self.fault
        return max(0.0, fault.latency_s + self._random.uniform(-fault.jitter_s, fault.jitter_s))


class _Connection:
    """One connection's two directions."""

    def __init__(self, proxy: FaultProxy, writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
        self._proxy = proxy
        self._near, self._far = writers
        self._lost: set[Direction] = set()

    def end(self) -> None:
        """As if the cable was pulled and both ends told."""
        self._near.transport.abort()
        self._far.transport.abort()

    def healed(self, fault: Fault) -> bool:
        """Bytes are missing, and more would follow."""
        return any(not fault.swallows(direction) for direction in self._lost)

    async def run(self, near: asyncio.StreamReader, far: asyncio.StreamReader) -> None:
        """Until one of the ends has gone."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pass("out", near, self._far))
                tasks.create_task(self._pass("in", far, self._near))
        except* OSError:
            pass  # an end was reset
        finally:
            self.end()

    async def _pass(self, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        late = _Late()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write(direction, late, writer))
            now_s = asyncio.get_running_loop().time
            while chunk := await reader.read(CHUNK_BYTES):
                rate = self._proxy.fault.bytes_per_s
                await late.put(chunk, now_s() + self._proxy.delay_s(), len(chunk) / rate if rate > 0 else 0.0)
            await late.put(b"", now_s(), 0.0)

    async def _write(self, direction: Direction, late: _Late, writer: asyncio.StreamWriter) -> None:
        while chunk := await late.take():
            if self._proxy.fault.swallows(direction):
                self._lost.add(direction)
                continue
            writer.write(chunk)
            await writer.drain()
        if not self._lost:
            writer.close()


class _Late:
    """Bytes under way: in order, none before its time."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._changed = asyncio.Condition()
        self._last_s = 0.0

    async def put(self, chunk: bytes, due_s: float, takes_s: float) -> None:
        """`takes_s`: how long its bytes keep the line busy."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._waiting) < CHUNKS_MAX)
            self._last_s = max(self._last_s, due_s) + takes_s
            self._waiting.append((self._last_s, chunk))
            self._changed.notify_all()

    async def take(self) -> bytes:
        """The next, when it is due."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            due_s, chunk = self._waiting.popleft()
            self._changed.notify_all()
        wait_s = due_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        return chunk
