"""What goes when something goes: its children by composition and containment, transitively. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from schemas.identity import ResourceId
from services.resolver.graph.kept import Record
from services.resolver.graph.names import NOWHERE
from services.resolver.graph.numbers import Numbers
from services.resolver.graph.remembered import numbers_of
from services.resolver.graph.view import OWNING, Edge, View, takes_along

CASCADE_MAX: Final = 20_000  # a larger cascade is refused: it could not be judged whole
CHAIN_MAX: Final = 1_000
TAKEN_MAX: Final = 1_000  # more are left to the walk over states


class Cascade:
    """What goes: the targets, and their children with the edge by which each was reached. Nobody changes it.

    all     targets and children
    whole   it is not larger than what can be judged
    """

    def __init__(
        self, targets: tuple[ResourceId, ...], children: dict[ResourceId, Edge], *, whole: bool = True
    ) -> None:
        self.targets, self.children, self.whole = targets, children, whole
        self.all = frozenset((*targets, *children))  # once: whoever walks over children asks for it each time

    def chain(self, resource: ResourceId) -> tuple[Edge, ...]:
        """From a target down to a child."""
        hops: list[Edge] = []
        edge = self.children.get(resource)
        while edge is not None and len(hops) < CHAIN_MAX:
            hops.append(edge)
            edge = self.children.get(edge.target)
        return tuple(reversed(hops))


class Taken:
    """A set of resources that go, by number; it grows. `strange`: only the walk over states tells what goes."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._going: set[int] = set()
        self._reached: dict[int, tuple[int, int]] = {}  # a child, by whom and where that stands among its targets
        self._takes: dict[int, bool] = {}  # containers

    @property
    def strange(self) -> bool:
        """Something was met that numbers do not tell."""
        return self._numbers.strange or len(self._going) > TAKEN_MAX

    def take(self, targets: Sequence[int]) -> list[int]:
        """These go, too, and with them what they contain and make; all that is new, in order."""
        numbers, going, reached = self._numbers, self._going, self._reached
        rows, child_rows = numbers.rows, numbers.child_rows
        new = [one for one in targets if one not in going]
        queue = list(targets)
        going.update(queue)
        for number in queue:  # grows while it is read: breadth first
            row = child_rows[number]
            if row is None:
                continue
            for source in numbers.sources(row):
                if source in going:
                    continue
                record = rows[source]
                assert record is not None, "who refers to something is there"
                place, pinned = record.shape.owner
                targets_ = record.targets
                if (  # nearly always: what goes is its only owner
                    place == NOWHERE
                    or targets_[place] != number
                    or targets_.count(number) > 1
                    or (pinned and numbers.is_another(number, targets_[place + 1]))
                ):
                    place = self._is_taken(source, number, record)
                    if place == NOWHERE:
                        continue
                going.add(source)
                reached[source] = number, place
                new.append(source)
                queue.append(source)
            if len(queue) > TAKEN_MAX:
                break
        return new

    def _is_taken(self, child: int, above: int, record: Record) -> int:
        """Where among the targets of a child that stands which takes it down with what is above it, or NOWHERE."""
        for place in self._numbers.places(above, record, owning=True):
            form = record.shape.at[place]
            assert form is not None, "a target stands there"
            is_contained = form.reference.relation == "containment"
            if self._takes_along(above) if is_contained else self._is_orphaned(child, record):
                return place
        return NOWHERE

    def _takes_along(self, container: int) -> bool:
        found = self._takes.get(container)
        if found is None:
            traits = self._numbers.traits(container)
            found = self._takes[container] = traits is None or takes_along(traits)
        return found

    def _is_orphaned(self, child: int, record: Record) -> bool:
        """The last of its owners goes; one of them does."""
        if len(record.shape.owners) == 1:
            return True
        return all(one == NOWHERE or one in self._going for one in self._numbers.owners(child))

    def is_within(self, number: int) -> bool:
        """Whether an owner or container of it goes, too."""
        record = self._numbers.record(number)
        places = zip(record.shape.at, record.targets, strict=True)
        return any(form is not None and form.owning and one in self._going and one != number for form, one in places)

    def cascade(self, targets: Sequence[ResourceId]) -> Cascade:
        """All that goes with these, with names and edges."""
        name, edge = self._numbers.resource, self._numbers.edge
        children = {name(child): edge(child, place, name(above)) for child, (above, place) in self._reached.items()}
        return Cascade(tuple(targets), children)


def cascade_of(view: View, targets: Sequence[ResourceId], so_far: Cascade | None = None) -> Cascade:
    """Targets and what composition and containment take down with them; `so_far`: they come on top of this one."""
    numbers = numbers_of(view) if so_far is None else None
    known = [*map(numbers.find, targets)] if numbers is not None else []
    if numbers is not None and NOWHERE not in known:
        taken = Taken(numbers)
        taken.take(known)
        if not taken.strange:
            return taken.cascade(targets)
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
    """Its container or all of its owners are among what goes besides it, so that nobody needs to delete it."""
    state = view.find(resource)
    rows = [one for one in state.references if one.relation in OWNING] if state is not None else []
    if any(one.target == resource for one in rows):
        going = going - {resource}  # it does not take itself
    return any(one.target in going and _goes(view, Edge(resource, one.target, one), going) for one in rows)


def _goes(view: View, edge: Edge, going: AbstractSet[ResourceId]) -> bool:
    """What is contained goes with its container; what is made, when the last of its owners goes."""
    if edge.reference.relation == "containment":
        container = view.find(edge.target)
        return container is None or takes_along(container)
    child = view.find(edge.source)
    owners = [one for one in child.references if one.relation == "composition"] if child is not None else []
    return all(one.target in going or not view.targets(edge.source, one).count for one in owners)
