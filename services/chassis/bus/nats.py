"""The bus on NATS JetStream: the only module that imports nats-py."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import nats
import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext, api

from schemas.envelope import MESSAGE_BYTES_MAX
from schemas.queries import Refusal
from schemas.subjects import StreamName
from services.chassis.bus.port import Delivery, Handler, Reader, Received
from services.chassis.bus.streams import DUPLICATE_WINDOW_S, StreamDefinition
from services.chassis.errors import BusUnavailableError, ConflictError, PermanentError, TransientError

ACK_TIMEOUT_S: Final = 5.0
CONNECT_TIMEOUT_S: Final = 3
RECONNECT_WAIT_S: Final = 1
QUEUE_MAX: Final = 10_000
HANDLERS_MAX: Final = 64
PULL_EXPIRES_S: Final = 2.0  # a request that a killed server took with it is repeated after this
WRONG_LAST: Final = 10071

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NatsDelivery:
    """A stored message and how to answer for it."""

    message: Received
    raw: Msg

    async def ack(self) -> None:
        await _answer(self.raw.ack_sync(timeout=ACK_TIMEOUT_S))

    async def retry(self, delay_s: float = 0.0) -> None:
        await _answer(self.raw.nak(delay=delay_s or None))

    async def terminate(self, reason: str) -> None:
        await _answer(self.raw.term())

    async def extend(self) -> None:
        await _answer(self.raw.in_progress())


async def _answer(call: Any) -> None:
    try:
        await call
    except (nats.errors.Error, TimeoutError) as error:
        raise TransientError(f"the bus did not take the acknowledgement: {error!r}") from error


class NatsReader:
    """A pull request is always outstanding, so a message comes as soon as it is stored."""

    def __init__(self, client: Client, stream: str, durable: str, inbox: Subscription) -> None:
        self._client = client
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = inbox
        self._outstanding = 0
        self._asked_at_s = 0.0

    async def fetch(self, limit: int, wait_s: float) -> list[Delivery]:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + wait_s
        found: list[Delivery] = []
        while not found:
            await self._ask(limit, loop.time())
            left_s = end_s - loop.time()
            if left_s <= 0:
                return []
            try:
                raw = await asyncio.wait_for(self._inbox._pending_queue.get(), left_s)
            except TimeoutError:
                return []
            self._take(raw, found)
            while len(found) < limit and not self._inbox._pending_queue.empty():
                self._take(self._inbox._pending_queue.get_nowait(), found)
        return found

    def _take(self, raw: Msg, found: list[Delivery]) -> None:
        status = (raw.headers or {}).get("Status")
        if status is not None and not raw.reply:
            self._outstanding = 0  # 404, 408 expired, 409 …: the request is over
            return
        self._outstanding -= 1
        found.append(NatsDelivery(_received(raw), raw))

    async def _ask(self, limit: int, now_s: float) -> None:
        if self._outstanding > 0 and now_s - self._asked_at_s < PULL_EXPIRES_S:
            return
        self._outstanding, self._asked_at_s = limit, now_s
        body = json.dumps({"batch": limit, "expires": int(PULL_EXPIRES_S * 1e9)}).encode()
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                await self._client.publish(self._next, body, self._inbox.subject)
        except (nats.errors.Error, TimeoutError) as error:
            self._outstanding = 0
            raise TransientError(f"{self._next} was not asked: {error!r}", retry_after_s=0.2) from error

    async def ack_all(self, last: Delivery) -> None:
        await last.ack()

    async def close(self) -> None:
        await self._inbox.unsubscribe()


class NatsBus:
    """The port on one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._js: JetStreamContext = client.jetstream(timeout=ACK_TIMEOUT_S)
        self._window = asyncio.Semaphore(256)
        self._handlers = asyncio.Semaphore(HANDLERS_MAX)

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
        expected_last_seq: int | None = None,
        expected_subject: str | None = None,
    ) -> int:
        if len(payload) > MESSAGE_BYTES_MAX:
            raise PermanentError(f"message of {len(payload)} bytes for {subject} (at most {MESSAGE_BYTES_MAX})")
        made = {**(headers or {}), "Nats-Msg-Id": message_id}
        if expected_last_seq is not None:
            made["Nats-Expected-Last-Subject-Sequence"] = str(expected_last_seq)
            if expected_subject:
                made["Nats-Expected-Last-Subject-Sequence-Subject"] = expected_subject
        self._ensure_connected()
        try:
            async with self._window, asyncio.timeout(2 * ACK_TIMEOUT_S):  # the client's own buffer may block, too
                ack = await self._js.publish(subject, payload, timeout=ACK_TIMEOUT_S, headers=made)
        except nats.js.errors.NoStreamResponseError as error:
            raise TransientError(f"no stream takes {subject} (are the streams made?)") from error
        except nats.js.errors.APIError as error:
            if error.err_code == WRONG_LAST:
                raise ConflictError(f"{subject}: {error.description}") from error
            raise TransientError(f"{subject} was not stored: {error.description}") from error
        except (nats.errors.Error, TimeoutError) as error:
            raise TransientError(f"{subject} was not acknowledged: {error!r}") from error
        return ack.seq

    async def emit(self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._ensure_connected()
        try:
            async with asyncio.timeout(ACK_TIMEOUT_S):
                await self._client.publish(subject, payload, headers=dict(headers) if headers else None)
        except (nats.errors.Error, TimeoutError) as error:
            raise TransientError(f"{subject} was not sent: {error!r}") from error

    @asynccontextmanager
    async def subscribe(self, subject: str) -> AsyncIterator[AsyncIterator[Received]]:
        queue: asyncio.Queue[Received] = asyncio.Queue(QUEUE_MAX)

        async def put(raw: Msg) -> None:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(_received(raw))

        subscription = await self._client.subscribe(subject, cb=put)
        await self._client.flush()

        async def messages() -> AsyncIterator[Received]:
            while True:
                yield await queue.get()

        try:
            yield messages()
        finally:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> Received:
        self._ensure_connected()
        try:
            return _received(await self._client.request(subject, payload, timeout=timeout_s))
        except nats.errors.NoRespondersError as error:
            raise BusUnavailableError(f"nobody serves {subject}") from error
        except (nats.errors.Error, TimeoutError) as error:
            raise TransientError(f"{subject} was not answered within {timeout_s:g} s") from error

    async def gather(self, subject: str, payload: bytes, wait_s: float) -> list[Received]:
        self._ensure_connected()
        inbox = self._client.new_inbox()
        found: list[Received] = []
        subscription = await self._client.subscribe(inbox)
        try:
            await self._client.publish(subject, payload, reply=inbox)
            with suppress(TimeoutError, nats.errors.Error):
                async with asyncio.timeout(wait_s):
                    async for raw in subscription.messages:
                        if (raw.headers or {}).get("Status") == "503":
                            break
                        found.append(_received(raw))
        finally:
            await subscription.unsubscribe()
        return found

    @asynccontextmanager
    async def serve(self, subject: str, handler: Handler, *, name: str) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:

            async def one(raw: Msg) -> None:
                try:
                    answer = await handler(_received(raw))
                except Exception as error:  # the asker must not wait for our defect
                    log.exception("a question could not be answered", subject=subject)
                    answer = Refusal(code="500", message=f"{type(error).__name__}: {error}").to_json()
                if raw.reply:
                    await self._client.publish(raw.reply, answer)

            async def take(raw: Msg) -> None:
                tasks.create_task(one(raw))

            subscription = await self._client.subscribe(subject, queue=name, cb=take)
            await self._client.flush()
            try:
                yield
            finally:
                with suppress(nats.errors.Error):
                    await subscription.unsubscribe()

    async def reader(
        self,
        stream: StreamName,
        durable: str,
        subject: str,
        *,
        start_seq: int | None = None,
        new_only: bool = False,
        ack: str = "explicit",
        ack_wait_s: float = 30.0,
        deliveries_max: int = -1,
    ) -> Reader:
        wanted = api.ConsumerConfig(
            durable_name=durable,
            filter_subject=subject,
            ack_policy=api.AckPolicy.ALL if ack == "all" else api.AckPolicy.EXPLICIT,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE
            if start_seq
            else api.DeliverPolicy.NEW
            if new_only
            else api.DeliverPolicy.ALL,
            opt_start_seq=start_seq,
            ack_wait=ack_wait_s,
            max_deliver=deliveries_max,
            max_ack_pending=10_000,
        )
        try:
            if start_seq or new_only:
                with suppress(nats.js.errors.NotFoundError):
                    await self._js.delete_consumer(stream, durable)
            await self._js.add_consumer(stream, wanted)
        except nats.js.errors.APIError as error:
            raise PermanentError(f"consumer {durable} on {stream}: {error.description}") from error
        except (nats.errors.Error, TimeoutError) as error:
            raise TransientError(f"consumer {durable} on {stream}: {error!r}") from error
        inbox = await self._client.subscribe(self._client.new_inbox())
        return NatsReader(self._client, stream, durable, inbox)

    async def scan(self, stream: StreamName, subject: str, start_seq: int = 1) -> AsyncIterator[Received]:
        last = await self.last(stream, subject)
        if last is None or last.stream_seq < start_seq:
            return
        position = start_seq
        while position <= last.stream_seq:
            try:
                raw = await self._js.get_msg(stream, seq=position, subject=subject, next=True, direct=True)
            except nats.js.errors.NotFoundError:
                return
            found = _stored(raw)
            position = found.stream_seq + 1
            yield found

    async def last(self, stream: StreamName, subject: str) -> Received | None:
        self._ensure_connected()
        try:
            raw = await self._js.get_last_msg(stream, subject)
        except nats.js.errors.NotFoundError:
            return None
        except (nats.errors.Error, TimeoutError) as error:
            raise TransientError(f"{stream}: {error!r}") from error
        return _stored(raw)

    async def ensure_stream(self, definition: StreamDefinition) -> None:
        """Make or update one stream."""
        config = api.StreamConfig(
            name=definition.name,
            subjects=[definition.subject],
            retention=api.RetentionPolicy.WORK_QUEUE if definition.work_queue else api.RetentionPolicy.LIMITS,
            max_age=definition.max_age_s,
            max_bytes=definition.max_bytes,
            max_msg_size=definition.message_bytes_max,
            duplicate_window=DUPLICATE_WINDOW_S,
            storage=api.StorageType.FILE,
            allow_direct=True,
        )
        try:
            await self._js.add_stream(config)
        except nats.js.errors.BadRequestError as error:
            if error.err_code != 10058:
                raise PermanentError(f"stream {config.name}: {error.description}") from error
            await self._js.update_stream(config)
        except (nats.errors.Error, TimeoutError) as error:
            raise TransientError(f"stream {config.name}: {error!r}") from error

    async def close(self) -> None:
        with suppress(nats.errors.Error, TimeoutError):
            await asyncio.wait_for(self._client.drain(), 3)
        if not self._client.is_closed:
            await self._client.close()

    def _ensure_connected(self) -> None:
        if not self._client.is_connected:
            raise TransientError("the bus is not connected (reconnecting)", retry_after_s=RECONNECT_WAIT_S)


async def connect(url: str, *, name: str, wait: bool = True) -> NatsBus:
    """Connect; with `wait` (services) keep trying, without it (people) fail at once with what to do."""
    while True:
        client = Client()
        failure: list[Exception] = []

        async def note(error: Exception, failure: list[Exception] = failure) -> None:
            failure.append(error)

        try:
            await asyncio.wait_for(
                client.connect(
                    url,
                    name=name,
                    error_cb=note,
                    connect_timeout=CONNECT_TIMEOUT_S,
                    max_reconnect_attempts=-1 if wait else 1,
                    reconnect_time_wait=RECONNECT_WAIT_S if wait else 0,
                ),
                CONNECT_TIMEOUT_S,
            )
            return NatsBus(client)
        except (OSError, nats.errors.Error, TimeoutError) as error:
            reason = BusUnavailableError(
                f"no NATS server answers at {url} (start one: cheops sandbox up; or set CHEOPS_NATS_URL)"
            )
            with suppress(Exception):
                await client.close()
            if not wait:
                raise reason from error
            log.warning("no bus yet", url=url, error=repr(failure[-1] if failure else error))
            await asyncio.sleep(random.uniform(0.5, 1.5) * RECONNECT_WAIT_S)


def _stored(raw: api.RawStreamMsg) -> Received:
    assert raw.subject is not None, "a stored message has a subject"
    assert raw.seq is not None, "a stored message has a number"
    return Received(raw.subject, raw.data or b"", raw.headers or {}, raw.seq)


def _received(raw: Msg) -> Received:
    seq = deliveries = 0
    if raw.reply and raw.reply.startswith("$JS.ACK."):
        tokens = raw.reply.split(".")
        deliveries, seq = (int(tokens[4]), int(tokens[5])) if len(tokens) == 9 else (int(tokens[6]), int(tokens[7]))
    return Received(raw.subject, raw.data, raw.headers or {}, seq, deliveries or 1)
