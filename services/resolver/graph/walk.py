"""Bounded walks over a site's knowledge, answered as `GraphAnswer`. Pure: any `View` will do.

Breadth first, so the nearest come first when the bound is met; a resource is visited once, so cycles end by themselves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from schemas.events import Reference
from schemas.identity import KindId, ResourceId, kind_of
from schemas.queries import WALK_NODES_MAX, Direction, GraphAnswer, GraphEdge, GraphNode
from schemas.relations.offering import is_offered
from schemas.verdicts import Evidence
from services.resolver.graph.view import Edge, View, says_nothing, skipped

OWNERS_MAX: Final = 15  # Deployment → ReplicaSet → Pod is two; a cycle of owners must end, too
SLICE: Final = 256  # resources whose references are looked at in one piece: some milliseconds


def forward(view: View, resource: ResourceId) -> list[Edge]:
    """The edges from a resource to what it needs; a named target that is not there is an edge all the same."""
    state = view.find(resource)
    if state is None:
        return []
    edges = []
    for reference in state.references:
        if reference.selector is not None:
            present = view.targets(resource, reference).present
            edges += [Edge(resource, target, reference) for target in present if target != resource]
        elif not says_nothing(view, reference):
            edges.append(Edge(resource, reference.target, reference))
    return edges


def neighbourhood(
    view: View,
    root: ResourceId,
    *,
    direction: Direction,
    depth: int,
    kinds: Collection[KindId],
    phases: Collection[str],
    limit: int,
    evidence: Evidence,
) -> GraphAnswer:
    """What a resource needs, what needs it, or both, `depth` hops far (0 = to the end)."""
    walk = _Walk(view, root, depth, kinds, phases, limit)
    if direction in ("dependencies", "both"):
        walk.run(lambda resource: forward(view, resource), 1)
    if direction in ("dependents", "both"):
        walk.run(lambda resource: list(view.dependents(resource).edges), -1)
    return GraphAnswer(
        site=view.site,
        root=root,
        direction=direction,
        nodes=tuple(_node(view, one, hops) for one, hops in walk.nodes.items()),
        edges=tuple(map(edge_answer, walk.edges)),
        direct_dependents=view.dependents(root).count,
        direct_dependencies=len({edge.target for edge in forward(view, root)}),
        more=walk.more,
        evidence=evidence,
    )


def why(view: View, source: ResourceId, target: ResourceId, *, evidence: Evidence) -> GraphAnswer:
    """The shortest path from a dependent to its dependency; no edges when there is none.

    Of paths that are equally short, the one over what people wrote, not over what an owner made of it.
    """
    came_by: dict[ResourceId, Edge | None] = {source: None}
    queue = deque([source])
    while queue and target not in came_by and len(came_by) < WALK_NODES_MAX * 10:
        hops = [edge for edge in forward(view, queue.popleft()) if edge.target not in came_by]
        for edge in sorted(hops, key=lambda edge: (owner_of(view, edge.target) is not None, edge.target)):
            if edge.target not in came_by:
                came_by[edge.target] = edge
                queue.append(edge.target)
    path: list[Edge] = []
    step = came_by.get(target)
    while step is not None:
        path.append(step)
        step = came_by[step.source]
    path.reverse()
    nodes = [source, *(edge.target for edge in path)] if path else [source, target]
    return GraphAnswer(
        site=view.site,
        root=source,
        direction="dependencies",
        nodes=tuple(_node(view, one, hops) for hops, one in enumerate(dict.fromkeys(nodes))),
        edges=tuple(map(edge_answer, path)),
        evidence=evidence,
    )


def missing(
    view: View, *, optional: bool, limit: int, evidence: Evidence, sources: Iterable[ResourceId]
) -> Iterator[GraphAnswer | None]:
    """References by name that lead nowhere, of these sources: None after each slice of them, and then the answer."""
    found: list[Edge] = []
    more = 0
    for place, source in enumerate(sources, 1):
        if place % SLICE == 0:
            yield None
        for edge in dangling(view, source, optional=optional):
            if len(found) < limit:
                found.append(edge)
            else:
                more += 1
    nodes = dict.fromkeys([*(edge.source for edge in found), *(edge.target for edge in found)])
    yield GraphAnswer(
        site=view.site,
        direction="dependencies",
        nodes=tuple(_node(view, one, 0).model_copy(update={"made_by": owner_of(view, one)}) for one in nodes),
        edges=tuple(map(edge_answer, found)),
        more=more,
        evidence=evidence,
    )


def dangling(view: View, source: ResourceId, *, optional: bool) -> Iterator[Edge]:
    """Edges of one resource whose target, or the named part of it, is not there."""
    state = view.find(source)
    for reference in state.references if state else ():
        is_asked_for = reference.selector is None and (optional or not skipped(reference))
        if is_asked_for and not serves(view, source, reference) and not says_nothing(view, reference):
            yield Edge(source, reference.target, reference)


def owner_of(view: View, resource: ResourceId, tops: dict[ResourceId, ResourceId] | None = None) -> ResourceId | None:
    """The top of the chain of owners, when it is there. `tops` remembers it by the direct owner: siblings share it."""
    direct = view.owner(resource)
    if direct is None or direct == resource:
        return None
    if tops is not None and direct in tops:
        return tops[direct]
    top = direct
    for _ in range(OWNERS_MAX):
        above = view.owner(top)
        if above is None or above == resource:
            break
        top = above
    if tops is not None:
        tops[direct] = top
    return top


def maker_of(view: View, resource: ResourceId) -> ResourceId | None:
    """The highest owner that makes pods from a template: what a pod is, is written there."""
    maker: ResourceId | None = None
    above = view.owner(resource)
    for _ in range(OWNERS_MAX):
        state = view.find(above) if above is not None else None
        if state is None or state.template_labels is None or above == resource:
            break
        maker, above = above, view.owner(state.resource)
    return maker


def serves(view: View, source: ResourceId, reference: Reference) -> bool:
    """The target is there, with the part that is needed."""
    targets = view.targets(source, reference)
    if not targets.count:
        return False
    if not reference.granule:
        return True
    state = view.find(targets.present[0])
    return state is not None and is_offered(reference.rule, reference.granule, state.parts)


class _Walk:
    """One breadth-first search, bounded."""

    def __init__(
        self, view: View, root: ResourceId, depth: int, kinds: Collection[KindId], phases: Collection[str], limit: int
    ) -> None:
        self._view, self._root, self._depth, self._kinds = view, root, depth, kinds
        self._phases, self._limit = frozenset(phases), limit
        self.nodes: dict[ResourceId, int] = {root: 0}
        self.edges: list[Edge] = []
        self.more = 0
        self._seen: set[tuple[ResourceId, ResourceId, str, str]] = set()

    def run(self, hops: Callable[[ResourceId], list[Edge]], sign: int) -> None:
        """`hops(resource)` gives the edges; `sign` is 1 towards dependencies, -1 towards dependents."""
        queue = deque([(self._root, 0)])
        visited = {self._root}
        while queue:
            resource, distance = queue.popleft()
            if self._depth and distance >= self._depth:
                continue
            for edge in hops(resource):
                other = edge.target if sign > 0 else edge.source
                if not self._wanted(edge, other):
                    continue
                if other not in visited and other not in self.nodes and len(self.nodes) >= self._limit:
                    self.more += 1
                    continue
                self._add(edge)
                self.nodes.setdefault(other, sign * (distance + 1))
                if other not in visited:
                    visited.add(other)
                    queue.append((other, distance + 1))

    def _wanted(self, edge: Edge, other: ResourceId) -> bool:
        if self._phases and not self._phases & set(edge.reference.phases):
            return False
        return not self._kinds or kind_of(other) in self._kinds

    def _add(self, edge: Edge) -> None:
        key = (edge.source, edge.target, edge.reference.path, edge.reference.granule)
        if key not in self._seen:
            self._seen.add(key)
            self.edges.append(edge)


def _node(view: View, resource: ResourceId, depth: int) -> GraphNode:
    state = view.find(resource)
    if state is None:
        return GraphNode(resource=resource, state="missing", depth=depth)
    health = state.facts.get("health")
    return GraphNode(
        resource=resource,
        state="terminating" if state.deleting else "in flight" if view.held_by(resource) else "present",
        health=health if isinstance(health, str) else "",
        depth=depth,
    )


def edge_answer(edge: Edge) -> GraphEdge:
    """One edge as it is answered."""
    reference = edge.reference
    return GraphEdge(
        source=edge.source,
        target=edge.target,
        kind=reference.relation,
        phases=tuple(reference.phases),
        rule=reference.rule,
        path=reference.path,
        granule=reference.granule,
        optional=reference.optional,
        soft=reference.soft,
        confidence=reference.confidence,
        selector=reference.selector is not None,
    )
