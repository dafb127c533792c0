"""What a resolver publishes, insisted upon until it is stored. Verdicts are fenced: one resolver decides for a site.

The same message id makes a repetition harmless, so nothing here gives up because the bus is away for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar, get_args

import structlog

from schemas import envelope, subjects
from schemas.alerts import Alert, AlertState
from schemas.basis import HEADER, pack
from schemas.codes.alerts import ALERTS
from schemas.envelope import MessageError
from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import Outcome
from schemas.peers import Part, PeerMessage, Refuse, what_of
from schemas.verdicts import Decision, Verdict
from services.chassis import metrics
from services.chassis.bus.port import Bus, Reader, Received, ToStore
from services.chassis.bus.streams import make_missing
from services.chassis.errors import ConflictError, PermanentError, TooLargeError, TransientError
from services.chassis.kubernetes.sealing import SealError
from services.chassis.peering.courier import Courier
from services.chassis.peering.letter import Letter, OutboxFullError
from services.chassis.poison import bury
from services.resolver.hearing import DEFECT
from services.resolver.judge.written import WrittenVerdict
from services.resolver.sealed import sealed_for
from services.resolver.shortening import shortened, without_objects
from services.resolver.signals import Moment, StoreVerdict

STORE_RETRY_S: Final = 0.5
MESSAGE_ID: Final = "Nats-Msg-Id"
Answer = TypeVar("Answer")

log = structlog.get_logger(__name__)


class SteppedDownError(PermanentError):
    """Another resolver has authority for this site."""


def events_reader(site: SiteName) -> str:
    """The durable consumer of a site's resolver."""
    return f"resolver-{site}"


async def ensure_ours(site: SiteName, events: Reader) -> None:
    """Raises SteppedDownError when another resolver reads the events of the site: of two neither has all.

    Every resolver makes that consumer anew at its start; who finds it so was taken over.
    """
    with suppress(TransientError):  # it is asked about again
        if await events.is_replaced():
            raise SteppedDownError(f"another resolver reads the events of {site}; stepping down")


