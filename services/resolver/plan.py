"""Changes → ordered steps. Pure.

What is needed at admission or start comes first, and a container (namespace, definition) before what lives in it;
deletions go the other way round. Lifetime edges order, too, where they make no cycle: an Ingress after its Service.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from schemas.events import Reference, ResourceState
from schemas.identity import ResourceId, SiteName
from schemas.verdicts import Action, Preconditions, Step

STRONG: Final = frozenset("AS")
Pair = tuple[ResourceId, ResourceId]  # a dependent, and what it depends on
Ahead = dict[ResourceId, dict[ResourceId, None]]  # what each depends on, in order
N = TypeVar("N", bound=Hashable)
Ways = Mapping[N, Collection[N]]  # whom each leads to


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
    return [source for source, _ in next(_circles(_ahead(states, pairs)), [])] if pairs else []


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
    before = reduced(_order(states, [change.resource for change in changes], selecting))
    behind = _behind(before)
    for change in changes:
        if change.action == "delete":
            before[change.resource] = behind[change.resource]  # dependents go first
    return before


def _order(
    states: Mapping[ResourceId, ResourceState], resources: Iterable[ResourceId], selecting: Iterable[Pair]
) -> Ahead:
    """What each depends on, without cycles."""
    order = _ahead([*states, *resources], _pairs(states, _is_strong))
    for circle in _circles({one: needs.copy() for one, needs in order.items()}):
        source, target = circle[-1]
        del order[source][target]
    lasting = set(_pairs(states, lambda reference: "L" in reference.phases))
    pairs = (*sorted(lasting), *sorted(selecting))
    if not pairs:
        return order
    whole = {one: needs.copy() for one, needs in order.items()}
    for source, target in pairs:
        whole[source][target] = None
    # Who stands in no circle, whatever is added, stands in a component of his own.
    component = _components(whole)
    behind = _behind(order)
    for source, target in pairs:
        if component[source] != component[target] or not _leads(order, behind, target, source):
            order[source][target] = None
            behind[target].add(source)
    return order


def _is_strong(reference: Reference) -> bool:
    return not STRONG.isdisjoint(reference.phases)


def _pairs(states: Mapping[ResourceId, ResourceState], wanted: Callable[[Reference], bool]) -> Iterator[Pair]:
    """Who names whom among these, by name."""
    for resource in sorted(states):
        for reference in states[resource].references:
            if reference.target in states and reference.target != resource and wanted(reference):
                yield resource, reference.target


def _ahead(resources: Iterable[ResourceId], pairs: Iterable[Pair]) -> Ahead:
    ahead: Ahead = {one: {} for one in sorted({*resources})}
    for source, target in pairs:
        ahead[source][target] = None
    return ahead


def _circles(ahead: Ahead) -> Iterator[list[Pair]]:
    """A cycle; and, without its last edge, the next one, until there is none. `ahead` is used up."""
    behind: dict[ResourceId, list[ResourceId]] = {one: [] for one in ahead}
    for source, needs in ahead.items():
        for target in needs:
            behind[target].append(source)
    ends = [one for one, needs in ahead.items() if not needs]
    while True:
        for one in ends:  # grows while it is read: who leads nowhere leads to no cycle
            del ahead[one]
            for source in behind[one]:
                needs = ahead.get(source, {})
                if one in needs:
                    del needs[one]
                    if not needs:
                        ends.append(source)
        if not ahead:
            return
        path: dict[ResourceId, None] = {}
        one = next(iter(ahead))
        while one not in path:  # everybody who is left leads to one, by whatever way
            path[one] = None
            one = next(iter(ahead[one]))
        circle = [*path][[*path].index(one) :]
        yield [*zip(circle, (*circle[1:], one), strict=True)]
        last = circle[-1]
        del ahead[last][one]
        ends = [] if ahead[last] else [last]


def _behind(ahead: Ways[N]) -> dict[N, set[N]]:
    """The same, the other way round."""
    behind: dict[N, set[N]] = {one: set() for one in ahead}
    for one, needs in ahead.items():
        for needed in needs:
            behind[needed].add(one)
    return behind


def _components(ahead: Ways[N]) -> dict[N, N]:
    """Each one's component, as one of its members: all of it lead to each other (Kosaraju)."""
    behind = _behind(ahead)
    found: dict[N, N] = {}
    for one in reversed(_left_last(ahead)):
        if one not in found:
            found[one] = one
            members = [one]
            for member in members:  # grows while it is read
                more = [source for source in behind[member] if source not in found]
                found.update(dict.fromkeys(more, one))
                members += more
    return found


def _left_last(ahead: Ways[N]) -> list[N]:
    """All of them; each stands behind those that were first met on the ways from it."""
    met: set[N] = set()
    left: list[N] = []
    for start in ahead:
        ways = [] if start in met else [(start, iter(ahead[start]))]
        met.add(start)
        while ways:
            one, needs = ways[-1]
            needed = next((each for each in needs if each not in met), None)
            if needed is None:
                left.append(one)
                ways.pop()
            else:
                met.add(needed)
                ways.append((needed, iter(ahead[needed])))
    return left


def _leads(ahead: Ways[N], behind: Ways[N], start: N, end: N) -> bool:
    """Whether there is a way from one to another one, or both are the same; looked for from both ends."""
    sides = [(ahead, {start}, {start}), (behind, {end}, {end})]  # ways, who was met, and of those the last
    if start == end:
        return True
    while all(rim for _, _, rim in sides):
        (ways, met, rim), (_, met_there, _) = sorted(sides, key=lambda side: len(side[2]))
        more = {each for one in rim for each in ways[one]} - met
        if more & met_there:
            return True
        met |= more
        rim.clear()
        rim |= more
    return False


def reduced(ahead: Ways[N]) -> dict[N, set[N]]:
    """The same without shortcuts: who is reached by way of another one is left out. There are no cycles."""
    found: dict[N, set[N]] = {}
    reach: dict[N, int] = {}  # a bit each: few for who stands at the end
    numbers: dict[N, int] = {}
    for one in _sequence(ahead):
        numbers[one] = len(numbers)
        beyond = 0
        for needed in ahead[one]:
            beyond |= reach[needed]
        found[one] = {needed for needed in ahead[one] if not beyond >> numbers[needed] & 1}
        for needed in found[one]:
            beyond |= 1 << numbers[needed]
        reach[one] = beyond
    return {one: found[one] for one in ahead}


def _sequence(before: Mapping[N, Collection[N]]) -> list[N]:
    """Kahn's order, names deciding where the edges do not."""
    left = {one: len(needs) for one, needs in before.items()}
    behind: dict[N, list[N]] = {one: [] for one in before}
    for one, needs in before.items():
        for needed in needs:
            behind[needed].append(one)
    sequence: list[N] = []
    free = [one for one, count in left.items() if not count]
    while free:
        sequence += sorted(free)  # type: ignore[type-var]  # names
        more = []
        for one in free:
            for other in behind[one]:
                left[other] -= 1
                if not left[other]:
                    more.append(other)
        free = more
    assert len(sequence) == len(left), "the order has no cycles"
    return sequence


def preconditions_of(state: ResourceState | None) -> Preconditions:
    """What must still hold when the step is done: the same object, or still none."""
    return Preconditions(absent=True) if state is None else Preconditions(uid=state.uid)
