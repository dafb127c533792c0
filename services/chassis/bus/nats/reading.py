"""A durable consumer → deliveries. A pull request is always outstanding while somebody waits, so a message comes as
soon as it is stored; one that a killed server took with it is repeated when it would have expired.

Each request has an inbox of its own, so that what a former one still says is not taken for the present one's.

A consumer that somebody has deleted is made anew, as soon as its stream is there: what was not answered for comes
again, and what was, may. Whoever takes a consumer over deletes it, too, and makes it at once, so that is waited for.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import ConsumerConfig, ConsumerInfo
from nats.js.errors import NotFoundError

from services.chassis.bus.nats.calls import NO_STREAM, calling, drain
from services.chassis.bus.nats.connection import ANSWER_TIMEOUT_S, Link
from services.chassis.bus.port import Delivery, Received
from services.chassis.errors import CheopsError, NoStreamError, TransientError

PULL_EXPIRES_S: Final = 2.0
PULL_GRACE_S: Final = 0.5  # the server's word that a request has expired may take so long
TROUBLE_PAUSE_S: Final = 0.5
COMPANY_S: Final = 0.005
FORGOTTEN_TIMEOUT_S: Final = 0.5
REASON_LEN_MAX: Final = 200
NO_MESSAGES, EXPIRED = "404", "408"
BATCH_ID, *_ = BATCHED = ("Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NatsDelivery:
    """A stored message and how to answer for it; each answer is confirmed by the server."""

    message: Received
    link: Link
    token: str
    losses: int

    async def ack(self) -> None:
        """See port."""
        await self._answer(b"+ACK")

    async def ack_unconfirmed(self) -> None:
        """See port."""
        self.link.ensure_open()
        async with calling(f"{self.message.subject} was not answered for", ANSWER_TIMEOUT_S):
            await self.link.client.publish(self.token, b"+ACK")

    async def retry(self, delay_s: float = 0.0) -> None:
        """See port."""
        await self._answer(b"-NAK" if delay_s <= 0 else b'-NAK {"delay": %d}' % int(delay_s * 1e9))

    async def terminate(self, reason: str) -> None:
        """See port."""
        await self._answer(b"+TERM " + " ".join(reason.split())[:REASON_LEN_MAX].encode(errors="replace"))

    async def extend(self) -> None:
        """See port."""
        await self._answer(b"+WPI")

    async def _answer(self, word: bytes) -> None:
        """A killed server may have forgotten what it had delivered. Then it says nothing, and delivers it again."""
        self.link.ensure_open()
        timeout_s = ANSWER_TIMEOUT_S if self.losses == self.link.losses else FORGOTTEN_TIMEOUT_S
        async with calling(f"{self.message.subject} was not answered for", timeout_s):
            await self.link.client.request(self.token, word, timeout=timeout_s)


class NatsReader:
    """Open it with `opened`."""

    def __init__(self, link: Link, made: ConsumerInfo, wanted: ConsumerConfig) -> None:
        self._link = link
        self._made, self._wanted = made, wanted
        self._stream = made.stream_name
        self._newest = (wanted.opt_start_seq or 1) - 1  # number of the last message that came
        self._is_doubted = False  # there was trouble: perhaps the consumer is gone
        self._gone_since_s: float | None = None
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{made.stream_name}.{made.name}"
        self._inbox = link.client.new_inbox()
        self._subscription: Subscription
        self._arrived = asyncio.Event()
        self._buffer: deque[NatsDelivery] = deque()
        self._trouble = ""
        self._requests = 0
        self._outstanding = 0
        self._expires_s = 0.0
        self._last = ""

    async def opened(self) -> Self:
        """Listen on the inbox."""
        async with calling(f"{self._next} was not opened", ANSWER_TIMEOUT_S):
            self._subscription = await self._link.client.subscribe(f"{self._inbox}.*", cb=self._take)
        return self

    async def fetch(self, limit: int, wait_s: float) -> list[Delivery]:
        """See port."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + wait_s
        while not self._buffer:
            now_s = loop.time()
            self._arrived.clear()
            await self._ask(limit, now_s)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(end_s, self._expires_s + PULL_GRACE_S)):
                    await self._arrived.wait()
            self._raise_trouble()
            if loop.time() >= end_s:
                break
        await self._company(limit)
        return [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]

    async def _company(self, limit: int) -> None:
        """What the server is sending behind the last message is taken with it: what was stored together."""
        with suppress(TimeoutError):
            async with asyncio.timeout(COMPANY_S):
                while len(self._buffer) < limit and self._outstanding > 0 and still_to_come(self._last) > 0:
                    self._arrived.clear()
                    await self._arrived.wait()

    async def _ask(self, limit: int, now_s: float) -> None:
        self._link.ensure_open()
        if self._outstanding > 0 and now_s < self._expires_s + PULL_GRACE_S:
            return
        if self._is_doubted:
            await self._ensure_made(now_s)
        self._requests += 1
        self._outstanding, self._expires_s = limit, now_s + PULL_EXPIRES_S
        body = json.dumps({"batch": limit, "expires": int(PULL_EXPIRES_S * 1e9)}).encode()
        try:
            async with calling(f"{self._next} was not asked", ANSWER_TIMEOUT_S):
                await self._link.client.publish(self._next, body, reply=self._reply)
        except TransientError:
            self._outstanding = 0
            raise

    @property
    def _reply(self) -> str:
        return f"{self._inbox}.{self._requests}"

    async def _take(self, raw: Msg) -> None:
        status = (raw.headers or {}).get("Status")
        if status is None or not raw.subject.startswith(self._inbox):
            self._outstanding -= 1
            self._last = raw.reply
            message = received(raw)
            self._newest = max(self._newest, message.stream_seq)
            self._buffer.append(NatsDelivery(message, self._link, raw.reply, self._link.losses))
        elif raw.subject == self._reply:
            self._outstanding = 0
            if status not in (NO_MESSAGES, EXPIRED):  # 503 no such consumer or not ready, 409 deleted, moved …
                self._trouble = f"{status} {(raw.headers or {}).get('Description', '')}".rstrip()
        self._arrived.set()

    def _raise_trouble(self) -> None:
        trouble, self._trouble = self._trouble, ""
        self._is_doubted = self._is_doubted or bool(trouble)
        if trouble and not self._buffer:
            raise TransientError(f"{self._next}: {trouble}", retry_after_s=TROUBLE_PAUSE_S)

    async def _ensure_made(self, now_s: float) -> None:
        """Raises NoStreamError, and TransientError while somebody may be about to make the consumer."""
        name = self._made.name
        try:
            async with calling(f"consumer {name} was not looked at", ANSWER_TIMEOUT_S):
                await self._link.js.consumer_info(self._stream, name)
        except NotFoundError as error:
            if error.err_code == NO_STREAM:
                raise NoStreamError(f"there is no stream {self._stream}", retry_after_s=TROUBLE_PAUSE_S) from error
            if self._gone_since_s is None:
                self._gone_since_s = now_s
            if now_s - self._gone_since_s < TROUBLE_PAUSE_S:
                raise TransientError(f"consumer {name} was deleted", retry_after_s=TROUBLE_PAUSE_S) from error
            await self._make_anew()
        self._is_doubted, self._gone_since_s = False, None

    async def _make_anew(self) -> None:
        name, wanted = self._made.name, self._wanted
        async with calling(f"consumer {name} was not made", 2 * ANSWER_TIMEOUT_S):
            if wanted.opt_start_seq:
                last = await self._last_seq()
                self._newest = self._newest if last >= self._newest else 0  # it is another stream
                wanted = wanted.evolve(opt_start_seq=self._newest + 1)
            self._made = await self._link.js.add_consumer(self._stream, wanted)
        log.warning("a consumer was deleted, it is made anew", stream=self._stream, consumer=name)

    async def _last_seq(self) -> int:
        try:
            return (await self._link.js.get_last_msg(self._stream, ">")).seq or 0
        except NotFoundError:
            return 0

    async def ack_all(self, last: Delivery) -> None:
        """See port."""
        await last.ack()

    async def is_replaced(self) -> bool:
        """See port. One that is gone for a moment is about to be made anew, or nobody's."""
        self._link.ensure_open()
        try:
            async with calling(f"consumer {self._made.name} was not looked at", ANSWER_TIMEOUT_S):
                now = await self._link.js.consumer_info(self._stream, self._made.name)
        except NotFoundError:
            return False
        return bool(now.created != self._made.created)

    async def close(self) -> None:
        """See port. What was fetched ahead, or is on its way, and given to nobody goes to another reader at once."""
        await self._all_on_its_way()
        await drain(self._subscription)
        while self._buffer:
            with suppress(CheopsError):
                await self._buffer.popleft().retry()

    async def _all_on_its_way(self) -> None:
        """Take what the server is about to send for the last request. A subscription that ends before is sent no more
        of it, and the server, for whom it is delivered, keeps it back for as long as an acknowledgement may take."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._expires_s + PULL_GRACE_S):
                while self._outstanding > 0 and still_to_come(self._last) > 0 and self._link.client.is_connected:
                    self._arrived.clear()
                    await self._arrived.wait()


def received(raw: Msg) -> Received:
    """With its number and deliveries, which JetStream puts into the reply subject (its ADR 15)."""
    seq = deliveries = 0
    if told := _told(raw.reply):
        deliveries, seq = int(told[0]), int(told[1])
    return Received(raw.subject, raw.data, without_batch(raw.headers or {}), seq, deliveries or 1)


def still_to_come(token: str) -> int:
    """How many messages the consumer had for somebody after the one of this reply subject."""
    told = _told(token)
    return int(told[4]) if told else 0


def _told(token: str) -> list[str]:
    """Deliveries, number in the stream, number in the consumer, time, still to come; nothing without JetStream."""
    tokens = token.split(".") if token.startswith("$JS.ACK.") else []
    return tokens[4:9] if len(tokens) == 9 else tokens[6:11]


def without_batch(headers: dict[str, str]) -> dict[str, str]:
    """As they were given: a message that was stored together with others remembers how."""
    if BATCH_ID not in headers:
        return headers
    return {name: value for name, value in headers.items() if name not in BATCHED}