class Outgoing:
    """The way out of one site's resolver."""

    def __init__(self, site: SiteName, bus: Bus, now: Callable[[], Moment]) -> None:
        self._site = site
        self._bus = bus
        self._now = now
        self._everything = subjects.filters("VERDICTS", site)
        self._fence = 0
        self.unstored = ""  # what the server does not store, and why
        metrics.from_zero(metrics.VERDICTS, [site], get_args(Decision))
        metrics.from_zero(metrics.ALERTS, [site], (f"A{one.number}" for one in ALERTS), get_args(AlertState))
        metrics.from_zero(metrics.DEAD_LETTERS, [f"resolver/{site}"], get_args(subjects.StreamName))

    async def begin(self) -> None:
        """Take the last verdict as the fence: whoever publishes one after it, other than us, takes the site over."""
        last = await self._bus.last("VERDICTS", self._everything)
        self._fence = last.stream_seq if last else 0

    async def store_verdicts(self, effects: Sequence[StoreVerdict]) -> None:
        """In this order, at once. Raises SteppedDownError when another resolver has published one meanwhile."""
        assert all(one.verdict.site == self._site for one in effects), "nobody speaks for another site"
        messages = [self._message(one) for one in effects]
        if len(messages) == 1 or not await self._stored_together(messages):
            for effect, message in zip(effects, messages, strict=True):
                try:
                    await self._fenced(message)
                except TooLargeError as error:
                    log.warning("a verdict is shortened", site=self._site, intent=effect.verdict.intent, why=str(error))
                    await self._fenced(self._message(shortened(effect, str(error))))
        for verdict in [one.verdict for one in effects]:
            metrics.VERDICTS.labels(site=self._site, decision=verdict.decision).inc()
            (log.error if DEFECT in verdict.summary else log.info)(
                "decided", site=self._site, intent=verdict.intent, decision=verdict.decision, summary=verdict.summary
            )

    def _message(self, effect: StoreVerdict) -> ToStore:
        verdict, basis = effect.verdict, effect.basis
        message_id = f"{self._site}.{verdict.intent}.{verdict.revision}"  # a server may hold several sites' verdicts
        headers = envelope.headers("verdict", f"resolver/{self._site}", message_id)
        packed = pack(basis) if basis is not None else ""
        if packed:
            headers[HEADER] = packed
        return ToStore(verdict_subject(verdict), verdict.to_json(), message_id, headers)

    async def _stored_together(self, messages: Sequence[ToStore]) -> bool:
        """False: none of them is stored, and one by one it may be seen why."""

        async def publish() -> int:
            return await self._bus.publish_together(
                messages, expected_last_seq=self._fence, expected_subject=self._everything
            )

        try:
            self._fence = await self._insist(publish, "verdicts", messages[0].message_id)
        except (ConflictError, PermanentError):
            last = await self._last()
            if last is None or last.payload != messages[-1].payload:
                return False
            self._fence = last.stream_seq  # only the acknowledgement was lost
        return True

    async def known_verdict(self, intent_id: str) -> Verdict | None:
        """The last one that the stream holds on an intent."""
        stored = await self._insist(lambda: self._stored(intent_id), "verdict", intent_id)
        with suppress(MessageError):  # somebody else's word: as if it had been left out at the start
            return Verdict.from_json(stored.payload) if stored is not None else None
        return None

    async def repeat_verdict(self, verdict: Verdict) -> None:
        """Say it again: what is said under a verdict's subject is stored, so it is a copy, and the fence moves on."""
        stored = await self._insist(lambda: self._stored(verdict.intent), "verdict", verdict.intent)
        if stored is None:  # aged out of the stream: it is still the answer
            await self.store_verdicts([StoreVerdict(verdict)])
            return
        headers = {name: value for name, value in stored.headers.items() if name != MESSAGE_ID}
        again = f"{self._site}.{verdict.intent}.again.{stored.stream_seq}"
        await self._fenced(ToStore(verdict_subject(verdict), stored.payload, again, headers))

    async def _stored(self, intent_id: str) -> Received | None:
        return await self._bus.last("VERDICTS", subjects.verdict(self._site, "*", intent_id))

    async def _fenced(self, message: ToStore) -> None:
        async def publish() -> int:
            return await self._bus.publish(
                message.subject,
                message.payload,
                message_id=message.message_id,
                headers=message.headers,
                expected_last_seq=self._fence,
                expected_subject=self._everything,
            )

        try:
            self._fence = await self._insist(publish, "verdict", message.message_id)
        except ConflictError as error:
            last = await self._last()
            if last is None and self._fence:  # nobody's came between: somebody has emptied the stream, or deleted it
                log.warning("the verdicts are gone from their stream", site=self._site)
                self._fence = 0
                await self._fenced(message)
            else:
                self._fence = self._own_or_step_down(message, last, error)

    def _own_or_step_down(self, message: ToStore, last: Received | None, error: ConflictError) -> int:
        """A publish whose acknowledgement was lost conflicts with itself; anything else is another resolver's."""
        if last is not None and last.payload == message.payload:
            return last.stream_seq
        raise SteppedDownError(
            f"another resolver decides for {self._site} ({message.message_id} was not the next one); stepping down"
        ) from error

    async def _last(self) -> Received | None:
        return await self._insist(lambda: self._bus.last("VERDICTS", self._everything), "verdict", "the last")

    async def send_operations(self, operations: Sequence[Operation]) -> None:
        """To the executor of their site, in this order. What no bus takes has failed, as if that had said so."""
        messages = [self._leaving(one) for one in operations]
        if len(messages) > 1:
            try:
                await self._insist(lambda: self._bus.publish_together(messages), "operations", operations[0].intent)
            except (ConflictError, PermanentError):  # some have left before, or the server takes them one by one only
                pass
            else:
                return
        for operation, message in zip(operations, messages, strict=True):
            try:
                await self._publish(message, "operation")
            except TooLargeError as error:
                await self._publish(self._unsent(operation, str(error)), "outcome")

    async def _publish(self, message: ToStore, what: str) -> None:
        subject, payload, headers = message.subject, message.payload, message.headers
        await self._insist(
            lambda: self._bus.publish(subject, payload, message_id=message.message_id, headers=headers),
            what,
            message.message_id,
        )

    def _unsent(self, operation: Operation, why: str) -> ToStore:
        log.error("an operation cannot be sent", site=self._site, operation=operation.id, reason=why)
        words = f"not sent to the executor: {why}"
        outcome = Outcome.of(operation, "failed", self._now().wall, changed=False, message=words)
        message_id = f"{outcome.operation}.{outcome.state}"
        subject = subjects.outcome(operation.site, operation.intent, f"{operation.revision}-{operation.step}")
        headers = envelope.headers("outcome", f"resolver/{self._site}", message_id)
        return ToStore(subject, outcome.to_json(), message_id, headers)

    def _leaving(self, operation: Operation) -> ToStore:
        subject = subjects.operation(operation.site, operation.intent, f"{operation.revision}-{operation.step}")
        headers = envelope.headers("operation", f"resolver/{self._site}", operation.id, operation.traceparent)
        return ToStore(subject, operation.to_json(), operation.id, headers)

    async def store_part(self, part: Part, revision: int) -> None:
        """This site's part of an intent of another site, so that a restart can go on with it."""
        headers = envelope.headers("intent", f"resolver/{self._site}", part.id, part.traceparent)
        message_id = f"{part.id}.{revision}.at.{self._site}"
        await self._publish(ToStore(subjects.part(self._site, part.id), part.to_json(), message_id, headers), "part")

    async def enter_intent(self, intent: Intent) -> None:
        """An intent of our own, at our own site. One that no bus takes is not entered: nobody waits for it."""
        headers = envelope.headers("intent", f"resolver/{self._site}", intent.id, intent.traceparent)
        message = ToStore(subjects.intent(self._site, intent.id), intent.to_json(), intent.id, headers)
        try:
            await self._publish(message, "intent")
        except TooLargeError as error:
            log.error("an intent of our own cannot be entered", site=self._site, intent=intent.id, error=str(error))

    async def store_outcome(self, outcome: Outcome) -> None:
        """What another site has done for an intent that was entered here: the record of the whole is here."""
        message_id = f"{outcome.operation}.{outcome.state}.at.{self._site}"
        headers = envelope.headers("outcome", f"resolver/{self._site}", message_id)
        subject = subjects.outcome(self._site, outcome.intent, outcome.step)
        await self._publish(ToStore(subject, outcome.to_json(), message_id, headers), "outcome")

    async def send_alert(self, alert: Alert) -> None:
        """To whoever is on watch."""
        message_id = f"{alert.id}.{alert.state}.{alert.last_said().isoformat()}"
        headers = envelope.headers("alert", f"resolver/{self._site}", message_id)
        await self._publish(
            ToStore(subjects.alert(self._site, alert.code), alert.to_json(), message_id, headers), "alert"
        )
        if alert.again_at is None:
            metrics.ALERTS.labels(self._site, alert.code, alert.state).inc()
        say = log.info if alert.again_at is not None else log.warning
        say("alert", site=self._site, code=alert.code, state=alert.state, message=alert.message)

    async def tell(self, courier: Courier, message: PeerMessage, key: str) -> Refuse | None:
        """To another site's resolver, Secrets sealed with `key`. Instead of what cannot be sent: a refusal of it."""
        try:
            await self._send(courier, message, key)
        except (OutboxFullError, SealError, TooLargeError) as error:
            if isinstance(error, TooLargeError) and (report := without_objects(message, str(error))) is not None:
                return await self.tell(courier, report, key)
            log.error("not told", site=self._site, peer=message.receiver, error=str(error))
            names = {"sender": message.receiver, "receiver": self._site, "intent": message.intent}
            return Refuse(what=what_of(message), reason=str(error)[:500], **names)
        return None

    async def _send(self, courier: Courier, message: PeerMessage, key: str) -> None:
        letter = Letter.of(sealed_for(message, key), said_at=f"{self._now().wall.timestamp():.6f}")
        await self._insist(lambda: courier.send(letter), letter.what, message.intent)

    async def bury(self, stream: subjects.StreamName, received: Received, reason: str) -> None:
        """Keep what was not understood, with the reason."""
        log.warning("not understood, kept in dead letters", stream=stream, subject=received.subject, reason=reason)
        now = self._now().wall
        await self._insist(
            lambda: bury(self._bus, stream, received, reason, by=f"resolver/{self._site}", now=now), "dead", stream
        )

    async def settle(self, answer: Awaitable[None]) -> None:
        """Acknowledge, or let it come again: everything that is read here may be read twice."""
        try:
            await answer
        except TransientError as error:
            log.warning("not acknowledged, it will come again", site=self._site, error=str(error))

    async def _insist(self, ask: Callable[[], Awaitable[Answer]], what: str, name: str) -> Answer:
        while True:
            try:
                answer = await ask()
            except TransientError as error:
                self.unstored = str(error)
                log.warning("not stored yet", what=what, name=name, error=str(error))
                await make_missing(self._bus, self._site, error)
                await asyncio.sleep(error.retry_after_s or STORE_RETRY_S)
            else:
                self.unstored = ""
                return answer


def verdict_subject(verdict: Verdict | WrittenVerdict) -> str:
    """Where it is published."""
    return subjects.verdict(verdict.site, verdict.decision, verdict.intent)
