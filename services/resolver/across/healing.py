"""What has drifted is put back: what each site is to have, by what was declared of it. Pure; at the entry site.

    names ──▶ every site's own declarations are fetched ──▶ of each set the newest, of each copy its original
          ──▶ what a site does not say itself is fetched from another one ──▶ parts that bring it ──▶ asked as usual

Whether anything differs is what the API server's dry run says: what has not drifted is no work. Nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from schemas.identity import ResourceId, SiteName, kind_of
from schemas.intents import Intent
from schemas.scope.tree import Scope
from schemas.ties import PART_OF, SHARED_TO, replicas_at, shared_from, shared_to
from schemas.verdicts import Remedy, Verdict
from services.chassis.kubernetes.sealing import is_secret
from services.resolver.across.asking import Bringing
from services.resolver.across.bringing import FETCH_TIMEOUT_S
from services.resolver.across.declared import (
    copies_in,
    members_of,
    naming_nobody_gone,
    newest_of,
    shares_of,
    stamp_of,
    words_on,
)
from services.resolver.across.parts import resolved
from services.resolver.across.splitting import Divides, with_number
from services.resolver.across.widening import ELSEWHERE
from services.resolver.desk import Desk
from services.resolver.intake import Intake
from services.resolver.judge.case import Problem
from services.resolver.judge.findings import named
from services.resolver.judge.remedies import deleting, healing
from services.resolver.placing import Alternative, part_of
from services.resolver.shares import whole_of_body, with_numbers
from services.resolver.signals import AskSupply, Effect, Moment, Supplied, Want

NOT_DECLARED: Final = "D630"
FILES: Final = " -f FILE"
NAMED_MAX: Final = 100  # resources in a command that is offered
Body = dict[str, Any]


class Asking(Protocol):
    """What is needed of a round."""

    intent: Intent
    intake: Intake
    scope: Scope
    number: int
    deadline_s: float
    bringing: Bringing
    healing: Healing
    only: tuple[SiteName, ...]

    @property
    def way(self) -> Alternative:
        """How the scope is read."""


@dataclass(slots=True)
class Healing:
    """How far one asking is.

    said      by site and resource, what was declared there; heard: who has answered
    own       of copies, in case the original is away
    is_known  what all are to have
    remedies  how to go on where there is nothing to heal with
    """

    said: dict[tuple[SiteName, ResourceId], Body] | None = None
    heard: tuple[SiteName, ...] = ()
    own: dict[tuple[SiteName, ResourceId], Body] = field(default_factory=dict)
    is_known: bool = False
    remedies: tuple[Remedy, ...] = ()


@dataclass(frozen=True, slots=True)
class Healer:
    """At the site where intents are entered."""

    desk: Desk
    divides: Divides

    def fetch(self, asked: Asking, moment: Moment) -> list[Effect]:
        """Every site that may have something to do with it is asked what was declared there."""
        asked.healing.said, asked.healing.is_known = None, False
        rows = ((one.resource, name) for one in asked.intake.changes for name in self._concerned(asked, one.resource))
        return self._ask(asked, [Want(name, one, False, (name,), declared=True) for one, name in rows], moment)

    def supplied(self, asked: Asking, signal: Supplied, moment: Moment) -> list[Effect]:
        """What was fetched has come; what is fetched next, nothing when all is known."""
        healing, bringing = asked.healing, asked.bringing
        if healing.said is None:
            healing.said, healing.heard = {place: body for place, (_, body) in signal.bodies.items()}, signal.heard
            more = list(self._settle(asked, healing.said))
            if more:
                return self._ask(asked, more, moment)
        else:
            for want in bringing.wanted:
                self._bring(asked, want, signal)
        bringing.wanted, healing.is_known = (), True
        return []

    def _ask(self, asked: Asking, wants: list[Want], moment: Moment) -> list[Effect]:
        asked.bringing.wanted = tuple(wants)
        asked.deadline_s = moment.monotonic_s + FETCH_TIMEOUT_S
        return [AskSupply(asked.intent.id, asked.number, tuple(wants))]

    # ── who is concerned ────────────────────────────────────────────────────────────────────────────────────────────

    def _concerned(self, asked: Asking, resource: ResourceId) -> list[SiteName]:
        """As far as is known here; everybody, when nothing is."""
        here, near, state = self.desk.site, self.desk.neighbours, self.desk.graph.find(resource)
        known = list(self.desk.drifts.sites_of(resource))
        if state is not None:
            origin = shared_from(state)
            known += [*replicas_at(state), *shared_to(state), *((origin,) if origin is not None else ())]
        known += self._named(asked, resource) or ()
        others = [one for one in known if one not in (here, *near.gone)] or near.all_but(here)
        return list(dict.fromkeys((here, *others)))

    def _named(self, asked: Asking, resource: ResourceId) -> tuple[SiteName, ...] | None:
        """The sites that are to be healed, if the intent says which."""
        if not asked.intent.scope.strip():
            return asked.only or None
        number = part_of(asked.scope, resource, self.desk.evidence.surface, is_root=True)
        sites = tuple(asked.way.shares[number]) if number is not None else (self.desk.site,)
        return tuple(one for one in sites if not asked.only or one in asked.only)

    # ── what they are to have ───────────────────────────────────────────────────────────────────────────────────────

    def _settle(self, asked: Asking, said: Mapping[tuple[SiteName, ResourceId], Body]) -> Iterator[Want]:
        """Brings what is known already; the rest is fetched."""
        for resource in dict.fromkeys(one.resource for one in asked.intake.changes):
            mine = {name: body for (name, one), body in said.items() if one == resource}
            copies, newest = copies_in(mine), newest_of(mine)
            members = members_of(mine, newest) if newest is not None else ()
            named_sites = self._named(asked, resource)
            if newest is not None and self._is_to_move(asked, resource):
                self._move(asked, resource, mine[newest], newest)
                continue
            those = dict.fromkeys(one for one in (*members, *copies) if one not in self.desk.neighbours.gone)
            sites = [one for one in those if named_sites is None or one in named_sites]
            if not (self._forget_copies(asked, resource, copies) or sites):
                self._refuse(asked, resource, named_sites)
            for name in sites:
                if name in copies:
                    asked.healing.own |= {(name, resource): mine[name]} if name in mine else {}
                    yield Want(name, resource, True, (copies[name],))
                    continue
                assert newest is not None, "a member is a site of it"
                same = name in mine and stamp_of(mine[name]) == stamp_of(mine[newest])
                origin = name if same else newest
                if origin != name and is_secret(mine[origin]):  # sealed for its own site
                    yield Want(name, resource, False, (origin,), declared=True)
                else:
                    self._put_back(asked, name, resource, mine[origin], is_own=origin == name)

    def _forget_copies(self, asked: Asking, resource: ResourceId, copies: Mapping[SiteName, SiteName]) -> bool:
        """An original names no site any more that is gone for good; True: one of them did."""
        gone, named_sites, bringing = self.desk.neighbours.gone, self._named(asked, resource), asked.bringing
        lost = [name for name in copies if name in gone and (named_sites is None or copies[name] in named_sites)]
        for name in lost:
            bringing.unmarks.setdefault(copies[name], {}).setdefault(resource, []).append(name)
        bringing.left_out |= dict.fromkeys(lost)
        return bool(lost)

    def _is_to_move(self, asked: Asking, resource: ResourceId) -> bool:
        """Whether the intent says `rebalance: true` of it: the sites in its scope take over what the others had."""
        is_said = bool(asked.intent.scope.strip())  # else it is in the words of the whole, and stays
        number = part_of(asked.scope, resource, self.desk.evidence.surface, is_root=True) if is_said else None
        return number is not None and asked.scope.parts[number].options.rebalance

    def _move(self, asked: Asking, resource: ResourceId, body: Body, newest: SiteName) -> None:
        """What was declared last, with the share that each of these sites has while the others are lost."""
        whole, fields = whole_of_body(body), self.divides(kind_of(resource))
        named_sites = self._named(asked, resource) or ()
        sites = [one for one in whole.sites if one in named_sites] if whole is not None else []
        if whole is None or not sites or len(fields) != 1:
            message = f"{named(resource)} @ {newest} is not divided with rebalance: true: no share of it moves"
            asked.bringing.supplies.problems[newest, resource] = Problem("D600", message, resource)
            return
        numbers = whole.without([one for one in whole.sites if one not in sites])
        for name in sites:
            mine = with_number(with_numbers(body, numbers), fields[0], numbers[name])
            self._put(asked, name, resource, mine, is_own=True)

    def _bring(self, asked: Asking, want: Want, signal: Supplied) -> None:
        found = signal.bodies.get((want.site, want.resource))
        if want.shared:
            if found is not None:
                asked.bringing.supplies.bring(want, *found, self.desk.hearing.knows)
                asked.bringing.supplies.mark(want, found[0])
                return
            origin = want.origins[0]
            if origin in signal.heard and origin in asked.healing.heard:
                self._refuse_for_good(asked, want, origin)
                return
            own = asked.healing.own.get((want.site, want.resource))  # its original is away: as it was last
            if origin == self.desk.site:
                message = f"{origin} cannot give {named(want.resource)} to {want.site} yet"
                asked.bringing.supplies.problems[want.site, want.resource] = Problem("F501", message, want.resource)
                return
            if own is not None:
                self._put(asked, want.site, want.resource, own, is_own=True)
                return
        if found is None:
            self._refuse(asked, want.resource, (want.site,))
        else:
            self._put_back(asked, want.site, want.resource, found[1], is_own=False)

    def _put_back(self, asked: Asking, name: SiteName, resource: ResourceId, body: Body, *, is_own: bool) -> None:
        """What was declared, naming nobody who is gone for good."""
        body, left_out = naming_nobody_gone(body, self.desk.neighbours.gone)
        asked.bringing.left_out |= dict.fromkeys(left_out)
        self._put(asked, name, resource, body, is_own=is_own)

    def _put(self, asked: Asking, name: SiteName, resource: ResourceId, body: Body, *, is_own: bool) -> None:
        """What was declared, with the share of its site; the words of its set are in it."""
        if not is_own and PART_OF in words_on(body, "labels"):
            fields = self.divides(kind_of(resource))
            share = shares_of(body).get(name)
            if fields and (len(fields) > 1 or share is None):  # of several numbers one is not enough
                self._refuse(asked, resource, (name,))
                return
            body = with_number(body, fields[0], share) if fields and share is not None else body
        metadata = dict(body["metadata"])
        metadata["annotations"] = {key: one for key, one in words_on(body, "annotations").items() if key != SHARED_TO}
        asked.bringing.supplies.brought.setdefault(name, {})[resource] = {**body, "metadata": metadata}

    def _refuse_for_good(self, asked: Asking, want: Want, origin: SiteName) -> None:
        """The original is gone: its site answers, and has none. A copy cannot become what it is."""
        said = asked.healing.said or {}
        copies = sorted({one for one, resource in said if resource == want.resource} - {origin})
        left = f"its copies at {', '.join(copies)} stay as they are" if copies else "no copy of it is left"
        message = f"the original {named(want.resource)} @ {origin} is gone; {left}"
        asked.bringing.supplies.problems[want.site, want.resource] = Problem(NOT_DECLARED, message, want.resource)
        anew = Remedy(
            command=f"cheops apply -f ORIGINAL.yaml --site {origin}",
            effect="make it again there, and its copies follow",
        )
        drops = [
            Remedy(command=deleting(name, [want.resource]), effect=f"or delete the copy at {name}, if nobody needs it")
            for name in copies
        ]
        asked.healing.remedies = tuple(dict.fromkeys((*asked.healing.remedies, anew, *drops)))

    def _refuse(self, asked: Asking, resource: ResourceId, sites: tuple[SiteName, ...] | None) -> None:
        code, there = NOT_DECLARED, self.desk.graph.find(resource)
        silent = [one for one in self._concerned(asked, resource) if one not in asked.healing.heard]
        at = f" @ {' & '.join(sites)}" if sites else ""
        why = "no site that answers says what was declared of it"
        if there is not None and not (replicas_at(there) or shared_to(there) or shared_from(there)):
            why = "it is no replica, no part and no copy, so nothing was declared of it"
        elif silent:  # unknown is not absent
            code, why = "F501", f"{', '.join(silent)} did not say what was declared of it"
        problem = Problem(code, f"{named(resource)}{at}: {why}", resource)
        asked.bringing.supplies.problems[sites[0] if sites else self.desk.site, resource] = problem


def as_healing(verdict: Verdict, intent: Intent, desk: Desk) -> Verdict:
    """The same, saying what it is for, and what to heal instead; without remedies that add to a FILE: there is none."""
    said = verdict.summary.removeprefix("apply ").replace(": nothing to do", ": nothing to heal")
    said = said if said.startswith("heal ") else f"heal {said}"
    if not verdict.targets:
        said = said.replace("heal intent @", f"heal {' '.join(intent.resources)} @", 1)
    remedies = (one for one in verdict.remedies if FILES not in one.command)
    return verdict.model_copy(update={"summary": said, "remedies": (*_instead(verdict, intent, desk), *remedies)})


def _instead(verdict: Verdict, intent: Intent, desk: Desk) -> Iterator[Remedy]:
    """Heal what it needs there, too, if all of that was declared there; or leave out what has nothing to heal with."""
    rows = [(one, one.resource) for one in verdict.reasons if one.severity == "deny" and one.resource is not None]
    codes, about = {one.code for one, _ in rows}, list(dict.fromkeys(resource for _, resource in rows))
    found = (resolved(desk.evidence.surface, one, intent.namespace) for one in intent.resources)
    asked = [one for one in found if one is not None]
    where = f" --scope '{intent.scope.strip()}'" if intent.scope.strip() else ""
    if codes == {ELSEWHERE} and all(_was_declared_at(one.site, resource, desk) for one, resource in rows):
        more = list(dict.fromkeys((*about, *asked)))
        if len(more) <= NAMED_MAX:
            yield Remedy(command=healing(intent.site, more) + where, effect="heal what it needs there, too")
    left = [one for one in asked if one not in about]
    if codes == {NOT_DECLARED} and 0 < len(left) <= NAMED_MAX:
        yield Remedy(command=healing(intent.site, left) + where, effect="heal the others")


def _was_declared_at(site: SiteName, resource: ResourceId, desk: Desk) -> bool:
    """As far as is known here: of a set with that site, or shared to it; or it has drifted here."""
    state = desk.graph.find(resource)
    if state is None:
        return site == desk.site and bool(desk.drifts.sites_of(resource))
    return site in (*replicas_at(state), *shared_to(state))
