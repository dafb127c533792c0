"""A proxy before nats-server that stops at a chosen message, so that a process can be killed exactly there.

    client ──▶ proxy ──▶ nats-server       the n-th publish on a subject arrives or not, its acknowledgement never does

It understands as much of the protocol as it must: a publish is `PUB` or `HPUB`, a subject, and a length at the end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Cut:
    """Where: at the `number`-th publish whose subject begins with `subject`, before or after the server has it."""

    subject: str
    number: int
    arrives: bool


class HoldingProxy:
    """`async with HoldingProxy(nats_url, cut) as proxy:`, then connect to `proxy.url` and await `proxy.reached()`.

    Without a cut everything passes, until `proxy.hold(cut)`, which counts from then on.
    """

    def __init__(self, upstream_url: str, cut: Cut | None = None) -> None:
        parts = urlsplit(upstream_url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._upstream = (parts.hostname, parts.port)
        self._cut = cut
        self._seen = 0
        self._reached = asyncio.Event()
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def hold(self, cut: Cut) -> None:
        self._cut, self._seen = cut, 0

    async def reached(self) -> None:
        """Return when the chosen message is held; from then on nothing passes, in either direction."""
        await self._reached.wait()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*list(self._tasks), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, back = await asyncio.open_connection(*self._upstream)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, back))
                group.create_task(self._answer(there, writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass  # one of the two sides is gone, which is what this is for
        finally:
            self._tasks.discard(task)
            writer.close()
            back.transport.abort()  # or the server believes that the dead are still there

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Message by message."""
        while line := await reader.readline():
            words = line.split()
            body = b""
            if words and words[0].upper() in (b"PUB", b"HPUB"):
                body = await reader.readexactly(int(words[-1]) + 2)
                if self._cut is not None and self._is_it(self._cut, words[1].decode()):
                    if self._cut.arrives:
                        self._reached.set()  # before it leaves: its answer must not come back
                        writer.write(line + body)
                        await writer.drain()
                    self._reached.set()
                    await asyncio.Event().wait()
            writer.write(line + body)
            await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if not self._reached.is_set():
                writer.write(chunk)
                await writer.drain()
        writer.close()

    def _is_it(self, cut: Cut, subject: str) -> bool:
        if not subject.startswith(cut.subject):
            return False
        self._seen += 1
        return self._seen == cut.number
