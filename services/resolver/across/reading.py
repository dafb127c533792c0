"""How an intent's scope is read where it is entered: sites, ways, the part of each; what is wrong with it. Pure."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from msgspec import structs

from schemas.identity import ResourceId, ResourceKey, SiteName
from schemas.intents import Intent
from schemas.peers import Part
from schemas.scope.errors import ScopeError
from schemas.scope.offered import check_offered
from schemas.scope.parse import parse_scope, part_columns, site_columns
from schemas.scope.sites import check_sites
from schemas.scope.tree import Part as ScopePart
from schemas.scope.tree import Scope, Site, replicate
from schemas.ties import REPLICA_SET, declared, is_member, shared_to
from schemas.verdicts import Verdict
from services.resolver.across.gone import scope_without
from services.resolver.across.nearest import nearest_first
from services.resolver.across.parts import parts_of, resolved
from services.resolver.across.pending import PENDING
from services.resolver.across.sets import Told, members, scope_without_words, sets_of
from services.resolver.across.splitting import Divides, Gone, Splitter
from services.resolver.desk import Desk
from services.resolver.graph.remembered import RememberedView
from services.resolver.intake import Intake
from services.resolver.judge.case import Change, Problem
from services.resolver.judge.ties import is_tied
from services.resolver.placing import Alternative, alternatives, is_crossed, part_of, unknown_kinds
from services.resolver.signals import Moment


@dataclass(frozen=True, slots=True)
class Reading:
    """One site's way to read intents that are entered there."""

    desk: Desk
    divides: Divides

    def concerns(self, intent: Intent) -> bool:
        """Whether an intent is for more than this site, or its targets are tied to others."""
        here = intent.scope.strip() in ("", self.desk.site)
        return intent.entry is None and (not here or intent.heal or self._is_tied(intent))

    def _is_tied(self, intent: Intent) -> bool:
        """Whether other sites have to be heard or told: replicas and parts, what a deletion names here."""
        surface, view = self.desk.evidence.surface, RememberedView(self.desk.graph)
        if intent.verb == "delete":
            named = (resolved(surface, text, intent.namespace) for text in intent.resources)
            return any(is_tied(view, one) for one in named if one is not None)
        if intent.verb == "read":  # of replicas the nearest fresh one is read; a part says itself where the others are
            read = [resolved(surface, text, intent.namespace) for text in intent.resources]
            return any(REPLICA_SET in one.labels for one in members(view, [one for one in read if one is not None]))
        written = (self.desk.hearing.placed(body, intent.namespace) for body in intent.manifests)
        states = (view.find(one) for one in written if one is not None)
        return any(one is not None and (is_member(one) or bool(shared_to(one))) for one in states)

    def declared(self, intake: Intake) -> list[tuple[int, str]]:
        """When the replicas and parts here were declared that an intent is about, and by whom."""
        return [declared(one) for one in members(self.desk.graph, (one.resource for one in intake.changes))]

    def declared_by(self, intent: Intent, intake: Intake, *, is_late: bool = False) -> int:
        """When an intent was done here, as the objects say; earlier than all when another one has overtaken it.

        is_late   it is open for other sites: this one may have left the set since
        """
        unseen = self.desk.docket.since(intent.id) if is_late and self._has_left(intent, intake) else 1
        return max((stamp for stamp, declarer in self.declared(intake) if declarer == intent.id), default=unseen)

    def scope_of(self, intent: Intent, intake: Intake) -> Scope:
        """What it says, or what no scope means. Raises ScopeError."""
        text = intent.scope.strip()
        if text:
            return scope_without(parse_scope(text), self._gone)
        here = [one.resource for one in intake.changes]
        return scope_without_words(self.desk.graph, here, self.desk.site, self._gone)

    def _late_scope(self, intent: Intent, intake: Intake) -> Scope | None:
        """Of an update that is open for some sites: the set as it is now, which others may have left meanwhile.

        Where this site has left it, what was asked says who else is of it; None: the scope is what it was.
        """
        here, in_force = [one.resource for one in intake.changes], self.desk.docket.known(intent.id)
        if intent.heal or intent.verb == "delete" or in_force is None:
            return None
        if len(list(members(self.desk.graph, here))) == len(here):
            return scope_without_words(self.desk.graph, here, self.desk.site, self._gone)
        if not self._has_left(intent, intake):
            return None
        left = {*self._gone, self.desk.site}
        if text := intent.scope.strip():
            return scope_without(parse_scope(text), left)
        pending = (one.site for one in in_force.reasons if one.code == PENDING)
        others = sorted({*(one.site for one in in_force.evidence), *pending} - left)
        return Scope((ScopePart(None, replicate(map(Site, others))),)) if others else None

    def _has_left(self, intent: Intent, intake: Intake) -> bool:
        """Nothing here is of a set any more; what an intent names is known to be the same at all sites of one."""
        keys, text = [ResourceKey.parse(one.resource) for one in intake.changes], intent.scope.strip()
        if self.declared(intake):
            return False
        if text:
            return not any(is_crossed(part.location) for part in parse_scope(text).parts)
        return len(keys) == 1 and bool(keys[0].namespace) and not self.divides(keys[0].kind_id)

    @property
    def _gone(self) -> set[SiteName]:
        return self.desk.neighbours.gone

    def wider(self, text: str) -> tuple[Scope, Sequence[Alternative]] | None:
        """A scope that is tried, at those that are left; None for a name that the language cannot say."""
        try:
            scope = scope_without(parse_scope(text), self._gone)
            return scope, self._ways(scope)
        except ScopeError:
            return None

    def ways(
        self, intent: Intent, intake: Intake, *, is_late: bool = False
    ) -> tuple[Scope, Sequence[Alternative]] | list[Problem]:
        """The scope and the ways to read it, best first; or what is wrong with the intent wherever it is done.

        is_late   it is done but for some sites
        """
        if intake.problems:
            return list(intake.problems)
        try:
            late = self._late_scope(intent, intake) if is_late else None
            scope, text = late or self.scope_of(intent, intake), intent.scope.strip()
            if text and late is None and not intent.heal:  # what objects carry was taken in before
                check_offered(scope, text)
            unknown = check_sites(scope, self.desk.neighbours.known | {self.desk.site})
            if unknown and text:  # of what objects say, somebody may have written a word, or a site is not known yet
                columns = site_columns(text)
                words = {one.name: " any more: it is gone for good (CHEOPS_GONE)" for one in unknown}
                words = {name: text for name, text in words.items() if name in self._gone}
                return [Problem("D601", one.sentence(columns) + words.get(one.name, "")) for one in unknown]
            if problems := self._unknown_kinds(intent, intake, scope):
                return problems
            return scope, self._ways(scope, is_read=intent.verb == "read")
        except ScopeError as error:
            return [Problem("D600", error.sentence)]

    def _unknown_kinds(self, intent: Intent, intake: Intake, scope: Scope) -> list[Problem]:
        """A word for a kind that is none would place nothing, and say nothing."""
        text = intent.scope.strip()
        columns = part_columns(text) if text else []
        here = (one.resource for one in intake.changes)
        unknown = unknown_kinds(scope, self.desk.evidence.surface, here) if text else ()
        return [Problem("D600", f"column {columns[number][0]} of the scope: {error}") for number, error in unknown]

    def parts(
        self, intent: Intent, intake: Intake, scope: Scope, way: Alternative, age: int, told: Told, gone: Gone
    ) -> tuple[Mapping[SiteName, Part], tuple[Problem, ...]]:
        """What each site is asked in one way to read the scope.

        told    where sets are, as other sites say     gone   what a site is not to get
        """
        here = self.desk.site
        sets = sets_of(self.desk.graph, (one.resource for one in intake.changes), told, here, self._gone)
        splitter = Splitter(scope, way, self.desk.evidence.surface, here, self.divides, sets, gone)
        parts, problems = parts_of(intent, intake, splitter, age)
        return parts, tuple(self.placed(intent, scope, one) for one in problems)

    def placed(self, intent: Intent, scope: Scope, problem: Problem) -> Problem:
        """What cannot be divided, or not be shared, with the column of the scope that wants it."""
        text, resource = intent.scope.strip(), problem.resource
        if problem.code not in ("D610", "D620") or not text or resource is None:
            return problem
        number = part_of(scope, resource, self.desk.evidence.surface, is_root=problem.code == "D620")
        if number is None:
            return problem
        begin, percent = part_columns(text)[number]
        message = f"column {percent or begin} of the scope: {problem.message}"
        return structs.replace(problem, message=message)

    def writes_at(self, intent: Intent, moment: Moment) -> Mapping[SiteName, Set[ResourceId]]:
        """What it would change at which sites, in any way to read its scope as it is now."""
        intake, found = self.take_in(intent, moment), dict[SiteName, set[ResourceId]]()
        read = self.ways(intent, intake)
        if not isinstance(read, tuple):
            return {}
        for way in read[1]:
            for name, part in self.parts(intent, intake, read[0], way, 0, Told(), {})[0].items():
                found.setdefault(name, set()).update(self.named_in(part))
        return found

    def named_in(self, part: Intent) -> Iterator[ResourceId]:
        """What a part names, as it is called here."""
        yield from map(self.desk.hearing.identity, part.manifests)
        named = (resolved(self.desk.evidence.surface, text, part.namespace) for text in part.resources)
        yield from (one for one in named if one is not None)

    def parts_again(self, intent: Intent, verdict: Verdict, moment: Moment) -> Mapping[SiteName, Part]:
        """What each site was asked that a verdict rests on, as far as the intent says it.

        A site that was left out (`min`) has given no evidence. Of what was brought from elsewhere or marked, nothing
        stands in the intent: such a part is left out.
        """
        sites = {claim.site for claim in verdict.evidence}
        intake = self.take_in(intent, moment)
        scope = self.scope_of(intent, intake)
        found: Mapping[SiteName, Part] = {}
        told = Told()
        for step in verdict.plan:
            if step.action != "delete":  # who is of a set changes at all its sites
                told.hear(step.resource, (step.site,))
        for way in self._ways(scope, is_read=intent.verb == "read"):
            parts, _ = self.parts(intent, intake, scope, way, self.declared_by(intent, intake), told, {})
            parts = {**parts, **_deleting(intent, verdict, parts)}
            known = {name: part for name, part in parts.items() if name in sites and self._explains(part, verdict)}
            found = known if len(known) > len(found) else found
        return found

    def _explains(self, part: Part, verdict: Verdict) -> bool:
        """Whether it holds all that its site is to write."""
        held = {self.desk.hearing.identity(body) for body in part.manifests}
        mine = (step for step in verdict.plan if step.site == part.site)
        return all(step.action == "delete" or step.resource in held for step in mine)

    def is_known(self, verdict: Verdict) -> bool:
        """Whether every site that a verdict rests on is a site of ours still."""
        return {claim.site for claim in verdict.evidence} <= {*self._sites()}

    def wrong(self, intent: Intent, problems: Sequence[Problem], moment: Moment, changes: Sequence[Change]) -> Verdict:
        """The verdict on an intent that is not worth asking about. `changes`: what it names."""
        intake = Intake(tuple(changes), tuple(problems), {})
        case = self.desk.hearing.case(intent, intake, 1, moment)
        return self.desk.hearing.judge(case, self.desk.view(), moment)

    def _ways(self, scope: Scope, *, is_read: bool = False) -> list[Alternative]:
        trips_s = self.desk.neighbours.round_trip_s
        near = {(self.desk.site, name): one for name, one in trips_s.items()}
        ways = alternatives(scope, self._sites(), near, self.desk.site)
        if not is_read:
            return ways
        return nearest_first(ways, lambda name: 0.0 if name == self.desk.site else trips_s.get(name, math.inf))

    def _sites(self) -> list[SiteName]:
        return [self.desk.site, *self.desk.neighbours.all_but(self.desk.site)]

    def take_in(self, intent: Intent, moment: Moment) -> Intake:
        """Only what is wrong wherever it is done: which kinds are served, each site says for itself."""
        local = intent.model_copy(update={"scope": ""})
        intake = self.desk.hearing.take_in(local, moment)
        if intent.heal:
            return intake  # what it names is named here
        problems = tuple(one for one in intake.problems if one.code not in ("D001", "F502"))
        return Intake(intake.changes, problems, intake.manifests)


def _deleting(intent: Intent, verdict: Verdict, parts: Container[SiteName]) -> dict[SiteName, Part]:
    """The parts of sites that only delete, of what they were to do: their copies, or a set that they leave.

    What tied them to the intent may be gone with what was done of it before.
    """
    made: dict[SiteName, Part] = {}
    common = intent.model_dump(by_alias=True, exclude={"site", "scope", "resources", "manifests", "entry", "verb"})
    for name in dict.fromkeys(claim.site for claim in verdict.evidence if claim.site not in parts):
        steps = [one for one in verdict.plan if one.site == name]
        if steps and all(one.action == "delete" for one in steps):
            resources = tuple(one.resource for one in steps)
            made[name] = Part(**common, verb="delete", site=name, entry=intent.site, resources=resources)
    return made
