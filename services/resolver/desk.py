"""What every part of a resolver's machine works on: the site's graph, its evidence, what is in flight, its intents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from schemas.identity import ResourceId, SiteName
from schemas.intents import BOUND_DEFAULT_S, Intent
from schemas.kinds import Surface
from schemas.peers import LOOKUP_MAX
from schemas.queries import ResyncRequest
from schemas.verdicts import Verdict
from services.resolver.deeds import Deeds
from services.resolver.docket import Docket, World
from services.resolver.drift import Drifts
from services.resolver.evidence import SiteEvidence
from services.resolver.graph.store import Graph
from services.resolver.graph.view import View
from services.resolver.hearing import Hearing
from services.resolver.holds import Holds
from services.resolver.intake import Intake
from services.resolver.judge.case import Problem
from services.resolver.judge.findings import named
from services.resolver.marking import keeping_words, marked
from services.resolver.neighbours import Neighbours
from services.resolver.ruling import Ruling
from services.resolver.shares import whole_of_state
from services.resolver.signals import AskResync, Effect, Moment

MISSING: Final = ("D110", "D140")


@dataclass(frozen=True, slots=True)
class Desk:
    """One site's tables."""

    site: SiteName
    graph: Graph
    evidence: SiteEvidence
    hearing: Hearing
    neighbours: Neighbours
    holds: Holds
    drifts: Drifts
    ruling: Ruling
    docket: Docket = field(default_factory=Docket)
    deeds: Deeds = field(default_factory=Deeds)

    def view(self, own: str = "") -> View:
        """The site under everything that was allowed and is not visible yet; `own`: the intent that asks."""
        return self.holds.view(self.graph, own)

    def take_in(self, part: Intent, moment: Moment) -> Intake:
        """A part made concrete; what is to be marked is as it is known now, and the word on it."""
        intake = self.hearing.take_in(part, moment)
        if intake.manifests:
            intake = keeping_words(intake, self.graph)
        if part.heal and part.entry is not None:
            intake = structs.replace(intake, problems=(*intake.problems, *self._shares_that_stay(intake, moment)))
        return self._marked(part, intake) if part.marks else intake

    def marked_anew(self, part: Intent, intake: Intake) -> Intake:
        """The same; what is to be marked is as it is known now: others may have written it since it was taken in."""
        return self._marked(part, intake) if part.marks else intake

    def _marked(self, part: Intent, intake: Intake) -> Intake:
        return marked(intake, part.marks, self.graph, self.neighbours.gone, lambda one: bool(self.drifts.sites_of(one)))

    def versions(self, intake: Intake) -> tuple[str, ...]:
        """Of what an intent is about, as they are known now."""
        found = (self.graph.find(one.resource) for one in intake.changes)
        return tuple(one.resource_version if one is not None else "" for one in found)

    def _shares_that_stay(self, intake: Intake, moment: Moment) -> Iterator[Problem]:
        """Nobody takes over the share of a site that is heard here (docs/adr/0023-rebalance.md)."""
        for change in intake.changes:
            whole = whole_of_state(change.after) if change.after is not None else None
            state = self.graph.find(change.resource) if whole is not None else None
            before = whole_of_state(state) if state is not None else None
            if whole is None or (before is not None and before.numbers == whole.numbers):
                continue
            moves = whole.moved - (before.moved if before is not None else frozenset())
            near = sorted(name for name in moves if self.can_ask(name, moment))
            if near:
                message = (
                    f"{', '.join(near)} is heard at {self.site}: its share of {named(change.resource)} stays there"
                )
                yield Problem("D631", message, change.resource)

    def to_look_up(self, verdict: Verdict, moment: Moment) -> tuple[ResourceId, ...]:
        """What it lacks and another site may have, worth asking for before it is denied; () when nobody is near."""
        if verdict.decision != "deny" or not self.neighbours.near(moment.monotonic_s):
            return ()
        missing = (one.resource for one in verdict.reasons if one.code in MISSING and one.resource is not None)
        return tuple(dict.fromkeys(missing))[:LOOKUP_MAX]

    def can_ask(self, site: SiteName, moment: Moment) -> bool:
        """Whether a question to this site would be heard: it is this one, or it was heard of late."""
        return site == self.site or self.neighbours.reachable(site, moment.monotonic_s)

    def serve(self, surface: Surface, read_by: str) -> None:
        """The site serves these kinds from now on, and its watcher reads by this edition of the rules."""
        self.evidence.surface = surface
        self.hearing.serve(surface)
        self.ruling.hear(read_by, self.graph.kinds())

    def doubts(self, moment: Moment) -> list[Effect]:
        """Ask the watcher to list again, when it was heard and something may have been missed."""
        self.ruling.settle(self.evidence, self.hearing)
        reason = self.evidence.wants_resync(moment.monotonic_s)
        if not reason or self.evidence.heard_at_s is None:
            return []
        self.evidence.asked(moment.monotonic_s)
        kinds = self.ruling.vouched({kind: self.graph.digest(kind) for kind in self.graph.kinds()})
        request = ResyncRequest(site=self.site, reason=reason, epoch_seen=self.evidence.epoch_seen, kinds=kinds)
        return [AskResync(request)]

    def world(self, moment: Moment) -> World:
        """As it is now, for who waits for a change of it."""
        claim, now_s = self.evidence.written_claim, moment.monotonic_s
        blind = claim(BOUND_DEFAULT_S, now_s).blind
        return World(lambda bound_s: claim(bound_s, now_s).fresh, blind, self.holds.generation, self._changed)

    def _changed(self, intent_id: str) -> int:
        """Another number when an intent takes or lets go of something, and when it ends."""
        return self.holds.changed(intent_id) or -(intent_id in self.docket.active)
