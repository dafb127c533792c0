"""Chains intent → verdicts → outcomes, as the streams of one server hold them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

from schemas import subjects
from schemas.alerts import Alert
from schemas.identity import SiteName
from schemas.intents import Intent as EnteredIntent
from schemas.outcomes import Outcome
from schemas.verdicts import Verdict
from services.chassis.bus.port import Bus

Told = TypeVar("Told", Verdict, Alert, Outcome)


@dataclass(frozen=True, slots=True)
class Chain:
    """The whole story of an intent, from the streams."""

    intent: EnteredIntent | None
    verdicts: tuple[Verdict, ...]
    outcomes: tuple[Outcome, ...]

    @property
    def site(self) -> SiteName:
        """Where it was decided."""
        return self.verdicts[-1].site if self.verdicts else self.intent.site if self.intent else SiteName("")

    @property
    def is_part(self) -> bool:
        """Only what one site was asked to do; the whole was entered elsewhere."""
        return self.intent is not None and self.intent.entry not in (None, self.intent.site)


async def scanned(
    bus: Bus,
    stream: subjects.StreamName,
    subject: str,
    model: type[Told],
    seen: set[bytes] | None = None,
    after_seq: int = 0,
) -> AsyncIterator[Told]:
    """What the stream of one server holds of a subject; `seen` gets the payloads behind this message of the stream."""
    async for received in bus.scan(stream, subject):
        if seen is not None and received.stream_seq > after_seq:
            seen.add(received.payload)
        yield model.from_json(received.payload)


async def chain_at(bus: Bus, site: SiteName, intent_id: str) -> Chain | None:
    """The story as one server has it; None when it has none."""
    entered = await bus.last("INTENTS", subjects.intent_filter(site, intent_id))
    stored = entered or await bus.last("PARTS", subjects.part(site, intent_id))
    intent = EnteredIntent.from_json(stored.payload) if stored else None
    if intent is not None and site == "*":
        site = intent.site
    verdicts = [one async for one in scanned(bus, "VERDICTS", subjects.verdict(site, "*", intent_id), Verdict)]
    outcomes = [one async for one in scanned(bus, "OUTCOMES", subjects.outcome(site, intent_id, "*"), Outcome)]
    if intent is None and not verdicts:
        return None
    revisions = {one.revision: one for one in verdicts}  # one that was asked for again is stored again
    return Chain(intent, tuple(revisions[number] for number in sorted(revisions)), tuple(outcomes))
