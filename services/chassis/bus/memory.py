"""The bus in this process: no server, no threads, the same order every time. For tests and for single-process runs.

It keeps the whole contract, de-duplication, fences and redelivery included; only a restart forgets. The clock is an
argument: by default the event loop's, so a loop with virtual time makes hours pass at once. Whoever moves a clock of
his own calls `clock_moved` afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice

from msgspec import structs

from schemas.envelope import MESSAGE_BYTES_MAX
from schemas.subjects import AnyStream
from services.chassis.bus.mailbox import Mailbox
from services.chassis.bus.matching import matches
from services.chassis.bus.memory_reader import MemoryReader
from services.chassis.bus.port import PENDING_MAX, Handler, Reader, Received, ToStore
from services.chassis.bus.serving import Answering, answering
from services.chassis.bus.sizes import ensure_fits
from services.chassis.bus.stored import Consumer, Fence, StoredStream, headers_of
from services.chassis.bus.streams import HEADERS_BYTES_MAX, STREAMS, StreamDefinition
from services.chassis.errors import BusUnavailableError, NoStreamError, TransientError


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class MemoryBus:
    """The port. `connected` may be set to False: everything then fails as it does without a server."""

    def __init__(
        self,
        clock: Callable[[], float] = _loop_time,
        streams: Iterable[StreamDefinition] = STREAMS,
        bytes_max: int = MESSAGE_BYTES_MAX,
    ) -> None:
        self.now_s, self.bytes_max = clock, bytes_max
        self.connected = True
        self.closed = False
        self._streams = {one.name: StoredStream(one) for one in streams}
        self._mailboxes: list[Mailbox] = []
        self._services: list[tuple[str, str, Answering]] = []
        self._waiters: set[asyncio.Future[None]] = set()

    # ── stored ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
        expected_last_seq: int | None = None,
        expected_subject: str | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """See port."""
        self.ensure_open()
        stream = self._taking(subject)
        fence = None if expected_last_seq is None else Fence(expected_last_seq, expected_subject or subject)
        kept = {**(headers or {}), "Nats-Msg-Id": message_id}
        self._ensure_fits(subject, payload, kept)
        before = len(stream.messages)
        seq = stream.append(subject, payload, kept, message_id, fence, self.now_s())
        if len(stream.messages) != before:
            self._tell(stream.messages[seq].received())
        return seq

    async def publish_together(
        self,
        messages: Sequence[ToStore],
        *,
        expected_last_seq: int | None = None,
        expected_subject: str | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """See port."""
        self.ensure_open()
        streams = [self._taking(one.subject) for one in messages]
        assert all(one is streams[0] for one in streams), "messages of one stream"
        for one in messages:
            self._ensure_fits(one.subject, one.payload, headers_of(one))
        fence = None if expected_last_seq is None else Fence(expected_last_seq, expected_subject or messages[0].subject)
        seqs = streams[0].append_all(messages, fence, self.now_s())
        for seq in seqs:
            self._tell(streams[0].messages[seq].received())
        return seqs[-1]

    async def reader(
        self,
        stream: AnyStream,
        durable: str,
        subject: str,
        *,
        start_seq: int | None = None,
        new_only: bool = False,
        ack: str = "explicit",
        ack_wait_s: float = 30.0,
        deliveries_max: int = -1,
        pending_max: int = PENDING_MAX,
        alone: bool = False,
    ) -> Reader:
        """See port."""
        self.ensure_open()
        if stream not in self._streams:
            raise NoStreamError(f"there is no stream {stream}")
        held = self._stream(stream)
        known = held.consumers.get(durable)
        if known is None or start_seq is not None or new_only:
            first = start_seq or (max(held.messages, default=0) + 1 if new_only else 1)
            known = held.consumers[durable] = Consumer(held, subject, first)
            self.clock_moved()  # who reads with the one that was there hears of it
        known.subject, known.acks_all = subject, ack == "all"
        known.ack_wait_s, known.deliveries_max, known.pending_max = ack_wait_s, deliveries_max, pending_max
        return MemoryReader(self, known)

    async def scan(
        self, stream: AnyStream, subject: str, start_seq: int = 1, limit: int | None = None
    ) -> AsyncIterator[Received]:
        """See port."""
        self.ensure_open()
        held = self._stream(stream)
        held.prune(self.now_s())
        for one in list(islice(held.select(subject, start_seq), limit)):
            yield one.received()

    async def last(self, stream: AnyStream, subject: str) -> Received | None:
        """See port."""
        self.ensure_open()
        held = self._stream(stream)
        held.prune(self.now_s())
        found = held.last(subject)
        return found.received() if found else None

    async def last_of_each(self, stream: AnyStream, subjects: Sequence[str]) -> dict[str, Received]:
        """See port."""
        found = {one: await self.last(stream, one) for one in subjects}
        return {subject: one for subject, one in found.items() if one is not None}

    async def ensure_stream(self, definition: StreamDefinition, *, update: bool = True) -> None:
        """See port."""
        self.ensure_open()
        held = self._streams.setdefault(definition.name, StoredStream(definition))
        if update:
            held.definition = definition

    # ── now ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def emit(self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None) -> None:
        """See port."""
        self.ensure_open()
        self._ensure_fits(subject, payload, headers or {})
        for stream in self._streams.values():
            if stream.takes(subject):
                stream.append(subject, payload, dict(headers or {}), "", None, self.now_s())
        self._tell(Received(subject, payload, dict(headers or {})))

    @asynccontextmanager
    async def subscribe(self, subject: str) -> AsyncIterator[AsyncIterator[Received]]:
        """See port."""
        self.ensure_open()
        mailbox = Mailbox(subject)
        self._mailboxes.append(mailbox)
        try:
            yield mailbox
        finally:
            self._mailboxes.remove(mailbox)
            mailbox.close()

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> Received:
        """See port."""
        self._ensure_fits(subject, payload, {})
        servers = self._servers(subject)
        if not servers:
            raise BusUnavailableError(f"nobody serves {subject}")
        answers: asyncio.Queue[Received] = asyncio.Queue()
        await _ask(servers, Received(subject, payload), answers)
        try:
            async with asyncio.timeout(timeout_s):
                return await answers.get()
        except TimeoutError as error:
            raise TransientError(f"{subject} was not answered within {timeout_s:g} s") from error

    async def gather(self, subject: str, payload: bytes, wait_s: float) -> list[Received]:
        """See port."""
        self._ensure_fits(subject, payload, {})
        servers = self._servers(subject)
        answers: asyncio.Queue[Received] = asyncio.Queue()
        await _ask(servers, Received(subject, payload), answers)
        found: list[Received] = []
        try:
            async with asyncio.timeout(wait_s):
                while len(found) < len(servers):
                    found.append(await answers.get())
        except TimeoutError:
            pass  # who has not answered by now is not there
        return found

    @asynccontextmanager
    async def serve(self, subject: str, handler: Handler, *, name: str) -> AsyncIterator[None]:
        """See port."""
        self.ensure_open()
        async with answering(subject, handler) as service:
            entry = (subject, name, service)
            self._services.append(entry)
            try:
                yield
            finally:
                self._services.remove(entry)

    async def close(self) -> None:
        """See port."""
        self.closed, self.connected = True, False
        for mailbox in self._mailboxes:
            mailbox.close()
        self.clock_moved()

    # ── for the reader and the tests ────────────────────────────────────────────────────────────────────────────────

    def ensure_open(self) -> None:
        """Raise TransientError while there is no connection."""
        if not self.connected:
            raise TransientError("the bus is closed" if self.closed else "the bus is not connected", retry_after_s=0.1)

    def clock_moved(self) -> None:
        """Let every waiting reader look again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_changed(self, timeout_s: float) -> None:
        """Until something may have changed, at most so long."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            pass  # the caller looks at the clock itself
        finally:
            self._waiters.discard(waiter)

    def _tell(self, received: Received) -> None:
        for mailbox in self._mailboxes:
            if matches(mailbox.subject, received.subject):
                mailbox.put(received)
        self.clock_moved()

    def _ensure_fits(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        ensure_fits(subject, payload, headers, self.bytes_max + HEADERS_BYTES_MAX)

    def _taking(self, subject: str) -> StoredStream:
        stream = next((one for one in self._streams.values() if one.takes(subject)), None)
        if stream is None:
            raise NoStreamError(f"no stream takes {subject} (are the streams made?)")
        return stream

    def _stream(self, name: AnyStream) -> StoredStream:
        if name not in self._streams:
            raise NoStreamError(f"there is no stream {name}")
        return self._streams[name]

    def _servers(self, subject: str) -> list[Answering]:
        """One of each group of the same name, as a queue group does it: the one that came first."""
        self.ensure_open()
        groups: dict[tuple[str, str], Answering] = {}
        for pattern, name, service in self._services:
            if matches(pattern, subject):
                groups.setdefault((pattern, name), service)
        return list(groups.values())


async def _ask(servers: list[Answering], question: Received, answers: asyncio.Queue[Received]) -> None:
    async def reply(payload: bytes, headers: dict[str, str] | None) -> None:
        answers.put_nowait(structs.replace(question, subject="_INBOX", payload=payload, headers=headers or {}))

    for server in servers:
        await server.take(question, reply)
