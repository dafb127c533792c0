"""A site as it would be: an observed base with changes laid over it. Pure.

Used for what is in flight, and on top of it for the changes of the bundle under judgement. Which of the changes had a
say in an answer is kept: with these alone the same questions have the same answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final

from schemas.events import Reference, ResourceState, Selector
from schemas.identity import KindId, ResourceId, ResourceKey, SiteName, kind_of
from schemas.kinds import Surface
from schemas.relations.selector import matches, selects
from services.resolver.graph.label_index import namespace_of
from services.resolver.graph.pointing import Pointing, Selectable
from services.resolver.graph.view import (
    OWNING,
    WALK_MAX,
    Dependents,
    Edge,
    Reach,
    Targets,
    View,
    Which,
    owner_by_references,
    reach_by_edges,
)

NAMESPACE: Final = "Namespace"


class OverlayView:
    """`base` with `puts` in place and `deletes` gone. `holders` names the intent that each change belongs to."""

    def __init__(
        self,
        base: View,
        puts: Mapping[ResourceId, ResourceState],
        deletes: AbstractSet[ResourceId] = frozenset(),
        holders: Mapping[ResourceId, str] | None = None,
    ) -> None:
        self._base, self._puts, self._deletes = base, puts, deletes
        self._changed: AbstractSet[ResourceId] = deletes | puts.keys()
        self._holders = holders or {}
        self._asked = set[ResourceId]()  # changes that had a say
        self._who_is_there_stays: bool | None = None  # not asked yet
        self._pointed: Pointing | None = None  # likewise: before the changes, and after them
        self._points: Pointing | None = None
        self._were: Selectable | None = None  # likewise
        self._are: Selectable | None = None
        self._homes: frozenset[str] | None = None  # namespaces that are labelled otherwise
        self._kinds: dict[KindId, list[ResourceId]] | None = None

    @property
    def site(self) -> SiteName:
        """The site's name."""
        return self._base.site

    @property
    def surface(self) -> Surface:
        """What the site serves."""
        return self._base.surface

    def find(self, resource: ResourceId) -> ResourceState | None:
        """The state after the changes."""
        if resource not in self._changed:
            return self._base.find(resource)
        self._asked.add(resource)
        return self._puts.get(resource)

    def owner(self, resource: ResourceId) -> ResourceId | None:
        """See View."""
        if self._who_is_there_stays is None:
            before = ((one, self._base.find(one.resource)) for one in self._puts.values())
            same = (was is not None and one.uid in ("", was.uid) for one, was in before)
            self._who_is_there_stays = not self._deletes and all(same)
        if self._who_is_there_stays and resource not in self._puts:
            return self._base.owner(resource)
        return owner_by_references(self, resource)

    def held_by(self, resource: ResourceId) -> str | None:
        """Whose change it is."""
        holder = self._holders.get(resource)
        if holder is None:
            return self._base.held_by(resource)
        self._asked.add(resource)
        return holder

    def members(self, kind: KindId, namespace: str | None = None) -> Iterator[ResourceId]:
        """Present resources of a kind after the changes."""
        for resource in self._base.members(kind, namespace):
            if resource in self._changed:
                self._asked.add(resource)
            else:
                yield resource
        if self._kinds is None:
            self._kinds = {}
            for resource in self._puts:
                self._kinds.setdefault(kind_of(resource), []).append(resource)
        for resource in self._kinds.get(kind, ()):
            if namespace in (None, namespace_of(resource)):
                self._asked.add(resource)
                yield resource

    def targets(self, source: ResourceId, reference: Reference) -> Targets:
        """What a reference resolves to after the changes."""
        if reference.selector is None:
            return self._named(reference)
        base = self._base.targets(source, reference)
        homes = self._homes_relabelled() if reference.selector.namespace_labels is not None else frozenset()
        if self._were is None or self._are is None:
            before = (self._base.find(one) for one in dict.fromkeys((*self._deletes, *self._puts)))
            self._were = Selectable(one for one in before if one is not None)
            self._are = Selectable(self._puts.values())
        lost = [
            one.resource
            for one in self._were.by(reference.selector)
            if namespace_of(one.resource) not in homes and self._selects(reference.selector, one)
        ]
        gained = [one.resource for one in self._are.by(reference.selector) if self._selects(reference.selector, one)]
        gained += self._selected_in(homes, reference.selector)
        away = {one for one in base.present if namespace_of(one) in homes}
        self._asked.update(lost, gained)
        present = [one for one in base.present if one not in self._changed and one not in away] + gained
        return Targets(present[:WALK_MAX], base.count - len(lost) - len(away) + len(gained))

    def _homes_relabelled(self) -> frozenset[str]:
        """Namespaces of which a selector may see other labels than before."""
        if self._homes is not None:
            return self._homes
        rows = [one for one in self._puts.values() if kind_of(one.resource) == NAMESPACE]
        before = [self._base.find(one.resource) for one in rows]
        pairs = zip(rows, before, strict=True)
        found = [one.resource for one, was in pairs if was and was.labels != one.labels]
        self._asked.update(found)
        self._homes = frozenset(ResourceKey.parse(one).name for one in found)
        return self._homes

    def _selected_in(self, homes: Iterable[str], selector: Selector) -> list[ResourceId]:
        """What stays as it is in these namespaces, and is selected by their labels of now."""
        served = self._base.surface.served
        members = [
            *islice((one for home in homes for kind in served for one in self._base.members(kind, home)), WALK_MAX)
        ]
        self._asked.update(one for one in members if one in self._changed)
        states = (self._base.find(one) for one in members if one not in self._changed)
        return [one.resource for one in states if one is not None and self._selects(selector, one)]

    def _named(self, reference: Reference) -> Targets:
        state = self.find(reference.target)
        if state is None or self._is_another(state, reference.uid):
            return Targets()
        return Targets((reference.target,), 1)

    def _is_another(self, state: ResourceState, uid: str) -> bool:
        """Its uid is known and not this one. What is written over keeps its own, whether a manifest says it or not."""
        if not uid or state.uid:
            return bool(uid) and uid != state.uid
        was = self._base.find(state.resource)
        return was is not None and was.uid not in ("", uid)

    def _selects(self, selector: Selector, state: ResourceState) -> bool:
        if not selects(selector, state):
            return False
        namespace = namespace_of(state.resource)
        if namespace in selector.namespaces:
            return True
        if selector.namespace_labels is None:
            return not selector.namespaces
        owner = self.find(ResourceId(f"{NAMESPACE}/{namespace}"))
        return owner is not None and matches(selector.namespace_labels, owner.labels)

    def dependents(self, resource: ResourceId, limit: int = WALK_MAX, which: Which = "all") -> Dependents:
        """Edges that point at a resource after the changes."""
        base = self._base.dependents(resource, limit, which)
        stay = self._staying(base.edges)
        edges, by_kind, count = stay, dict(base.by_kind), base.count
        if resource in self._changed:
            edges = [edge for edge in stay if self._holds_still(edge, resource)]
            for source in {edge.source for edge in stay} - {edge.source for edge in edges}:
                count -= 1
                by_kind[kind_of(source)] = by_kind.get(kind_of(source), 1) - 1
        if self._pointed is None:
            self._pointed = Pointing(self._before())
        for state, references in self._pointed.at(resource, self._base):
            if any(True for _ in self._edges_to(state, references, resource, self._base, which)):
                self._asked.add(state.resource)
                count -= 1
                by_kind[kind_of(state.resource)] = by_kind.get(kind_of(state.resource), 1) - 1
        for state, references in self._pointing_at(resource):
            mine = list(self._edges_to(state, references, resource, self, which))
            edges += mine
            if mine:
                self._asked.add(state.resource)
                count += 1
                by_kind[kind_of(state.resource)] = by_kind.get(kind_of(state.resource), 0) + 1
        return Dependents(edges[:limit], max(count, 0), {kind: one for kind, one in by_kind.items() if one > 0})

    def needing(self, resource: ResourceId, granules: AbstractSet[str]) -> list[Edge]:
        """Edges that need one of these parts after the changes."""
        edges = self._staying(self._base.needing(resource, granules))
        for state, references in self._pointing_at(resource):
            found = self._edges_to(state, references, resource, self, "users")
            mine = [edge for edge in found if edge.reference.granule in granules]
            if mine:
                self._asked.add(state.resource)
                edges += mine
        return edges

    def reach(self, resources: Collection[ResourceId], limit: int = WALK_MAX) -> Reach:
        """How many depend on these after the changes."""
        return reach_by_edges(self, resources, limit)

    def _staying(self, edges: Iterable[Edge]) -> list[Edge]:
        """Edges of sources that do not change."""
        staying = []
        for edge in edges:
            if edge.source in self._changed:
                self._asked.add(edge.source)
            else:
                staying.append(edge)
        return staying

    def _holds_still(self, edge: Edge, resource: ResourceId) -> bool:
        """A selector edge to a resource that changes lasts only while its labels match."""
        if edge.reference.selector is None:
            return True
        state = self.find(resource)
        return state is not None and self._selects(edge.reference.selector, state)

    def _before(self) -> Iterable[ResourceState]:
        """What changes, as it is without that."""
        return [state for one in self._changed if (state := self._base.find(one)) is not None]

    def _pointing_at(self, resource: ResourceId) -> list[tuple[ResourceState, list[Reference]]]:
        """Of what is put in place: whoever may point at it."""
        if self._points is None:
            self._points = Pointing(self._puts.values())
        return self._points.at(resource, self)

    def _edges_to(
        self, source: ResourceState, references: Iterable[Reference], target: ResourceId, view: View, which: Which
    ) -> Iterator[Edge]:
        """By those of its references that may lead there."""
        state = view.find(target)
        for reference in references:
            if which != "all" and (reference.relation in OWNING) != (which == "children"):
                continue
            if which == "selectors" and reference.selector is None:
                continue
            if reference.selector is not None:
                if state is not None and source.resource != target and self._selects(reference.selector, state):
                    yield Edge(source.resource, target, reference)
            elif reference.target == target and (state is None or not self._is_another(state, reference.uid)):
                yield Edge(source.resource, target, reference)
