"""The questions that may be asked of a site's knowledge. The live graph, an overlay and a folder of manifests answer.

Whoever decides sees a site only through this Protocol, so the same judge works live, in flight and offline.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Literal, NamedTuple, Protocol

from msgspec import Struct, field

from schemas.events import Reference, ResourceState
from schemas.identity import KindId, ResourceId, SiteName, kind_of
from schemas.kinds import Surface

Which = Literal["all", "children", "users", "selectors"]
OWNING: Final = frozenset(("composition", "containment"))
TAKES: Final = "takes"  # a fact of a container: False: what is in it stays when it goes
SERVICE: Final = KindId("Service")
WALK_MAX: Final = 1_000  # edges or nodes that one question looks at; counts are exact all the same


class Edge(NamedTuple):
    """`source` depends on what `reference` names; `target` is the resource that it was resolved to (or would be)."""

    source: ResourceId
    target: ResourceId
    reference: Reference


class Dependents(Struct, frozen=True):
    """Edges that point at one resource, by name, uid or selector: the first `WALK_MAX`, and exact counts."""

    edges: Sequence[Edge] = ()
    count: int = 0
    by_kind: dict[KindId, int] = field(default_factory=dict)


class Reach(Struct, frozen=True):
    """How many depend on something, directly or through others; `bounded`: there may be more."""

    count: int
    bounded: bool


class Targets(Struct, frozen=True):
    """What one reference resolves to: the present targets (first `WALK_MAX`) and their exact count.

    A named target that is not there gives no present target. `reference.uid` must match when it is given.
    """

    present: Sequence[ResourceId] = ()
    count: int = 0


class View(Protocol):
    """One site's knowledge at one moment."""

    @property
    def site(self) -> SiteName: ...

    @property
    def surface(self) -> Surface: ...

    def find(self, resource: ResourceId) -> ResourceState | None:
        """The state of a resource that is there (terminating ones included), else None."""

    def targets(self, source: ResourceId, reference: Reference) -> Targets:
        """Resolve one reference of `source`: by name, by uid, or by selector through the label index."""

    def dependents(self, resource: ResourceId, limit: int = WALK_MAX, which: Which = "all") -> Dependents:
        """Edges that point at `resource`, whether it exists or not (a missing node has dependents too).

        `children`: only those that composition and containment take down with it; `users`: only the others;
        `selectors`: of the users only those that select it.
        """

    def needing(self, resource: ResourceId, granules: AbstractSet[str]) -> list[Edge]:
        """Every edge by name that needs one of these parts of a resource."""

    def reach(self, resources: Collection[ResourceId], limit: int = WALK_MAX) -> Reach:
        """How many depend on these resources, transitively, up to `limit`; they themselves do not count."""

    def members(self, kind: KindId, namespace: str | None = None) -> Iterator[ResourceId]:
        """Present resources of a kind, in one namespace or everywhere."""

    def owner(self, resource: ResourceId) -> ResourceId | None:
        """The first of its owners that is there."""

    def held_by(self, resource: ResourceId) -> str | None:
        """The intent whose allowed but not yet visible change touches this resource; None when there is none."""


def reach_by_edges(view: View, resources: Collection[ResourceId], limit: int) -> Reach:
    """What `View.reach` answers, by its other questions."""
    seen = set(resources)
    queue = deque(resources)
    while queue:
        for edge in view.dependents(queue.popleft(), limit).edges:
            if edge.source in seen:
                continue
            if len(seen) - len(resources) >= limit:
                return Reach(limit, True)
            seen.add(edge.source)
            queue.append(edge.source)
    return Reach(len(seen) - len(resources), False)


def owner_by_references(view: View, resource: ResourceId) -> ResourceId | None:
    """What `View.owner` answers, by its other questions."""
    state = view.find(resource)
    for reference in state.references if state is not None else ():
        if reference.relation == "composition" and view.targets(resource, reference).count:
            return reference.target
    return None


def takes_along(container: ResourceState) -> bool:
    """Whether what is in it goes with it."""
    return container.facts.get(TAKES) is not False


def says_nothing(view: View, reference: Reference) -> bool:
    """A doubtful host (schemas/relations/hosts.py) that is no Service here: it is somebody else's name."""
    is_doubtful = reference.optional and reference.confidence == "inferred" and kind_of(reference.target) == SERVICE
    return is_doubtful and view.find(reference.target) is None


def skipped(reference: Reference) -> bool:
    """A reference that nobody misses when it leads nowhere: optional, soft, guessed, or of phase P only."""
    return reference.optional or reference.soft or reference.confidence == "inferred" or reference.phases == "P"
