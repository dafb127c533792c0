"""What makes replicas of one resource a set, and parts of one resource a whole: words on the objects. Pure.

scope ── split ──▶ objects that carry the set, its sites and shares ──▶ … everything else is lost …
live object ──▶ its words ──▶ the scope of a later intent that names none

The identity of a set is the resource's own: the same at every site, at both sides of a cut, after any loss.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from schemas.events import ResourceState
from schemas.identity import ResourceId, ResourceKey, SiteName
from schemas.scope.errors import ScopeError
from schemas.scope.parse import parse_scope
from schemas.scope.printing import print_placement
from schemas.scope.sites import part_without, site_names
from schemas.scope.tree import (
    Cross,
    KindSelector,
    Location,
    Options,
    Part,
    Replicate,
    Scope,
    Site,
    operands,
    replicate,
)
from schemas.ties import (
    DECLARED,
    PART_OF,
    PARTS,
    REPLICA_SET,
    REPLICAS,
    SCOPE,
    SCOPE_FACT,
    is_member,
    listed,
    replicas_at,
    set_id,
    with_words,
)
from services.resolver.graph.view import View
from services.resolver.placing import Sets, is_crossed

PLACEMENTS_REMEMBERED: Final = 1_024
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """Where sets are, as other sites say. `spread`: how, of what is a whole there in parts."""

    sites: dict[ResourceId, dict[SiteName, None]] = field(default_factory=dict)
    spread: dict[ResourceId, str] = field(default_factory=dict)

    def hear(self, resource: ResourceId, sites: Iterable[SiteName]) -> bool:
        """True: it is news."""
        known = self.sites.setdefault(resource, {})
        before = len(known)
        known.update(dict.fromkeys(sites))
        return len(known) > before


def replica(body: Body, resource: ResourceId, sites: Iterable[SiteName]) -> Body:
    """One of several that are the same."""
    return with_words(body, {REPLICA_SET: set_id(resource)}, {REPLICAS: listed(sites)})


def part(body: Body, resource: ResourceId, numbers: Mapping[SiteName, int], divided: Part) -> Body:
    """One site's share of a whole. `numbers`: how much of it each site has."""
    parts = ",".join(f"{name}={number}" for name, number in sorted(numbers.items()))
    return with_words(body, {PART_OF: set_id(resource)}, {PARTS: parts, SCOPE: print_placement(divided)})


def place(body: Body, resource: ResourceId, sites: Iterable[SiteName], spread: Part) -> Body:
    """A place that spans sites: whole at each; what is in it is where it was put, so there are no numbers."""
    words = {PARTS: listed(sites), SCOPE: print_placement(spread)}
    return with_words(body, {PART_OF: set_id(resource)}, words)


def stamped(body: Body, age: int, intent_id: str) -> Body:
    """A replica or a part that says when it was declared; anything else as it is."""
    labels = (body.get("metadata") or {}).get("labels") or {}
    if REPLICA_SET not in labels and PART_OF not in labels:
        return body
    return with_words(body, annotations={DECLARED: f"{age:016x}.{intent_id}"})


# ── read back ───────────────────────────────────────────────────────────────────────────────────────────────────────


def members(view: View, resources: Iterable[ResourceId]) -> Iterator[ResourceState]:
    """Those that are replicas or parts, as they are known here."""
    for resource in resources:
        state = view.find(resource)
        if state is not None and is_member(state):
            yield state


def scope_without_words(
    view: View, resources: Iterable[ResourceId], entry: SiteName, gone: Collection[SiteName] = ()
) -> Scope:
    """What no scope means: members of sets at the sites of their set, everything else here. `gone`: for good."""
    parts = [_part_of(state, entry, gone) for state in members(view, resources)]
    return Scope((*parts, Part(None, Site(entry))))


def sets_of(
    view: View, resources: Iterable[ResourceId], told: Told, entry: SiteName, gone: Collection[SiteName] = ()
) -> Sets:
    """Where each of these that is of a set is now: as it is known here, and at the sites that others have told."""
    read = {one: spread for one in told.sites if (spread := _read(told.spread.get(one, ""))) is not None}
    known = {one: left for one, spread in read.items() if (left := part_without(spread, gone)) is not None}
    known |= {one.resource: _part_of(one, entry, gone) for one in members(view, resources)}
    made: dict[ResourceId, Part] = {}
    for resource in dict.fromkeys((*told.sites, *known)):
        part = known.get(resource)
        heard = (name for name in told.sites.get(resource, ()) if name not in gone)
        names = dict.fromkeys((*(site_names(Scope((part,))) if part else ()), *heard))
        if part is not None and is_crossed(part.location):
            made[resource] = Part(None, part.location, part.options)
        else:
            made[resource] = Part(None, replicate(map(Site, names)), part.options if part else Options())
    return made


def spread_at(view: View, resources: Iterable[ResourceId]) -> dict[ResourceId, str]:
    """How those are spread that are wholes in parts, as they are known here."""
    found = ((one, str(one.facts.get(SCOPE_FACT) or "")) for one in members(view, resources))
    return {one.resource: text for one, text in found if REPLICA_SET not in one.labels and _read(text) is not None}


def _part_of(state: ResourceState, entry: SiteName, gone: Collection[SiteName]) -> Part:
    key = ResourceKey.parse(state.resource)
    selector = KindSelector(key.kind.lower(), key.group, key.name, key.namespace)
    if REPLICA_SET not in state.labels:
        read = _read(str(state.facts.get(SCOPE_FACT) or ""))
        divided = part_without(read, gone) if read is not None else None
        if divided is not None:
            return Part(selector, divided.location, divided.options)
    sites = tuple(Site(name) for name in replicas_at(state) if name not in gone) or (Site(entry),)
    return Part(selector, sites[0] if len(sites) == 1 else Replicate(sites))


@lru_cache(PLACEMENTS_REMEMBERED)
def _read(text: str) -> Part | None:
    """What we write is plain; else somebody has written on the object: its sites still say where it is."""
    try:
        part = parse_scope(text).parts[0]
    except ScopeError:
        return None
    return part if _is_plain(part.location) else None


def _is_plain(location: Location) -> bool:
    return isinstance(location, Site | Replicate | Cross) and all(map(_is_plain, operands(location)))
