"""What a resolver publishes, insisted upon until it is stored. Verdicts are fenced: one resolver decides for a site.

The same message id makes a repetition harmless, so nothing here gives up because the bus is away for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from schemas import envelope, subjects
from schemas.alerts import Alert
from schemas.basis import HEADER, Basis, pack
from schemas.identity import SiteName
from schemas.operations import Operation
from schemas.verdicts import Verdict
from services.chassis.bus.port import Bus, Received
from services.chassis.errors import ConflictError, PermanentError, TransientError
from services.chassis.poison import bury
from services.resolver.signals import Moment

STORE_RETRY_S: Final = 0.5

log = structlog.get_logger(__name__)


class SteppedDownError(PermanentError):
    """Another resolver has authority for this site."""


class Outgoing:
    """The way out of one site's resolver."""

    def __init__(self, site: SiteName, bus: Bus, now: Callable[[], Moment]) -> None:
        self._site = site
        self._bus = bus
        self._now = now
        self._fence = 0

    async def begin(self) -> None:
        """Take the last verdict as the fence: whoever publishes one after it, other than us, takes the site over."""
        last = await self._bus.last("VERDICTS", subjects.filters("VERDICTS", self._site))
        self._fence = last.stream_seq if last else 0

    async def store_verdict(self, verdict: Verdict, basis: Basis | None) -> None:
        """Raises SteppedDownError when another resolver has published one meanwhile."""
        await self._store(verdict, f"{verdict.intent}.{verdict.revision}", pack(basis) if basis is not None else "")
        log.info("decided", site=self._site, intent=verdict.intent, decision=verdict.decision, summary=verdict.summary)

    async def repeat_verdict(self, verdict: Verdict) -> None:
        """For whoever asks again and listens now. Its subject is the stream's, so this is stored, and fenced, too."""
        await self._store(verdict, f"{verdict.intent}.{verdict.revision}.after.{self._fence}", "")

    async def _store(self, verdict: Verdict, message_id: str, packed: str) -> None:
        payload = verdict.to_json()
        headers = envelope.headers("verdict", f"resolver/{self._site}", message_id)
        if packed:
            headers[HEADER] = packed

        async def publish() -> int:
            return await self._bus.publish(
                verdict_subject(verdict),
                payload,
                message_id=message_id,
                headers=headers,
                expected_last_seq=self._fence,
                expected_subject=subjects.filters("VERDICTS", self._site),
            )

        try:
            self._fence = await self._until_stored(publish, "verdict", verdict.intent)
        except ConflictError as error:
            self._fence = await self._own_or_step_down(verdict, payload, error)

    async def _own_or_step_down(self, verdict: Verdict, payload: bytes, error: ConflictError) -> int:
        """A publish whose acknowledgement was lost conflicts with itself; anything else is another resolver's."""
        while True:
            try:
                last = await self._bus.last("VERDICTS", subjects.filters("VERDICTS", self._site))
                break
            except TransientError as away:
                await asyncio.sleep(away.retry_after_s or STORE_RETRY_S)
        if last is not None and last.payload == payload:
            return last.stream_seq
        raise SteppedDownError(
            f"another resolver decides for {self._site} (verdict {verdict.intent} was not the next one); stepping down"
        ) from error

    async def send_operation(self, operation: Operation) -> None:
        """To the executor of its site."""
        subject = subjects.operation(operation.site, operation.intent, f"{operation.revision}-{operation.step}")
        headers = envelope.headers("operation", f"resolver/{self._site}", operation.id, operation.traceparent)
        payload = operation.to_json()
        await self._until_stored(
            lambda: self._bus.publish(subject, payload, message_id=operation.id, headers=headers),
            "operation",
            operation.intent,
        )

    async def send_alert(self, alert: Alert) -> None:
        """To whoever is on watch."""
        message_id = f"{alert.id}.{alert.state}.{alert.at.isoformat()}"
        headers = envelope.headers("alert", f"resolver/{self._site}", message_id)
        payload = alert.to_json()
        subject = subjects.alert(self._site, alert.code)
        await self._until_stored(
            lambda: self._bus.publish(subject, payload, message_id=message_id, headers=headers), "alert", alert.id
        )
        log.warning("alert", site=self._site, code=alert.code, state=alert.state, message=alert.message)

    async def bury(self, stream: subjects.StreamName, received: Received, reason: str) -> None:
        """Keep what was not understood, with the reason."""
        log.warning("not understood, kept in dead letters", stream=stream, subject=received.subject, reason=reason)
        now = self._now().wall
        await self._until_stored(
            lambda: bury(self._bus, stream, received, reason, by=f"resolver/{self._site}", now=now), "dead", stream
        )

    async def settle(self, answer: Awaitable[None]) -> None:
        """Acknowledge, or let it come again: everything that is read here may be read twice."""
        try:
            await answer
        except TransientError as error:
            log.warning("not acknowledged, it will come again", site=self._site, error=str(error))

    async def _until_stored(self, publish: Callable[[], Awaitable[int]], what: str, name: str) -> int:
        while True:
            try:
                return await publish()
            except TransientError as error:
                log.warning("not stored yet", what=what, name=name, error=str(error))
                await asyncio.sleep(error.retry_after_s or STORE_RETRY_S)


def verdict_subject(verdict: Verdict) -> str:
    """Where it is published."""
    return subjects.verdict(verdict.site, verdict.decision, verdict.intent)
