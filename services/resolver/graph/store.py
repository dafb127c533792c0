"""Events → the live graph of one site; `apply` is the only mutation. Pure.

References to what is not there are edges to a missing node. A repeated event changes nothing, a deletion of another uid
changes nothing, and a put replaces what was known of the resource, so any shuffle or repetition of a log that keeps
each object's own order ends in the same graph. Ordering by sequence number is the caller's (evidence.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from schemas.events import LabelSelector, Reference, ResourceEvent, ResourceState, Selector, kind_digest
from schemas.identity import KindId, ResourceId, SiteName, kind_of, resource_id
from schemas.kinds import Surface
from schemas.relations.selector import matches
from services.resolver.graph.edges import Reverse
from services.resolver.graph.label_index import LabelIndex, matches_state, namespace_of
from services.resolver.graph.view import WALK_MAX, Dependents, Edge, Targets

NAMESPACE = KindId("Namespace")


class Changed(NamedTuple):
    """What an event did to one resource."""

    old: ResourceState | None
    new: ResourceState | None


class Graph:
    """The knowledge of one site (a `View`)."""

    def __init__(self, site: SiteName) -> None:
        self.site = site
        self.surface = Surface()
        self.edge_count = 0
        self._states: dict[ResourceId, ResourceState] = {}
        self._kinds: dict[KindId, dict[ResourceId, None]] = {}
        self._reverse = Reverse()
        self._labels = LabelIndex()
        self._marks: dict[KindId, set[ResourceId]] = {}

    # ── mutation ────────────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, event: ResourceEvent) -> Sequence[Changed]:
        """Take one event in; says what changed, nothing when it said nothing new."""
        match event.op:
            case "put":
                assert event.state is not None, "a put carries a state"
                return self._put(event.state)
            case "delete":
                return self._delete(event.resource, event.uid)
            case "surface":
                self.surface = Surface(event.surface)
            case "sync_start":
                self._marks[event.kind] = set()
            case "sync_end":
                return self._sweep(event.kind)
        return ()

    def _put(self, state: ResourceState) -> Sequence[Changed]:
        resource = state.resource
        kind = kind_of(resource)
        mark = self._marks.get(kind)
        if mark is not None:
            mark.add(resource)
        old = self._states.get(resource)
        if old == state:
            return ()
        if old is not None:
            self._unlink(old)
        else:
            self._kinds.setdefault(kind, {})[resource] = None
        self._states[resource] = state
        self._link(state, kind)
        return (Changed(old, state),)

    def _delete(self, resource: ResourceId, uid: str) -> Sequence[Changed]:
        old = self._states.get(resource)
        if old is None or (uid and old.uid and uid != old.uid):
            return ()
        del self._states[resource]
        kind = kind_of(resource)
        members = self._kinds[kind]
        del members[resource]
        if not members:
            del self._kinds[kind]
        self._unlink(old)
        return (Changed(old, None),)

    def _sweep(self, kind: KindId) -> Sequence[Changed]:
        mark = self._marks.pop(kind, None)
        if mark is None:
            return ()
        gone = [resource for resource in self._kinds.get(kind, ()) if resource not in mark]
        return [changed for resource in gone for changed in self._delete(resource, "")]

    def _link(self, state: ResourceState, kind: KindId) -> None:
        self._labels.add(state)
        for place, reference in enumerate(state.references):
            if reference.selector is None:
                self._reverse.add(reference.target, state.resource, kind)
            else:
                self._labels.add_selector(state.resource, place, reference.selector)
        self.edge_count += len(state.references)

    def _unlink(self, state: ResourceState) -> None:
        self._labels.remove(state)
        kind = kind_of(state.resource)
        for place, reference in enumerate(state.references):
            if reference.selector is None:
                self._reverse.remove(reference.target, state.resource, kind)
            else:
                self._labels.remove_selector(state.resource, place, reference.selector)
        self.edge_count -= len(state.references)

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def resource_count(self) -> int:
        """Resources that are there."""
        return len(self._states)

    @property
    def missing_count(self) -> int:
        """Things that are named and not there (a walk over the named targets: for status only)."""
        return sum(1 for target in self._reverse.targets() if target not in self._states)

    def find(self, resource: ResourceId) -> ResourceState | None:
        """The state, or None."""
        return self._states.get(resource)

    def kinds(self) -> list[KindId]:
        """Kinds of which something is there."""
        return sorted(self._kinds)

    def digest(self, kind: KindId) -> str:
        """What the watcher compares before a resync."""
        states = (self._states[resource] for resource in self._kinds.get(kind, ()))
        return kind_digest([(state.uid, state.resource_version) for state in states])

    def members(self, kind: KindId, namespace: str | None = None) -> Iterator[ResourceId]:
        """Present resources of a kind."""
        for resource in self._kinds.get(kind, ()):
            if namespace is None or namespace_of(resource) == namespace:
                yield resource

    def resources(self) -> Iterator[ResourceState]:
        """Everything that is there."""
        yield from self._states.values()

    def held_by(self, resource: ResourceId) -> str | None:
        """Nothing is in flight in what was observed."""
        return None

    def targets(self, source: ResourceId, reference: Reference) -> Targets:
        """By name (and uid), or through the label index."""
        if reference.selector is not None:
            present = self._selected(reference.selector)
            return Targets(tuple(islice(present, WALK_MAX)), len(present))
        state = self._states.get(reference.target)
        if state is None or (reference.uid and state.uid and reference.uid != state.uid):
            return Targets()
        return Targets((reference.target,), 1)

    def dependents(self, resource: ResourceId, limit: int = WALK_MAX) -> Dependents:
        """Edges by name from the reverse index, edges by selector from the label index; counts are exact."""
        named = self._reverse.sources(resource)
        by_kind = self._reverse.by_kind(resource)
        state = self._states.get(resource)
        edges = [edge for source in islice(named, limit) for edge in self._named_edges(source, resource, state)]
        count = len(named)
        if state is not None:
            selecting = self._selecting(state)
            edges += islice(selecting, max(0, limit - len(edges)))
            for source in dict.fromkeys(edge.source for edge in selecting):
                if source not in named:
                    count += 1
                    by_kind[kind_of(source)] = by_kind.get(kind_of(source), 0) + 1
        return Dependents(edges, count, by_kind)

    def _named_edges(self, source: ResourceId, target: ResourceId, state: ResourceState | None) -> Iterator[Edge]:
        for reference in self._states[source].references:
            other = reference.uid and state is not None and state.uid and state.uid != reference.uid
            if reference.target == target and reference.selector is None and not other:
                yield Edge(source, target, reference)

    def _selecting(self, state: ResourceState) -> list[Edge]:
        namespace = namespace_of(state.resource)
        return [
            Edge(source, state.resource, self._states[source].references[place])
            for source, place, selector in self._labels.selecting(state)
            if source != state.resource and self.looks_in(selector, namespace)
        ]

    def _selected(self, selector: Selector) -> list[ResourceId]:
        names = self._namespaces(selector)
        found = dict.fromkeys(self._labels.candidates(selector, names))
        return [one for one in found if matches_state(selector, self._states[one])]

    def _namespaces(self, selector: Selector) -> list[str] | None:
        if selector.namespace_labels is None:
            return list(selector.namespaces) or None
        chosen = [one.rpartition("/")[2] for one in self._kinds.get(NAMESPACE, ())]
        return [
            *selector.namespaces,
            *(name for name in chosen if self._namespace_matches(selector.namespace_labels, name)),
        ]

    def looks_in(self, selector: Selector, namespace: str) -> bool:
        """Whether a selector looks into a namespace."""
        if namespace in selector.namespaces:
            return True
        if selector.namespace_labels is not None:
            return self._namespace_matches(selector.namespace_labels, namespace)
        return not selector.namespaces

    def _namespace_matches(self, labels: LabelSelector, namespace: str) -> bool:
        state = self._states.get(resource_id("", "Namespace", "", namespace))
        return state is not None and matches(labels, state.labels)
