"""What goes when something goes: its children by composition and containment, transitively. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from schemas.identity import ResourceId
from services.resolver.graph.view import OWNING, Edge, View

CASCADE_MAX: Final = 20_000  # a larger cascade is refused: it could not be judged whole
CHAIN_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Cascade:
    """What goes: the targets, and their children with the edge by which each was reached."""

    targets: tuple[ResourceId, ...]
    children: dict[ResourceId, Edge]
    whole: bool = True

    @property
    def all(self) -> frozenset[ResourceId]:
        """Targets and children."""
        return frozenset((*self.targets, *self.children))

    def chain(self, resource: ResourceId) -> tuple[Edge, ...]:
        """From a target down to a child."""
        hops: list[Edge] = []
        edge = self.children.get(resource)
        while edge is not None and len(hops) < CHAIN_MAX:
            hops.append(edge)
            edge = self.children.get(edge.target)
        return tuple(reversed(hops))


def cascade_of(view: View, targets: Sequence[ResourceId], so_far: Cascade | None = None) -> Cascade:
    """Targets and what composition and containment take down with them; `so_far`: they come on top of this one."""
    children = dict(so_far.children) if so_far else {}
    queue = list(targets)
    seen = {*targets, *(so_far.all if so_far else ())}
    targets = (*(so_far.targets if so_far else ()), *targets)
    for resource in queue:  # grows while it is read: breadth first
        for edge in view.dependents(resource, CASCADE_MAX + 1, "children").edges:
            if edge.source in seen or not _goes(view, edge, seen):
                continue
            if len(seen) >= CASCADE_MAX:
                return Cascade(tuple(targets), children, whole=False)
            seen.add(edge.source)
            children[edge.source] = edge
            queue.append(edge.source)
    return Cascade(tuple(targets), children)


def goes_by_itself(view: View, resource: ResourceId, going: AbstractSet[ResourceId]) -> bool:
    """Its container or all of its owners are among what goes, so that nobody needs to delete it."""
    state = view.find(resource)
    rows = [one for one in state.references if one.relation in OWNING] if state is not None else []
    return any(one.target in going and _goes(view, Edge(resource, one.target, one), going) for one in rows)


def _goes(view: View, edge: Edge, going: AbstractSet[ResourceId]) -> bool:
    """What is contained goes with its container; what is made, when the last of its owners goes."""
    if edge.reference.relation == "containment":
        return True
    child = view.find(edge.source)
    owners = [one for one in child.references if one.relation == "composition"] if child is not None else []
    return all(one.target in going or not view.targets(edge.source, one).count for one in owners)
