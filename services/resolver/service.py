"""Bus → machine → bus: read, step, carry out, then ack.

One lock makes signals one at a time; a verdict is stored (fenced) before any operation leaves; questions to other
services run beside it and come back as signals. Everything can be killed anywhere: what the streams hold is enough.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from schemas import envelope, subjects
from schemas.alerts import Alert
from schemas.basis import HEADER, Basis, pack
from schemas.envelope import MessageError
from schemas.events import decode_heartbeat
from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import Outcome
from schemas.queries import Rehearsal, RehearsalAnswer, ResyncAnswer
from schemas.verdicts import Verdict
from services.chassis.bus.port import Bus, Delivery, Reader, Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import ConflictError, PermanentError, TransientError
from services.chassis.poison import bury
from services.resolver.answers import Answers
from services.resolver.machine import Machine
from services.resolver.signals import (
    AskRehearsal,
    AskResync,
    BatchSeen,
    BeatSeen,
    Effect,
    IntentSeen,
    Moment,
    OutcomeSeen,
    Rehearsed,
    RepeatVerdict,
    ResyncAnswered,
    SendAlert,
    SendOperation,
    Signal,
    StoreVerdict,
    Tick,
)

TICK_S: Final = 0.25
FETCH_WAIT_S: Final = 5.0
EVENTS_FETCH_MAX: Final = 64
INTENTS_FETCH_MAX: Final = 64
REHEARSAL_TIMEOUT_S: Final = 5.0
RESYNC_TIMEOUT_S: Final = 2.0
STORE_RETRY_S: Final = 0.5

log = structlog.get_logger(__name__)


class SteppedDownError(PermanentError):
    """Another resolver has authority for this site."""


def system_moment() -> Moment:
    """Now, on this machine's clocks."""
    return Moment(time.monotonic(), datetime.now(UTC))


