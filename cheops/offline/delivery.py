"""A bundle in a scope → what each site gets of it, and of what it needs from elsewhere.

place ──▶ whole or divided bodies per site ──▶ judged there ──▶ what is missing is brought where a part names it
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cheops.offline.check import Act, Court, judge_at
from cheops.offline.sites import OfflineSite, placed
from schemas.events import ResourceState
from schemas.identity import ResourceId, SiteName, kind_of
from schemas.scope.sites import site_names
from schemas.scope.tree import Scope
from schemas.verdicts import Reason, Verdict, Wait
from services.resolver.across.asking import LEAVES, told_of
from services.resolver.across.sets import Told, sets_of, spread_at
from services.resolver.across.splitting import Splitter
from services.resolver.across.supply import MISSING, Naming, Supplies, bare_namespace
from services.resolver.judge.case import Problem
from services.resolver.judge.findings import named
from services.resolver.placing import Alternative, Sets
from services.resolver.signals import Want

Body = dict[str, Any]


_SILENT: Final = ("F501", "is unreachable")
_OLD: Final = ("F502", "was last heard too long ago")


@dataclass(slots=True)
class Delivery:
    """What each site gets of a bundle, and of what it needs from elsewhere."""

    court: Court
    act: Act
    scope: Scope
    way: Alternative
    bodies: dict[SiteName, dict[ResourceId, Body]] = field(default_factory=dict)
    problems: dict[SiteName, dict[ResourceId, Problem]] = field(default_factory=dict)
    bundle: dict[ResourceId, Body] = field(default_factory=dict)
    supplies: Supplies = field(default_factory=Supplies)
    told: Told = field(default_factory=Told)
    doubts: dict[ResourceId, tuple[Reason, Wait]] = field(default_factory=dict)
    unfound: dict[tuple[SiteName, ResourceId], tuple[Reason, Wait]] = field(default_factory=dict)

    @property
    def entry(self) -> OfflineSite:
        """Where the intent is entered."""
        return next(iter(self.court.sites.values()))

    def load(self) -> None:
        """Give each resource of the bundle to its sites, whole or divided."""
        home = self.entry
        states: dict[ResourceId, ResourceState] = {}
        for manifest in self.act.manifests:
            body = placed(manifest, self.act.namespace)
            state = home.extractor.state(body)
            states[state.resource], self.bundle[state.resource] = state, body
        splitter = Splitter(
            self.scope, self.way, home.surface, home.name, self.court.catalogue.divides, self._sets(states)
        )
        split = splitter.bundle(self.bundle, states)
        self.bodies = {name: dict(mine) for name, mine in split.bodies.items()}
        if split.problems:
            self.problems[home.name] = dict(split.problems)

    def _sets(self, resources: Collection[ResourceId]) -> Sets:
        """Where those are that are of a set, as it is known at the entry site and as others have told."""
        sets = sets_of(self.entry.graph, resources, self.told, self.entry.name)
        known = self.court.sites.keys()
        return {one: part for one, part in sets.items() if known >= {*site_names(Scope((part,)))}}

    def relocated(self, verdicts: Mapping[SiteName, Verdict]) -> bool:
        """Whether sites have told where a set is, which is news: then each resource is given to its sites once more."""
        news = False
        for teller, verdict in verdicts.items():
            for resource, sites in told_of(verdict, LEAVES):
                news = self.told.hear(resource, (teller, *sites)) or news
                self.told.spread.update(spread_at(self.court.sites[teller].graph, (resource,)))
        if news:
            self.load()
        return news

    def judged(self) -> dict[SiteName, Verdict]:
        """Each site on its part."""
        rows: dict[SiteName, Verdict] = {}
        names = list(self.bodies) or [self.entry.name]
        for name in names:
            manifests = tuple(self.bodies.get(name, {}).values())
            problems = tuple(self.problems.get(name, {}).values())
            verdict = judge_at(self.court, replace(self.act, manifests=manifests), self.court.sites[name], problems)
            rows[name] = self._unsettled(verdict, name)
        return rows

    def supply(self, verdicts: Mapping[SiteName, Verdict]) -> bool:
        """Bring what is missing where a part names it; False when there is nothing more to bring."""
        naming = Naming(self.scope, self.way, self.entry.surface, list(self.court.sites))
        brought = False
        for want in self.supplies.fresh(naming.wants(verdicts)):
            found = self._found(want)
            if want.resource in self.bodies.get(want.site, {}):
                continue
            if found is None:
                brought = self._unfound(want) or brought
                continue
            self._doubt(want, found[0])
            self.supplies.bring(want, *found, self.court.catalogue.kinds.get)
            problem = self.supplies.problems.get((want.site, want.resource)) or self._going(want, found[0])
            if problem is not None:
                self.problems.setdefault(want.site, {})[want.resource] = problem
            else:
                self.bodies.setdefault(want.site, {})[want.resource] = self.supplies.brought[want.site][want.resource]
            brought = True
        return brought

    def _going(self, want: Want, origin: SiteName) -> Problem | None:
        """What is being deleted takes the copies with it that are shared from it; a replica stays."""
        state = self.court.sites[origin].graph.find(want.resource)
        if not want.shared or want.resource in self.bundle or state is None or not state.deleting:
            return None
        return Problem("D111", f"{named(want.resource)} is being deleted at {origin}", want.resource)

    def _doubt(self, want: Want, origin: SiteName) -> None:
        """What is to come from a site that is not heard, or was heard too long ago, is not known to be there."""
        evidence = self.court.sites[origin].evidence(self.act.bound_s)
        if not evidence.fresh and want.resource not in self.bundle:
            code, why = _SILENT if evidence.age_s is None else _OLD
            self.doubts[want.resource] = _awaited(want, origin, code, why)

    def _unfound(self, want: Want) -> bool:
        """Whether what is not found is not known to be missing: its site is not heard, or does not observe the kind."""
        origin, kind = next(self._silent(want), None), kind_of(want.resource)
        if origin is None:
            return False
        evidence = self.court.sites[origin].evidence(self.act.bound_s)
        code, why = _SILENT if evidence.age_s is None else _OLD
        if evidence.fresh:
            code, why = "F503", f"does not observe {kind}"
        self.unfound[want.site, want.resource] = _awaited(want, origin, code, why)
        return True

    def _silent(self, want: Want) -> Iterator[SiteName]:
        """The sites that the scope names for it of which it is not known whether they have it."""
        for name in want.meant:
            evidence = self.court.sites[name].evidence(self.act.bound_s)
            if not evidence.fresh or kind_of(want.resource) in evidence.blind:
                yield name

    def _unsettled(self, verdict: Verdict, name: SiteName) -> Verdict:
        """The same without denials for what is only not known to be missing."""
        rows = {resource: row for (site, resource), row in self.unfound.items() if site == name}
        left = tuple(one for one in verdict.reasons if not (one.code in MISSING and one.resource in rows))
        if len(left) == len(verdict.reasons):
            return verdict
        reasons, waits = zip(*rows.values(), strict=True)
        update: dict[str, Any] = {"reasons": (*left, *reasons)}
        if all(one.severity != "deny" for one in left):
            summary = f"{verdict.summary.partition(': ')[0]}: {reasons[0].message}"
            update |= {
                "decision": "defer",
                "summary": summary,
                "waits_for": (*verdict.waits_for, *waits),
                "remedies": (),
            }
        return verdict.model_copy(update=update)

    def doubted(self, whole: Verdict) -> Verdict:
        """The verdict on the whole, with what is not known of it; deny beats defer."""
        if not self.doubts:
            return whole
        reasons, waits = zip(*self.doubts.values(), strict=True)
        if whole.decision == "allow":
            update = {"decision": "defer", "plan": (), "summary": reasons[0].message, "waits_for": waits}
            whole = whole.model_copy(update=update)
        return whole.model_copy(update={"reasons": (*whole.reasons, *reasons)})

    def copy(self, resource: ResourceId, origin: SiteName, name: SiteName) -> bool:
        """A copy of what the bundle writes at its origin; False when the site gets it anyway."""
        body = self.bundle.get(resource)
        if body is None or resource in self.bodies.get(name, {}):
            return False
        self.supplies.bring(Want(name, resource, True, (origin,)), origin, body, self.court.catalogue.kinds.get)
        self.bodies.setdefault(name, {})[resource] = self.supplies.brought[name][resource]
        return True

    def _found(self, want: Want) -> tuple[SiteName, Body] | None:
        """Where it is taken from: the bundle first, then the sites of its part, then any other if these have none."""
        if want.resource in self.bundle:
            return want.origins[0], self.bundle[want.resource]
        is_open = any(True for _ in self._silent(want))
        for name in want.origins if not is_open else want.meant:
            site = self.court.sites[name]
            body = site.bodies.get(want.resource)
            if body is not None:
                return name, body
            if kind_of(want.resource) == "Namespace" and site.graph.find(want.resource) is not None:
                return name, bare_namespace(want.resource)
        return None


def _awaited(want: Want, origin: SiteName, code: str, why: str) -> tuple[Reason, Wait]:
    message = f"{named(want.resource)} is to come from {origin}, which {why}"
    reason = Reason(code=code, severity="defer", message=message, site=want.site, resource=want.resource)
    return reason, Wait(site=origin, kind=kind_of(want.resource) if code == "F503" else None)
