"""A view that answers the same question once. Pure.

A decision asks for the same few states and edges from every side (users, cascade, impact, remedies), and nothing
changes while it is made. So each answer is kept for the one decision, and thrown away with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from typing import Final, cast

from schemas.events import Reference, ResourceState
from schemas.identity import KindId, ResourceId, SiteName
from schemas.kinds import Surface
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.numbers import Numbers
from services.resolver.graph.store import Graph
from services.resolver.graph.view import WALK_MAX, Dependents, Edge, Reach, Targets, View, Which, owner_by_references
from services.resolver.graph.walk import owner_of

_UNKNOWN: Final = object()


class RememberedView:
    """`base`, asked once. It must not change while this is used."""

    def __init__(self, base: View) -> None:
        self._base = base
        self.numbers: Numbers | None = base.numbers() if isinstance(base, Graph) else None
        self._states: dict[ResourceId, ResourceState | None] = {}
        self._holders: dict[ResourceId, str | None] = {}
        self._targets: dict[tuple[ResourceId, int], tuple[Reference, Targets]] = {}
        self._dependents: dict[tuple[ResourceId, Which], tuple[int, Dependents]] = {}

    @property
    def site(self) -> SiteName:
        """The site's name."""
        return self._base.site

    @property
    def surface(self) -> Surface:
        """What the site serves."""
        return self._base.surface

    def find(self, resource: ResourceId) -> ResourceState | None:
        """See View."""
        found = self._states.get(resource, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._states[resource] = self._base.find(resource)
        return cast("ResourceState | None", found)

    def owner(self, resource: ResourceId) -> ResourceId | None:
        """See View."""
        number = NOWHERE if self.numbers is None else self.numbers.find(resource)
        if self.numbers is None or number == NOWHERE or self.numbers.rows[number] is None:
            return owner_by_references(self, resource)
        owner = self.numbers.owner(number)
        if self.numbers.strange:
            return owner_by_references(self, resource)
        return None if owner == NOWHERE else self.numbers.resource(owner)

    def held_by(self, resource: ResourceId) -> str | None:
        """See View."""
        found = self._holders.get(resource, _UNKNOWN)
        if found is _UNKNOWN:
            found = self._holders[resource] = self._base.held_by(resource)
        return cast("str | None", found)

    def targets(self, source: ResourceId, reference: Reference) -> Targets:
        """See View. A reference with a selector has no hash: the very object is the key, kept alive beside it."""
        key = (source, id(reference))
        found = self._targets.get(key)
        if found is None:
            found = self._targets[key] = (reference, self._base.targets(source, reference))
        return found[1]

    def dependents(self, resource: ResourceId, limit: int = WALK_MAX, which: Which = "all") -> Dependents:
        """See View. What was not cut short by its own limit, and fits the new one, is the answer again."""
        key = (resource, which)
        known = self._dependents.get(key)
        if known is not None:
            asked, found = known
            if limit == asked or len(found.edges) < min(limit, asked):
                return found
        found = self._base.dependents(resource, limit, which)
        self._dependents[key] = (limit, found)
        return found

    def needing(self, resource: ResourceId, granules: AbstractSet[str]) -> list[Edge]:
        """See View."""
        return self._base.needing(resource, granules)

    def reach(self, resources: Collection[ResourceId], limit: int = WALK_MAX) -> Reach:
        """See View."""
        return (self.numbers or self._base).reach(resources, limit)

    def members(self, kind: KindId, namespace: str | None = None) -> Iterator[ResourceId]:
        """See View."""
        return self._base.members(kind, namespace)


def traits_of(view: View, resource: ResourceId) -> ResourceState | None:
    """What is known of a resource besides labels and references (those may be left out); None when it is not there."""
    numbers = numbers_of(view)
    if numbers is None:
        return view.find(resource)
    number = numbers.find(resource)
    return None if number == NOWHERE else numbers.traits(number)


def top_owner_of(view: View, resource: ResourceId) -> ResourceId | None:
    """The top of the chain of owners, when it is there (`owner_of`)."""
    numbers = numbers_of(view)
    number = NOWHERE if numbers is None else numbers.find(resource)
    if numbers is None or number == NOWHERE or numbers.rows[number] is None:
        return owner_of(view, resource)
    top = numbers.top(number)
    if numbers.strange:
        return owner_of(view, resource)
    return None if top == NOWHERE else numbers.resource(top)


def numbers_of(view: View) -> Numbers | None:
    """The graph by number, when it is observed as it is: nothing in flight, nothing laid over it."""
    return view.numbers if isinstance(view, RememberedView) else None
