"""The port on one NATS connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import api

from schemas.subjects import AnyStream
from services.chassis.bus.identity import Identity
from services.chassis.bus.mailbox import Mailbox
from services.chassis.bus.nats.batching import fence_of, stored_together
from services.chassis.bus.nats.calls import NO_STREAM, STREAM_EXISTS, calling, converted, unsubscribe
from services.chassis.bus.nats.connection import ANSWER_TIMEOUT_S, Link, linked
from services.chassis.bus.nats.reading import PULL_EXPIRES_S, PULL_GRACE_S, NatsReader, received, without_batch
from services.chassis.bus.nats.scanning import last_of_each, scanned
from services.chassis.bus.port import PENDING_MAX, Handler, Reader, Received, ToStore
from services.chassis.bus.serving import answering
from services.chassis.bus.sizes import SERVER_PAYLOAD_BYTES, bytes_that_fit, ensure_fits
from services.chassis.bus.streams import DUPLICATE_WINDOW_S, HEADERS_BYTES_MAX, StreamDefinition
from services.chassis.errors import BusUnavailableError, NoStreamError, PermanentError, TransientError

FORGETTING_POLL_S: Final = 0.1
AT_ONCE_BYTES: Final = 1024 * 1024  # nats-py waits for the socket, within a time-out, when 2 MiB have not left yet
WINDOW: Final = 256  # publishes that wait for their acknowledgement at a time


class NatsBus:
    """See port."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._client = link.client
        self._js = link.js
        self._window = asyncio.Semaphore(WINDOW)

    @property
    def connected(self) -> bool:
        """See port."""
        return self._link.connected

    @property
    def bytes_max(self) -> int:
        """See port."""
        return bytes_that_fit(self._client.max_payload or SERVER_PAYLOAD_BYTES)

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
        made = {**(headers or {}), "Nats-Msg-Id": message_id, **fence_of(expected_last_seq, expected_subject)}
        self._ensure_fits(subject, payload, made)
        async with self._window:
            self._link.ensure_open()
            wait_s = timeout_s or ANSWER_TIMEOUT_S
            async with calling(f"{subject} was not stored", 2 * wait_s):
                ack = await self._js.publish(subject, payload, timeout=wait_s, headers=made)
        return ack.seq

    async def publish_together(
        self,
        messages: Sequence[ToStore],
        *,
        expected_last_seq: int | None = None,
        expected_subject: str | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """See port. JetStream's atomic batch (its ADR 50)."""
        for one in messages:
            self._ensure_fits(one.subject, one.payload, one.headers)
        async with self._window:
            self._link.ensure_open()
            wait_s, fence = timeout_s or ANSWER_TIMEOUT_S, fence_of(expected_last_seq, expected_subject)
            async with calling(f"{len(messages)} messages were not stored", wait_s):
                return await stored_together(self._client, messages, fence, wait_s)

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
        policy = api.DeliverPolicy.NEW if new_only else api.DeliverPolicy.ALL
        wanted = api.ConsumerConfig(
            durable_name=durable,
            filter_subject=subject,
            ack_policy=api.AckPolicy.ALL if ack == "all" else api.AckPolicy.EXPLICIT,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE if start_seq else policy,
            opt_start_seq=start_seq,
            ack_wait=ack_wait_s,
            max_deliver=deliveries_max,
            max_ack_pending=pending_max,
        )
        self._link.ensure_open()
        try:
            async with calling(f"consumer {durable} on {stream}", 2 * ANSWER_TIMEOUT_S):
                if start_seq or new_only:
                    with suppress(nats.js.errors.NotFoundError):
                        await self._js.delete_consumer(stream, durable)
                made = await self._bind(stream, wanted, alone)
        except nats.js.errors.NotFoundError as error:
            raise NoStreamError(f"there is no stream {stream}") from error
        except TransientError as error:
            if isinstance(error.__cause__, nats.js.errors.BadRequestError):
                raise PermanentError(str(error)) from error  # a configuration that the server refuses
            raise
        return await NatsReader(self._link, made, wanted).opened()

    async def _bind(self, stream: AnyStream, wanted: api.ConsumerConfig, alone: bool) -> api.ConsumerInfo:
        """With leaf links a server holds a killed client's pull request for up to 2 s, and gives it what comes."""
        end_s = asyncio.get_running_loop().time() + PULL_EXPIRES_S + PULL_GRACE_S  # another reader may well be alive
        while True:
            made = await self._js.add_consumer(stream, wanted)
            if not (made.num_waiting and alone) or asyncio.get_running_loop().time() >= end_s:
                return made
            await asyncio.sleep(FORGETTING_POLL_S)

    async def scan(
        self, stream: AnyStream, subject: str, start_seq: int = 1, limit: int | None = None
    ) -> AsyncIterator[Received]:
        """See port."""
        last = await self.last(stream, subject)
        if last is not None:
            async for one in scanned(self._link, stream, subject, start_seq, last.stream_seq, limit):
                yield one

    async def last(self, stream: AnyStream, subject: str) -> Received | None:
        """See port."""
        self._link.ensure_open()
        try:
            async with calling(f"{stream} was not read", ANSWER_TIMEOUT_S):
                raw = await self._js.get_last_msg(stream, subject)
        except nats.js.errors.NotFoundError as error:
            if error.err_code == NO_STREAM:
                raise NoStreamError(f"there is no stream {stream}") from error
            return None
        assert raw.subject is not None and raw.seq is not None, "a stored message has both"  # noqa: PT018
        return Received(raw.subject, raw.data or b"", without_batch(raw.headers or {}), raw.seq)

    async def last_of_each(self, stream: AnyStream, subjects: Sequence[str]) -> dict[str, Received]:
        """See port."""
        return await last_of_each(self._link, stream, subjects, await self.last(stream, ">"))

    async def ensure_stream(self, definition: StreamDefinition, *, update: bool = True) -> None:
        """See port."""
        config = api.StreamConfig(
            name=definition.name,
            subjects=list(definition.subjects),
            retention=api.RetentionPolicy.WORK_QUEUE if definition.work_queue else api.RetentionPolicy.LIMITS,
            discard=api.DiscardPolicy.NEW if definition.work_queue else api.DiscardPolicy.OLD,
            max_age=definition.max_age_s,
            max_bytes=definition.max_bytes,
            max_msgs_per_subject=1 if definition.last_only else -1,
            max_msg_size=definition.message_bytes_max + HEADERS_BYTES_MAX,
            duplicate_window=DUPLICATE_WINDOW_S,
            storage=api.StorageType.FILE,
            allow_direct=True,
            allow_atomic=True,
        )
        self._link.ensure_open()
        try:
            async with calling(f"stream {config.name}", 2 * ANSWER_TIMEOUT_S):
                try:
                    await self._js.add_stream(config)
                except nats.js.errors.BadRequestError as error:
                    if error.err_code != STREAM_EXISTS:
                        raise
                    if update:
                        await self._js.update_stream(config)
        except TransientError as error:
            if isinstance(error.__cause__, nats.js.errors.BadRequestError | nats.js.errors.ServerError):
                raise PermanentError(f"{error} (may this server store so much? max_file_store)") from error
            raise

    # ── now ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def emit(self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None) -> None:
        """See port."""
        self._ensure_fits(subject, payload, headers or {})
        self._link.ensure_open()
        if headers is None and self._client.pending_data_size + len(payload) < AT_ONCE_BYTES:
            try:
                await self._client.publish(subject, payload)
            except nats.errors.Error as error:
                raise converted(error, f"{subject} was not sent") from error
            return
        async with calling(f"{subject} was not sent", ANSWER_TIMEOUT_S):
            await self._client.publish(subject, payload, headers=dict(headers) if headers else None)

    @asynccontextmanager
    async def subscribe(self, subject: str) -> AsyncIterator[AsyncIterator[Received]]:
        """See port."""
        mailbox = Mailbox(subject)

        async def put(raw: Msg) -> None:
            mailbox.put(received(raw))

        self._link.ensure_open()
        async with calling(f"{subject} was not subscribed to", ANSWER_TIMEOUT_S):
            subscription = await self._client.subscribe(subject, cb=put)
            await self._client.flush(int(ANSWER_TIMEOUT_S))
        self._link.on_end.append(mailbox.close)
        try:
            yield mailbox
        finally:
            self._link.on_end.remove(mailbox.close)
            await unsubscribe(subscription)
            mailbox.close()

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> Received:
        """See port."""
        self._ensure_fits(subject, payload, {})
        self._link.ensure_open()
        try:
            async with calling(f"{subject} was not answered within {timeout_s:g} s", timeout_s):
                return received(await self._client.request(subject, payload, timeout=timeout_s))
        except BusUnavailableError as error:
            raise BusUnavailableError(f"nobody serves {subject}") from error

    async def gather(self, subject: str, payload: bytes, wait_s: float) -> list[Received]:
        """See port."""
        self._ensure_fits(subject, payload, {})
        self._link.ensure_open()
        found: list[Received] = []
        nobody = asyncio.Event()

        async def take(raw: Msg) -> None:
            nobody.set() if (raw.headers or {}).get("Status") == "503" else found.append(received(raw))

        inbox = self._client.new_inbox()
        async with calling(f"{subject} was not asked", ANSWER_TIMEOUT_S):
            subscription = await self._client.subscribe(inbox, cb=take)
        try:
            async with calling(f"{subject} was not asked", ANSWER_TIMEOUT_S):
                await self._client.publish(subject, payload, reply=inbox)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await nobody.wait()
        finally:
            await unsubscribe(subscription)
        return found

    @asynccontextmanager
    async def serve(self, subject: str, handler: Handler, *, name: str) -> AsyncIterator[None]:
        """See port."""
        async with answering(subject, handler) as service:

            async def take(raw: Msg) -> None:
                async def reply(payload: bytes, headers: dict[str, str] | None) -> None:
                    if raw.reply:
                        await self.emit(raw.reply, payload, headers)

                await service.take(received(raw), reply)

            self._link.ensure_open()
            async with calling(f"{subject} was not subscribed to", ANSWER_TIMEOUT_S):
                subscription = await self._client.subscribe(subject, queue=name, cb=take)
                await self._client.flush(int(ANSWER_TIMEOUT_S))
            try:
                yield
            finally:
                await unsubscribe(subscription)

    async def close(self) -> None:
        """See port."""
        await self._link.close()

    def _ensure_fits(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        ensure_fits(subject, payload, headers, self._client.max_payload or SERVER_PAYLOAD_BYTES)


async def connect(url: str, *, name: str, wait: bool = True, identity: Identity | None = None) -> NatsBus:
    """Connect; with `wait` (services) keep trying, without it (people) fail within 3 s with what to do."""
    link = await linked(url, name=name, wait=wait, identity=identity)
    return NatsBus(link)