class ResolverService:
    """Runs one site's machine on a bus."""

    def __init__(self, site: SiteName, bus: Bus, machine: Machine, now: Callable[[], Moment] = system_moment) -> None:
        self.site = site
        self.machine = machine
        self._bus = bus
        self._now = now
        self._lock = asyncio.Lock()
        self._fence = 0
        self._unanswered: dict[str, Delivery] = {}
        self._tasks: asyncio.TaskGroup

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Recover, then serve until cancelled. Raises SteppedDownError when another resolver holds the site."""
        await ensure_streams(self._bus)
        await self._recover()
        start_seq = await self._end_of_events()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(self._beats())
            tasks.create_task(self._events(start_seq))
            tasks.create_task(self._intents())
            tasks.create_task(self._outcomes())
            tasks.create_task(self._ticks())
            tasks.create_task(Answers(self.machine, self._bus, self._now, self.rehearse, self._step).run(ready))

    async def _recover(self) -> None:
        verdicts = [Verdict.from_json(one.payload) async for one in self._scan("VERDICTS")]
        outcomes = [Outcome.from_json(one.payload) async for one in self._scan("OUTCOMES")]
        alerts = [Alert.from_json(one.payload) async for one in self._scan("ALERTS")]
        intents = {}
        async for one in self._scan("INTENTS"):
            try:
                intent = Intent.from_json(one.payload)
            except MessageError:
                continue  # its reader buries it
            intents[intent.id] = intent
        self.machine.recover(verdicts, outcomes, intents, alerts)
        last = await self._bus.last("VERDICTS", subjects.filters("VERDICTS", self.site))
        self._fence = last.stream_seq if last else 0
        log.info("recovered from the streams", site=self.site, verdicts=len(verdicts), outcomes=len(outcomes))

    def _scan(self, stream: subjects.StreamName) -> AsyncIterator[Received]:
        return self._bus.scan(stream, subjects.filters(stream, self.site))

    async def _end_of_events(self) -> int:
        """Older events are worth nothing to an empty graph: the watcher lists again."""
        last = await self._bus.last("EVENTS", subjects.event(self.site))
        return last.stream_seq + 1 if last else 1

    # ── what comes in ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _beats(self) -> None:
        async with self._bus.subscribe(subjects.heartbeat(self.site)) as beats:
            async for received in beats:
                try:
                    heartbeat = decode_heartbeat(received.payload)
                except MessageError as error:
                    await self._bury("EVENTS", received, str(error))
                    continue
                if heartbeat.site == self.site:
                    await self._step(BeatSeen(heartbeat))

    async def _events(self, start_seq: int) -> None:
        reader = await self._bus.reader(
            "EVENTS", f"resolver-{self.site}", subjects.event(self.site), start_seq=start_seq, ack="all"
        )
        while True:
            deliveries = await self._fetch(reader, EVENTS_FETCH_MAX)
            for delivery in deliveries:
                try:
                    await self._step(BatchSeen(delivery.message.payload))
                except MessageError as error:
                    await self._bury("EVENTS", delivery.message, str(error))
            if deliveries:
                await reader.ack_all(deliveries[-1])

    async def _intents(self) -> None:
        reader = await self._bus.reader("INTENTS", f"resolver-{self.site}", subjects.filters("INTENTS", self.site))
        while True:
            for delivery in await self._fetch(reader, INTENTS_FETCH_MAX):
                await self._take_intent(delivery)

    async def _take_intent(self, delivery: Delivery) -> None:
        received = delivery.message
        try:
            intent = Intent.from_json(received.payload)
        except MessageError as error:
            await self._refuse(received, str(error))
            await delivery.terminate(str(error))
            return
        await self._step(IntentSeen(intent))
        if intent.id in self.machine.docket.asked:
            self._unanswered[intent.id] = delivery  # acknowledged when it is decided: a crash brings it back
        else:
            await delivery.ack()

    async def _refuse(self, received: Received, reason: str) -> None:
        """An intent that is none is kept in dead letters; when it has a name its sender gets a verdict, too."""
        await self._bury("INTENTS", received, reason)
        verdict = self.machine.malformed(subjects.last_name(received.subject), reason, self._now())
        if verdict is not None:
            async with self._lock:
                await self._carry_out([StoreVerdict(verdict)])

    async def _outcomes(self) -> None:
        reader = await self._bus.reader("OUTCOMES", f"resolver-{self.site}", subjects.filters("OUTCOMES", self.site))
        while True:
            for delivery in await self._fetch(reader, INTENTS_FETCH_MAX):
                try:
                    outcome = Outcome.from_json(delivery.message.payload)
                except MessageError as error:
                    await self._bury("OUTCOMES", delivery.message, str(error))
                    await delivery.terminate(str(error))
                    continue
                await self._step(OutcomeSeen(outcome))
                await delivery.ack()

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self._step(Tick())

    async def _fetch(self, reader: Reader, limit: int) -> list[Delivery]:
        try:
            return await reader.fetch(limit, FETCH_WAIT_S)
        except TransientError as error:
            log.warning("the bus does not deliver", site=self.site, error=str(error))
            await asyncio.sleep(error.retry_after_s or STORE_RETRY_S)
            return []

    # ── what goes out ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _step(self, signal: Signal) -> None:
        async with self._lock:
            await self._carry_out(self.machine.step(signal, self._now()))

    async def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case StoreVerdict():
                    await self._store_verdict(effect.verdict, effect.basis)
                case SendOperation():
                    await self._send_operation(effect.operation)
                case SendAlert():
                    await self._send_alert(effect.alert)
                case RepeatVerdict():
                    await self._bus.emit(_verdict_subject(effect.verdict), effect.verdict.to_json())
                case AskRehearsal():
                    self._tasks.create_task(self._ask_rehearsal(effect))
                case AskResync():
                    self._tasks.create_task(self._ask_resync(effect))

    async def _store_verdict(self, verdict: Verdict, basis: Basis | None) -> None:
        message_id = f"{verdict.intent}.{verdict.revision}"
        payload = verdict.to_json()
        headers = envelope.headers("verdict", f"resolver/{self.site}", message_id)
        packed = pack(basis) if basis is not None else ""
        if packed:
            headers[HEADER] = packed

        async def publish() -> int:
            return await self._bus.publish(
                _verdict_subject(verdict),
                payload,
                message_id=message_id,
                headers=headers,
                expected_last_seq=self._fence,
                expected_subject=subjects.filters("VERDICTS", self.site),
            )

        try:
            self._fence = await self._until_stored(publish, "verdict", verdict.intent)
        except ConflictError as error:
            self._fence = await self._own_or_step_down(verdict, payload, error)
        log.info("decided", site=self.site, intent=verdict.intent, decision=verdict.decision, summary=verdict.summary)

    async def _own_or_step_down(self, verdict: Verdict, payload: bytes, error: ConflictError) -> int:
        """A publish whose acknowledgement was lost conflicts with itself; anything else is another resolver's."""
        last = await self._bus.last("VERDICTS", subjects.filters("VERDICTS", self.site))
        if last is not None and last.payload == payload:
            return last.stream_seq
        raise SteppedDownError(
            f"another resolver decides for {self.site} (verdict {verdict.intent} was not the next one); stepping down"
        ) from error

    async def _send_operation(self, operation: Operation) -> None:
        subject = subjects.operation(operation.site, operation.intent, f"{operation.revision}-{operation.step}")
        headers = envelope.headers("operation", f"resolver/{self.site}", operation.id, operation.traceparent)
        payload = operation.to_json()
        await self._until_stored(
            lambda: self._bus.publish(subject, payload, message_id=operation.id, headers=headers),
            "operation",
            operation.intent,
        )

    async def _send_alert(self, alert: Alert) -> None:
        message_id = f"{alert.id}.{alert.state}.{alert.at.isoformat()}"
        headers = envelope.headers("alert", f"resolver/{self.site}", message_id)
        payload = alert.to_json()
        subject = subjects.alert(self.site, alert.code)
        await self._until_stored(
            lambda: self._bus.publish(subject, payload, message_id=message_id, headers=headers), "alert", alert.id
        )
        log.warning("alert", site=self.site, code=alert.code, state=alert.state, message=alert.message)

    async def _until_stored(self, publish: Callable[[], Awaitable[int]], what: str, name: str) -> int:
        """Nothing goes on before it is stored; the same message id makes the repetition harmless."""
        while True:
            try:
                return await publish()
            except TransientError as error:
                log.warning("not stored yet", what=what, name=name, error=str(error))
                await asyncio.sleep(error.retry_after_s or STORE_RETRY_S)

    # ── questions to others ─────────────────────────────────────────────────────────────────────────────────────────

    async def rehearse(self, rehearsal: Rehearsal) -> RehearsalAnswer | None:
        """The API server's word through the executor; None when it cannot be had in time."""
        subject = subjects.api("executor", self.site, "rehearse")
        try:
            reply = await self._bus.request(subject, rehearsal.to_json(), REHEARSAL_TIMEOUT_S)
            return RehearsalAnswer.from_json(reply.payload)
        except (TransientError, MessageError) as error:
            log.warning("the executor did not rehearse", site=self.site, error=str(error))
            return None

    async def _ask_rehearsal(self, effect: AskRehearsal) -> None:
        answer = await self.rehearse(effect.rehearsal)
        await self._step(Rehearsed(effect.intent, answer))
        delivery = self._unanswered.pop(effect.intent, None)
        if delivery is not None:
            await delivery.ack()

    async def _ask_resync(self, effect: AskResync) -> None:
        subject = subjects.api("watcher", self.site, "resync")
        log.info("asking the watcher to list again", site=self.site, reason=effect.request.reason)
        try:
            reply = await self._bus.request(subject, effect.request.to_json(), RESYNC_TIMEOUT_S)
            answer = ResyncAnswer.from_json(reply.payload)
        except (TransientError, MessageError) as error:
            log.warning("the watcher did not answer", site=self.site, error=str(error))
            return
        await self._step(ResyncAnswered(answer))

    async def _bury(self, stream: subjects.StreamName, received: Received, reason: str) -> None:
        log.warning("not understood, kept in dead letters", stream=stream, subject=received.subject, reason=reason)
        await bury(self._bus, stream, received, reason, by=f"resolver/{self.site}", now=self._now().wall)


def _verdict_subject(verdict: Verdict) -> str:
    return subjects.verdict(verdict.site, verdict.decision, verdict.intent)
