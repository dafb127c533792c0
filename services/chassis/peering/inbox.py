"""INBOX → checked messages → a handler, one after the other in the order of each sender; acknowledged afterwards.

The name in the subject is the sender's proven name: the links let a site publish under its own only. A body that says
otherwise is not believed. What cannot be handled is kept in dead letters with a typed reason and counted, and a sender
that we cannot understand is told so. A message comes again when it was handled and the acknowledgement was lost: the
machine that it is handed to is not moved by a repetition.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, Literal

import structlog
from pydantic import ValidationError

from schemas import subjects
from schemas.envelope import MessageError, UnknownVersionError
from schemas.identity import SiteName
from schemas.peers import STORED, PeerMessage, Refuse
from services.chassis import metrics
from services.chassis.bus.port import Bus, Delivery, Received
from services.chassis.bus.streams import make_missing
from services.chassis.errors import PermanentError, TransientError
from services.chassis.peering.courier import Courier
from services.chassis.peering.letter import MESSAGE_ID, Letter, OutboxFullError
from services.chassis.poison import bury

FETCH_WAIT_S: Final = 5.0
ACK_WAIT_S: Final = 2.0  # what a killed resolver had taken comes again after it, before anything newer
RETRY_S: Final = 0.5
DELIVERIES_MAX: Final = 5  # of a message that ends the resolver each time: it must not end it for ever
REASON_LEN_MAX: Final = 500  # as in Refuse

Reason = Literal["unknown version", "unreadable", "unknown word", "sender", "receiver", "intent", "handled too often"]
TOLD: Final = ("unknown version", "unreadable", "unknown word")  # the sender's doing: it is told
Handle = Callable[[PeerMessage, Received], Awaitable[None]]

log = structlog.get_logger(__name__)


class RefusedMessageError(PermanentError):
    """A peer's message that is not handed on. `reason` is one of a few, the text says more."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def checked(site: SiteName, received: Received) -> PeerMessage:
    """The message, when body and subject say the same; raises RefusedMessageError."""
    family, receiver, sender, what, intent = subjects.parts(received.subject)
    assert family == "peer", "the INBOX is bound to such subjects only"
    if what not in STORED:
        raise RefusedMessageError("unknown word", f"{what[:80]!r} (expected one of {', '.join(STORED)})")
    try:
        message = STORED[what].from_json(received.payload)
    except UnknownVersionError as error:
        raise RefusedMessageError("unknown version", str(error)) from error
    except MessageError as error:
        raise RefusedMessageError("unreadable", str(error)) from error
    if message.sender != sender:
        raise RefusedMessageError("sender", f"sender: {message.sender!r} (published by {sender[:80]!r})")
    if message.receiver != site or receiver != site:
        raise RefusedMessageError("receiver", f"receiver: {message.receiver!r} (published to {receiver[:80]!r})")
    if message.intent != intent:
        raise RefusedMessageError("intent", f"intent: {message.intent!r} (published under {intent[:80]!r})")
    return message


class Inbox:
    """What other sites' resolvers tell this one. Needs the site's streams."""

    def __init__(
        self,
        site: SiteName,
        bus: Bus,
        courier: Courier,
        handle: Handle,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`handle` is called for one message at a time; a TransientError that it raises calls it again."""
        self._site = site
        self._bus = bus
        self._courier = courier
        self._handle = handle
        self._wall = wall

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read()
            except TransientError as error:
                log.warning("the bus does not deliver what peers said", site=self._site, error=str(error))
                await make_missing(self._bus, self._site, error)
                await asyncio.sleep(error.retry_after_s or RETRY_S)

    async def _read(self) -> None:
        stream, everything = subjects.inbox_stream(self._site), subjects.filters("INBOX", self._site)
        durable = f"resolver-{self._site}"
        reader = await self._bus.reader(stream, durable, everything, ack_wait_s=ACK_WAIT_S, pending_max=1)
        try:
            while True:
                for delivery in await reader.fetch(1, FETCH_WAIT_S):
                    await self._take(delivery)
        finally:
            await reader.close()

    async def _take(self, delivery: Delivery) -> None:
        received = delivery.message
        log.debug("a letter is read", site=self._site, letter=received.subject, seq=received.stream_seq)
        try:
            if received.deliveries > DELIVERIES_MAX:
                text = f"delivered {received.deliveries} times and never handled: a defect of the resolver"
                raise RefusedMessageError("handled too often", text)
            await self._handled(checked(self._site, received), received)
        except RefusedMessageError as error:
            await self._refuse(received, error)
            await delivery.terminate(error.reason)
        else:
            await delivery.ack()

    async def _handled(self, message: PeerMessage, received: Received) -> None:
        while True:
            try:
                await self._handle(message, received)
                metrics.PEER_RECEIVED.labels(site=self._site, peer=message.sender, what=message.schema_name()).inc()
                return
            except TransientError as error:
                log.warning("what a peer said is not handled yet", site=self._site, error=str(error))
                await asyncio.sleep(error.retry_after_s or RETRY_S)

    async def _refuse(self, received: Received, error: RefusedMessageError) -> None:
        _, _, sender, what, intent = subjects.parts(received.subject)
        said = f"{error.reason}: {error}"
        log.warning("a peer's message is refused", site=self._site, peer=sender[:80], reason=said)
        metrics.PEER_REFUSED.labels(site=self._site, reason=error.reason).inc()
        await bury(self._bus, "INBOX", received, said, by=f"resolver/{self._site}", now=self._wall())
        if error.reason in TOLD and what != "refuse":
            await self._tell(sender, what, intent, received, said)

    async def _tell(self, sender: str, what: str, intent: str, received: Received, said: str) -> None:
        us, reason = self._site, said[:REASON_LEN_MAX]
        speaks = tuple(model.schema_name() for model in STORED.values())
        try:
            refuse = Refuse(sender=us, receiver=sender, intent=intent, what=what[:64], reason=reason, speaks=speaks)
            its_id = received.headers.get(MESSAGE_ID, str(received.stream_seq))
            await self._courier.send(Letter.of(refuse, f"refuse.{its_id}"))
        except (ValidationError, OutboxFullError) as trouble:  # a name that is none, or a peer out of reach
            log.warning("the sender is not told", site=us, peer=sender[:80], error=str(trouble))
