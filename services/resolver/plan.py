"""Changes → ordered steps. Pure; networkx, because these graphs are small.

What is needed at admission or start comes first, and a container (namespace, definition) before what lives in it;
deletions go the other way round. Lifetime edges order, too, where they make no cycle: an Ingress after its Service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import networkx

from schemas.events import Reference, ResourceState
from schemas.identity import ResourceId, SiteName
from schemas.verdicts import Action, Preconditions, Step

STRONG: Final = frozenset("AS")
Pair = tuple[ResourceId, ResourceId]  # a dependent, and what it depends on


@dataclass(frozen=True, slots=True)
class Planned:
    """One change to be ordered; `state` is what it will be, or what it is when it is deleted."""

    resource: ResourceId
    action: Action
    preconditions: Preconditions
    state: ResourceState | None


def cycle(states: Mapping[ResourceId, ResourceState], waiting: Iterable[Pair] = ()) -> list[ResourceId]:
    """A cycle of what is needed at admission or start, in order; [] when there is none.

    `waiting`: dependents with what a selector has them wait for.
    """
    pairs = [*_pairs(states, _is_strong), *((source, target) for source, target in waiting if source != target)]
    return [source for source, _ in _one_cycle(_graph(states, pairs))] if pairs else []


def plan(site: SiteName, changes: Sequence[Planned], selecting: Iterable[Pair] = ()) -> tuple[Step, ...]:
    """Steps in an order that respects the edges; `after` names direct predecessors only.

    `selecting`: dependents with what they select, where that comes first (what is made may wait for its match).
    """
    if not changes:
        return ()
    states = {change.resource: change.state for change in changes if change.state is not None}
    before = _before(states, changes, selecting)
    sequence = _sequence(before)
    names = {resource: str(place + 1) for place, resource in enumerate(sequence)}
    by_resource = {change.resource: change for change in changes}
    return tuple(
        Step(
            id=names[resource],
            site=site,
            action=by_resource[resource].action,
            resource=resource,
            after=tuple(sorted((names[one] for one in before[resource]), key=int)),
            preconditions=by_resource[resource].preconditions,
        )
        for resource in sequence
    )


def _before(
    states: Mapping[ResourceId, ResourceState],
    changes: Sequence[Planned],
    selecting: Iterable[Pair],
) -> dict[ResourceId, set[ResourceId]]:
    """What has to be done before each change."""
    if len(changes) == 1:  # most intents: no graph is worth its making
        return {changes[0].resource: set()}
    order = _order(states, [change.resource for change in changes], selecting)
    before = {resource: set(order.successors(resource)) for resource in order}  # what a resource depends on
    for change in changes:
        if change.action == "delete":
            before[change.resource] = set(order.predecessors(change.resource))  # dependents go first
    return before


def _order(
    states: Mapping[ResourceId, ResourceState],
    resources: Iterable[ResourceId],
    selecting: Iterable[Pair],
) -> networkx.DiGraph[ResourceId]:
    """Edges dependent → dependency without cycles and without shortcuts."""
    order = _graph(states, _pairs(states, _is_strong))
    order.add_nodes_from(resources)
    for cycle_edges in iter(lambda: _one_cycle(order), []):
        order.remove_edges_from(cycle_edges[-1:])
    lasting = set(_pairs(states, lambda reference: "L" in reference.phases))
    for source, target in (*sorted(lasting), *sorted(selecting)):
        if not order.has_edge(source, target) and not networkx.has_path(order, target, source):
            order.add_edge(source, target)
    reduced = networkx.transitive_reduction(order)
    reduced.add_nodes_from(order.nodes)
    return reduced


def _is_strong(reference: Reference) -> bool:
    return not STRONG.isdisjoint(reference.phases)


def _pairs(states: Mapping[ResourceId, ResourceState], wanted: Callable[[Reference], bool]) -> Iterator[Pair]:
    """Who names whom among these, by name."""
    for resource in sorted(states):
        for reference in states[resource].references:
            if reference.target in states and reference.target != resource and wanted(reference):
                yield resource, reference.target


def _graph(resources: Iterable[ResourceId], pairs: Iterable[Pair]) -> networkx.DiGraph[ResourceId]:
    graph: networkx.DiGraph[ResourceId] = networkx.DiGraph()
    graph.add_nodes_from(sorted(resources))
    graph.add_edges_from(pairs)
    return graph


def _one_cycle(graph: networkx.DiGraph[ResourceId]) -> list[Pair]:
    try:
        return list(networkx.find_cycle(graph))
    except networkx.NetworkXNoCycle:
        return []


def _sequence(before: Mapping[ResourceId, set[ResourceId]]) -> list[ResourceId]:
    """Kahn's order, names deciding where the edges do not."""
    left = {resource: set(needs) for resource, needs in before.items()}
    sequence: list[ResourceId] = []
    while left:
        free = sorted(resource for resource, needs in left.items() if not needs & left.keys())
        assert free, "the order has no cycles"
        for resource in free:
            del left[resource]
        sequence += free
    return sequence


def preconditions_of(state: ResourceState | None) -> Preconditions:
    """What must still hold when the step is done: the same object, or still none."""
    return Preconditions(absent=True) if state is None else Preconditions(uid=state.uid)
