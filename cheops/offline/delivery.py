"""A bundle in a scope → what each site gets of it, and of what it needs from elsewhere.

place ──▶ whole or divided bodies per site ──▶ judged there ──▶ what is missing is brought where a part names it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cheops.offline.check import Act, Court, judge_at
from cheops.offline.merging import SERVER_METADATA
from cheops.offline.sites import OfflineSite, placed
from schemas.events import ResourceState
from schemas.identity import ResourceId, ResourceKey, SiteName, kind_of
from schemas.scope.tree import Scope
from schemas.verdicts import Verdict
from services.resolver.across.splitting import Splitter
from services.resolver.judge.case import Problem
from services.resolver.judge.findings import named
from services.resolver.placing import Alternative, part_of

SHARED_FROM: Final = "cheops.io/shared-from"
MISSING: Final = ("D113", "D110", "D140")
Body = dict[str, Any]


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
        splitter = Splitter(self.scope, self.way, home.surface, home.name, self.court.catalogue.divides)
        split = splitter.bundle(self.bundle, states)
        self.bodies = {name: dict(mine) for name, mine in split.bodies.items()}
        if split.problems:
            self.problems[home.name] = dict(split.problems)

    def judged(self) -> dict[SiteName, Verdict]:
        """Each site on its part."""
        rows: dict[SiteName, Verdict] = {}
        names = list(self.bodies) or [self.entry.name]
        for name in names:
            manifests = tuple(self.bodies.get(name, {}).values())
            problems = tuple(self.problems.get(name, {}).values())
            rows[name] = judge_at(self.court, replace(self.act, manifests=manifests), self.court.sites[name], problems)
        return rows

    def supply(self, verdicts: Mapping[SiteName, Verdict]) -> bool:
        """Bring what is missing where a part names it; False when there is nothing more to bring."""
        brought = False
        for name, verdict in verdicts.items():
            for reason in verdict.reasons:
                wanted = reason.code in MISSING and reason.resource is not None
                if wanted and reason.resource is not None and self._bring(name, reason.resource):
                    brought = True
        return brought

    def _bring(self, name: SiteName, resource: ResourceId) -> bool:
        mine = self.bodies.setdefault(name, {})
        number = part_of(self.scope, resource, self.entry.surface, is_root=False)
        if number is None or resource in mine or resource in self.problems.get(name, {}):
            return False
        shares = self.way.shares[number]
        found = self._origin(resource, shares)
        if found is None:
            return False
        origin, body = found
        shared = name not in shares
        known = self.court.catalogue.kinds.get(kind_of(resource))
        ownership = known.ownership if known is not None else "portable"
        if ownership == "site-bound" or (shared and ownership != "portable"):
            message = f"{named(resource)} means something only at {origin} ({ownership})"
            self.problems.setdefault(name, {})[resource] = Problem("D610", message, resource)
            return True
        mine[resource] = _copy(body, origin if shared else None)
        return True

    def _origin(self, resource: ResourceId, shares: Mapping[SiteName, Any]) -> tuple[SiteName, Body] | None:
        """Where it is taken from: the bundle first, then the sites of its part, then any other."""
        if resource in self.bundle:
            return next(iter(shares)), self.bundle[resource]
        for name in (*shares, *self.court.sites):
            body = self.court.sites[name].bodies.get(resource)
            if body is not None:
                return name, body
            if kind_of(resource) == "Namespace" and self.court.sites[name].graph.find(resource) is not None:
                metadata = {"name": ResourceKey.parse(resource).name}
                return name, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        return None


def _copy(body: Body, shared_from: SiteName | None) -> Body:
    """What may travel: no server's fields, no owners (they are valid in one cluster only), no status."""
    dropped = (*SERVER_METADATA, "ownerReferences", "finalizers", "deletionTimestamp")
    metadata = {name: value for name, value in body["metadata"].items() if name not in dropped}
    if shared_from is not None:
        metadata["labels"] = {**metadata.get("labels", {}), SHARED_FROM: shared_from}
    return {**{name: value for name, value in body.items() if name != "status"}, "metadata": metadata}
