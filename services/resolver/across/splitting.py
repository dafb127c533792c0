"""What is asked, and one way to read its scope → what each site is asked. Pure. scope.md is the source.

A bundle's resources go whole or divided to the sites of their part, what they need follows them; names of a delete or
a read go to the sites of the part that selects them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, SiteName, kind_of
from schemas.kinds import Surface
from schemas.relations.path import steps_of
from schemas.scope.tree import Options, Part, Scope
from services.resolver.across.sets import part as as_part
from services.resolver.across.sets import place as as_place
from services.resolver.across.sets import replica
from services.resolver.judge.case import Problem
from services.resolver.judge.findings import named
from services.resolver.placing import Alternative, Placement, Sets, divided, part_of, place

NAMESPACE: Final = KindId("Namespace")
Body = dict[str, Any]
Divides = Callable[[KindId], Sequence[str]]  # the paths of the numbers by which objects of a kind are divided
Gone = Mapping[SiteName, AbstractSet[ResourceId]]  # what a site is not to get


@dataclass(frozen=True, slots=True)
class Split:
    """What each site gets of a bundle. `problems`: what cannot be divided (D620); it is placed whole for judging.

    joins   what stays as it is at a site, and the sites that are new to its set
    """

    bodies: Mapping[SiteName, Mapping[ResourceId, Body]]
    problems: Mapping[ResourceId, Problem]
    joins: Mapping[SiteName, Mapping[ResourceId, tuple[SiteName, ...]]]


@dataclass(frozen=True, slots=True)
class Splitter:
    """One scope, read in one way, at the site where the intent is entered.

    sets    where those are that are of one     gone   what a site is not to get any more
    """

    scope: Scope
    way: Alternative
    surface: Surface
    entry: SiteName
    divides: Divides
    sets: Sets = field(default_factory=dict)
    gone: Gone = field(default_factory=dict)

    def bundle(self, bodies: Mapping[ResourceId, Body], states: Mapping[ResourceId, ResourceState]) -> Split:
        """Each manifest to its sites, whole or divided."""
        made: dict[SiteName, dict[ResourceId, Body]] = {}
        problems: dict[ResourceId, Problem] = {}
        joins: dict[SiteName, dict[ResourceId, tuple[SiteName, ...]]] = {}
        for resource, placement in place(states, self.scope, self.way, self.surface, self.entry, self.sets).items():
            why = self._indivisible(kind_of(resource), placement)
            if why:
                problems[resource] = Problem("D620", f"{named(resource)} {why}", resource)
            for name, body in self._parts(resource, bodies[resource], placement):
                if resource not in self.gone.get(name, ()):
                    made.setdefault(name, {})[resource] = body
            for name in placement.others if placement.joins else ():
                joins.setdefault(name, {})[resource] = placement.joins
        return Split(made, problems, joins)

    def _indivisible(self, kind: KindId, placement: Placement) -> str:
        """Why it cannot be spread like this; "" when it can. A namespace can: what is in it is divided."""
        fields = self.divides(kind)
        if not placement.crossed or placement.part is None:
            return ""
        moves = placement.part.options.rebalance
        if not fields and (moves or kind != NAMESPACE):
            return "has no number that could be divided"
        if len(fields) > 1 and moves:
            return f"is divided by {' and '.join(fields)}, so no share of it can move (rebalance: true)"
        return ""

    def _parts(self, resource: ResourceId, body: Body, placement: Placement) -> Iterator[tuple[SiteName, Body]]:
        fields = self.divides(kind_of(resource)) if placement.crossed else ()
        members, part = placement.members, placement.part
        if not fields:
            if len(members) > 1 and placement.crossed and part is not None and kind_of(resource) == NAMESPACE:
                assert placement.location is not None, "what spans sites is named by a part"
                body = as_place(body, resource, members, Part(None, placement.location, part.options))
            elif len(members) > 1:
                body = replica(body, resource, members)
            yield from ((name, body) for name in placement.shares)
            return
        options = part.options if part is not None else Options()
        assert placement.location is not None, "what is divided is named by a part"
        split = {path: divided(_number(body, path), placement.location, options.prime) for path in fields}
        if len(placement.shares) > 1:
            body = as_part(body, resource, split[fields[0]], Part(None, placement.location, options))
        for name in placement.shares:
            mine = body
            for path, numbers in split.items():
                if _at_path(body, path) is not None or path == fields[0]:
                    mine = _with(mine, steps_of(path), numbers[name])
            yield name, mine

    def names(self, resources: Iterable[tuple[str, ResourceId | None]]) -> dict[SiteName, list[str]]:
        """Each name, with the identity that it has at the entry site, to the sites of the part that selects it."""
        at: dict[SiteName, list[str]] = {}
        for text, resource in resources:
            number = part_of(self.scope, resource, self.surface, is_root=True) if resource is not None else None
            for name in self.way.shares[number] if number is not None else (self.entry,):
                at.setdefault(name, []).append(text)
        return at

    def names_undivided(self, resources: Iterable[ResourceId | None]) -> tuple[Problem, ...]:
        """Names that a part spreads over its sites though nothing of it can be divided, as a delete or a read."""
        found: dict[ResourceId, int] = {}
        for resource in resources:
            number = part_of(self.scope, resource, self.surface, is_root=True) if resource is not None else None
            if resource is not None and number is not None and self.way.crossed[number]:
                found[resource] = number
        spread = {number for one, number in found.items() if self._may_be_spread(kind_of(one))}
        return tuple(  # what goes with something divided was replicated whole with it
            Problem("D620", f"{named(one)} has no number that could be divided", one)
            for one, number in found.items()
            if number not in spread
        )

    def _may_be_spread(self, kind: KindId) -> bool:
        return bool(self.divides(kind)) or kind == NAMESPACE


def with_number(body: Body, path: str, number: int) -> Body:
    """The same with another number at a path."""
    made: Body = _with(body, steps_of(path), number)
    return made


def _at_path(body: Body, path: str) -> Any:
    value: Any = body
    for step in steps_of(path):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _number(body: Body, path: str) -> int:
    value = _at_path(body, path)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 1


def _with(body: Any, steps: Sequence[str | None], value: Any) -> Any:
    if not steps:
        return value
    head = str(steps[0])
    inner = body.get(head) if isinstance(body, dict) else None
    return {**(body if isinstance(body, dict) else {}), head: _with(inner, steps[1:], value)}
