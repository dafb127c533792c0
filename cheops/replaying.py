"""A stored verdict → the same decision, run again on the site as it was at the verdict's cursor.

VERDICTS (verdict, basis) ──▶ EVENTS up to its cursor ──▶ graph ──▶ decide ──▶ equal bytes, or what differs and why
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas import subjects
from schemas.basis import HEADER, Basis, unpack
from schemas.batches import decode_batch
from schemas.events import EventBatch, ResourceEvent
from schemas.identity import KindId, SiteName, site_name
from schemas.relations.loader import Catalogue
from schemas.verdicts import Evidence, Verdict
from services.chassis.bus.port import Bus, Received
from services.chassis.errors import PermanentError
from services.resolver.basis import decide_again
from services.resolver.graph.store import Graph
from services.resolver.judge.policy import Policy

STORED_WITHIN_S: Final = 0.5


class ReplayError(PermanentError):
    """The decision cannot be run again; the message says what is missing."""


class DecidedTogetherError(ReplayError):
    """It was put together from what several sites said: the parts can be run again, not the whole."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"{verdict.intent} was decided by several sites, each on its own evidence")
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Replay:
    """What came out. `aged`: what the event stream no longer tells (kinds of which no listing is left)."""

    stored: Verdict
    again: Verdict
    same: bool
    aged: tuple[KindId, ...]
    events: int


@dataclass(slots=True)
class _Past:
    """A site's graph, built from its stored events up to a cursor."""

    graph: Graph
    epoch: int = 0
    seq: int = 0
    events: int = 0
    listed: set[KindId] = field(default_factory=set)
    touched: set[KindId] = field(default_factory=set)

    def take(self, batch: EventBatch, until: Evidence) -> bool:
        """Apply what is not known yet and not later than the cursor; True when the cursor is reached."""
        if batch.epoch < self.epoch or (batch.epoch > until.epoch):
            return False
        if batch.epoch > self.epoch:
            self.epoch, self.seq = batch.epoch, 0
        for place, event in enumerate(batch.events):
            number = batch.seq + place
            if number <= self.seq or (batch.epoch == until.epoch and number > until.seq):
                continue
            self.seq = number
            self._apply(event)
        return (self.epoch, self.seq) == (until.epoch, until.seq)

    def _apply(self, event: ResourceEvent) -> None:
        self.events += 1
        self.graph.apply(event)
        if event.op == "sync_end":
            self.listed.add(event.kind)
        elif event.op == "sync_same":
            self.touched.add(event.kind)

    @property
    def aged(self) -> tuple[KindId, ...]:
        """Kinds that were confirmed as unchanged since a listing that the stream does not hold."""
        return tuple(sorted(self.touched - self.listed))


async def replay(
    bus: Bus, intent_id: str, catalogue: Catalogue, policy: Policy, *, site: str = "*", revision: int = 0
) -> Replay:
    """Run a stored decision again (the newest revision, unless one is named). Raises ReplayError."""
    where = site_name(site) if site != "*" else SiteName("*")
    try:
        received = await _stored(bus, where, intent_id, revision)
    except ReplayError:  # who subscribes hears a verdict a moment before it is stored
        await asyncio.sleep(STORED_WITHIN_S)
        received = await _stored(bus, where, intent_id, revision)
    verdict = Verdict.from_json(received.payload)
    basis = _basis(received, verdict)
    if verdict.policy != policy.digest:
        raise ReplayError(
            f"{intent_id} was decided under the policy {verdict.policy}, this is {policy.digest} (say --policy FILE)"
        )
    past = await _past(bus, verdict)
    again = _numbered(decide_again(verdict, basis, past.graph, policy, catalogue.sources_of), verdict)
    same = again.to_json() == received.payload
    return Replay(verdict, again, same, () if same else past.aged, past.events)


def _numbered(again: Verdict, stored: Verdict) -> Verdict:
    """A part of a plan of several sites has that plan's numbers: the same work under the numbers that are stored."""

    def work(verdict: Verdict) -> list[tuple[str, str, str]]:
        return [(one.action, one.resource, one.preconditions.to_json().decode()) for one in verdict.plan]

    return again.model_copy(update={"plan": stored.plan}) if work(again) == work(stored) else again


async def _stored(bus: Bus, site: SiteName, intent_id: str, revision: int) -> Received:
    found: dict[int, Received] = {}
    async for received in bus.scan("VERDICTS", subjects.verdict(site, "*", intent_id)):
        found.setdefault(Verdict.from_json(received.payload).revision, received)  # later ones repeat it, without basis
    if not found:
        raise ReplayError(f"no verdict on {intent_id!r} is stored (they are kept for 30 days)")
    wanted = revision or max(found)
    if wanted not in found:
        raise ReplayError(f"{intent_id} has no revision {wanted} (there are {', '.join(map(str, sorted(found)))})")
    return found[wanted]


def _basis(received: Received, verdict: Verdict) -> Basis:
    packed = received.headers.get(HEADER)
    if packed:
        return unpack(packed)
    if verdict.undoes is not None:
        raise ReplayError(
            f"revision {verdict.revision} of {verdict.intent} takes back what revision {verdict.undoes} had done, "
            f"and rests on that alone: say --revision {verdict.undoes}"
        )
    if any(one.site != verdict.site for one in verdict.evidence):
        raise DecidedTogetherError(verdict)
    why = "no site was asked about it, it was too large, or an earlier version decided it"
    raise ReplayError(f"{verdict.intent} carries no basis: {why}")


async def parts_of(buses: Sequence[Bus], verdict: Verdict) -> list[SiteName]:
    """The sites that stored their own part of a decision of several, with what it rested on."""
    found: set[SiteName] = set()
    for bus in buses:
        async for received in bus.scan("VERDICTS", subjects.verdict(SiteName("*"), "*", verdict.intent)):
            part = Verdict.from_json(received.payload)
            if received.headers.get(HEADER) and part.revision == verdict.revision:
                found.add(part.site)
    return sorted(found)


def together(verdict: Verdict, parts: Sequence[SiteName]) -> ReplayError:
    """What to say instead of the site where a decision of several was put together."""
    said = f"revision {verdict.revision} of {verdict.intent} was put together at {verdict.site} from what sites said"
    if parts:
        return ReplayError(f"{said}, each on its own evidence: say {' or '.join(f'--site {one}' for one in parts)}")
    return ReplayError(f"{said}, and no site that answers has stored a part of it: it cannot be run again")


async def _past(bus: Bus, verdict: Verdict) -> _Past:
    until = verdict.evidence[0]
    past = _Past(Graph(verdict.site))
    if (until.epoch, until.seq) == (0, 0):
        return past
    batches: AsyncIterator[Received] = bus.scan("EVENTS", subjects.event(verdict.site))
    first = ""
    async for received in batches:
        batch = decode_batch(received.payload)
        first = first or f"{batch.epoch}:{batch.seq}"
        if past.take(batch, until):
            return past
    left = f"it begins at {first} and reaches {past.epoch}:{past.seq}" if first else "it holds none of this site"
    raise ReplayError(f"event {until.epoch}:{until.seq} of {verdict.site} is not in the stream any more ({left})")


def differing(stored: Verdict, again: Verdict) -> list[str]:
    """The fields that differ, with both values, one line each."""
    one, other = stored.model_dump(mode="json", by_alias=True), again.model_dump(mode="json", by_alias=True)
    return [f"{name}: {one[name]!r} then, {other[name]!r} now" for name in one if one[name] != other[name]]
