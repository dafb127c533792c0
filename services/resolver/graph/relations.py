"""Who depends on what, of one graph: by name, and by selector. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from itertools import islice

from schemas.events import Reference
from schemas.identity import ResourceId
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.parts import Parts
from services.resolver.graph.view import WALK_MAX, Dependents, Edge, Targets, Which


class Relations:
    """Answers from the indexes of a graph."""

    def __init__(self, parts: Parts) -> None:
        self._names, self._records, self._links, self._selecting, _ = parts

    def targets(self, reference: Reference) -> Targets:
        """By name (and uid), or through the label index."""
        if reference.selector is not None:
            present = self._selecting.selected(reference.selector)
            return Targets(tuple(map(self._names.resource, islice(present, WALK_MAX))), len(present))
        number = self._names.find(reference.target)
        record = None if number == NOWHERE else self._records.rows[number]
        if record is None:
            return Targets()
        if reference.uid and self._records.version(record)[0] not in ("", reference.uid):
            return Targets()
        return Targets((reference.target,), 1)

    def dependents(self, resource: ResourceId, limit: int = WALK_MAX, which: Which = "all") -> Dependents:
        """Edges by name from the reverse indexes, edges by selector from the label index; counts are exact."""
        number = self._names.find(resource)
        if number == NOWHERE:
            return Dependents()
        record = self._records.rows[number]
        named = self._links.names(number)
        if not named and (record is None or which == "children"):
            return Dependents()
        uid = self._records.version(record)[0] if named and record is not None else ""
        edges = self._links.edges(number, resource, uid, limit, which) if named else []
        count, by_kind = self._links.count(number, which)
        if record is not None and which != "children":
            selecting = self._selecting.selecting(number, resource, record)
            edges += [edge for _, edge in selecting[: max(0, limit - len(edges))]]
            for source in dict.fromkeys(source for source, _ in selecting):
                if not self._links.contains(number, source, which):
                    count += 1
                    kind = self._names.kind(source)
                    by_kind[kind] = by_kind.get(kind, 0) + 1
        return Dependents(edges, count, by_kind)

    def needing(self, resource: ResourceId, granules: AbstractSet[str]) -> list[Edge]:
        """Every edge by name that needs one of these parts of a resource."""
        number = self._names.find(resource)
        record = None if number == NOWHERE else self._records.rows[number]
        uid = "" if record is None else self._records.version(record)[0]
        return [] if number == NOWHERE else self._links.needing(number, resource, uid, granules)
