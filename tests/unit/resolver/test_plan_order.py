"""The order of steps, and of the way back, is what general algorithms say, and costs what there is to order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Reference, ResourceState
from schemas.identity import ResourceId, SiteName
from schemas.outcomes import Outcome
from schemas.verdicts import Action, Preconditions, Step
from services.resolver.deeds import Deed, reversed_steps
from services.resolver.plan import Planned, cycle, plan
from services.resolver.undoing import with_what_waits
from tests.kit.calls import calls_of
from tests.kit.examples import examples

LYON: Final = SiteName("lyon")
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
FEW: Final = 50
TIMES: Final = 4
Rows = Sequence[tuple[int, int, str]]  # who names whom, and when it is needed
ROWS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.sampled_from(("S", "AL", "L", "P"))), max_size=16)
PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=6)


def name(number: int) -> ResourceId:
    return ResourceId(f"Secret/shop/{number:04}")


def planned(many: int, rows: Rows, action: Action = "create") -> list[Planned]:
    naming: dict[int, list[Reference]] = {number: [] for number in range(many)}
    for place, (source, target, phases) in enumerate(rows):
        naming[source].append(Reference("r", f"spec.{place}", "requirement", phases, name(target)))
    states = [ResourceState(name(number), references=tuple(naming[number])) for number in range(many)]
    return [Planned(one.resource, action, Preconditions(), one) for one in states]


def states_of(changes: Sequence[Planned]) -> dict[ResourceId, ResourceState]:
    return {one.resource: one.state for one in changes if one.state is not None}


def strong_of(changes: Sequence[Planned]) -> networkx.DiGraph[ResourceId]:
    graph: networkx.DiGraph[ResourceId] = networkx.DiGraph()
    graph.add_nodes_from(sorted(one.resource for one in changes))
    graph.add_edges_from(pairs_of(changes, "AS"))
    return graph


def pairs_of(changes: Sequence[Planned], phases: str) -> list[tuple[ResourceId, ResourceId]]:
    states = states_of(changes)
    rows = [(one, each) for one in sorted(states) for each in states[one].references]
    return [(one, each.target) for one, each in rows if each.target != one and {*phases} & {*each.phases}]


def circle_of(graph: networkx.DiGraph[ResourceId]) -> list[tuple[ResourceId, ResourceId]]:
    try:
        return [*networkx.find_cycle(graph)]
    except networkx.NetworkXNoCycle:
        return []


def in_rounds(before: Mapping[ResourceId, set[ResourceId]]) -> list[ResourceId]:
    left, sequence = {one: {*needs} for one, needs in before.items()}, list[ResourceId]()
    while left:
        free = sorted(one for one, needs in left.items() if not needs & left.keys())
        for one in free:
            del left[one]
        sequence += free
    return sequence


@settings(max_examples=examples(1_000))
@given(ROWS)
def test_the_cycle_that_is_named_is_the_first_one_that_a_search_finds(rows: Rows) -> None:
    changes = planned(8, rows)
    assert cycle(states_of(changes)) == [source for source, _ in circle_of(strong_of(changes))]


@settings(max_examples=examples(1_000))
@given(ROWS, PAIRS, st.sampled_from(("create", "delete")))
def test_steps_are_in_the_order_that_edges_without_cycles_and_shortcuts_give(
    rows: Rows, pairs: Sequence[tuple[int, int]], action: Action
) -> None:
    changes = planned(8, rows, action)
    selecting = [(name(source), name(target)) for source, target in pairs if source != target]
    order = strong_of(changes)
    for circle in iter(lambda: circle_of(order), []):
        order.remove_edges_from(circle[-1:])
    for source, target in (*sorted({*pairs_of(changes, "L")}), *sorted(selecting)):
        if not order.has_edge(source, target) and not networkx.has_path(order, target, source):
            order.add_edge(source, target)
    order = networkx.transitive_reduction(order)
    before = {one: {*(order.predecessors(one) if action == "delete" else order.successors(one))} for one in order}
    steps = plan(LYON, changes, selecting)
    assert [one.resource for one in steps] == in_rounds(before)
    ids = {one.resource: one.id for one in steps}
    assert all({*one.after} == {ids[each] for each in before[one.resource]} for one in steps)


# ── the way back ────────────────────────────────────────────────────────────────────────────────────────────────────


def done(number: int, after: Sequence[int] = (), revision: int = 1) -> Deed:
    step, state = str(number), "ready"
    outcome = Outcome.model_validate(
        {"operation": f"i.{revision}.{step}", "intent": "i", "revision": revision, "step": step, "site": LYON}
        | {"action": "create", "resource": name(number), "state": state, "at": NOW}
    )
    return Deed(outcome, tuple(map(str, after)))


@st.composite
def deeds(draw: st.DrawFn) -> list[Deed]:
    many = draw(st.integers(0, 9))
    revisions = sorted(draw(st.lists(st.integers(1, 3), min_size=many, max_size=many)))
    before = [draw(st.lists(st.integers(0, max(0, one - 1)), max_size=3)) for one in range(many)]
    return [done(one, [each for each in before[one] if each < one], revisions[one]) for one in range(many)]


@settings(max_examples=examples(600))
@given(deeds())
def test_the_way_back_is_the_order_that_all_pairs_give(mine: list[Deed]) -> None:
    by_name = {one.outcome.operation: one for one in mine}
    by_step = {(one.outcome.revision, one.outcome.step): key for key, one in by_name.items()}
    ways: networkx.DiGraph[str] = networkx.DiGraph()
    ways.add_nodes_from(by_name)
    for key, one in by_name.items():
        needed = (by_step.get((one.outcome.revision, each)) for each in one.after)
        ways.add_edges_from((key, each) for each in needed if each is not None)
    for earlier, later in pairwise(sorted({one.outcome.revision for one in mine})):
        rows = [(one, other) for one in by_name for other in by_name]
        of = {key: one.outcome.revision for key, one in by_name.items()}
        ways.add_edges_from((one, other) for one, other in rows if (of[one], of[other]) == (later, earlier))
    ways = networkx.transitive_reduction(ways)

    def place(key: str) -> tuple[int, int]:
        return -by_name[key].outcome.revision, -int(by_name[key].outcome.step)

    order = [*networkx.lexicographical_topological_sort(ways, key=place)]
    steps = reversed_steps(mine)
    assert [one.undoes for one in steps] == order
    places = {key: number for number, key in enumerate(order, 1)}
    naive = [[f"u{each}" for each in sorted(places[one] for one in ways.predecessors(key))] for key in order]
    assert [[*one.after] for one in steps] == naive


@settings(max_examples=examples(600))
@given(deeds(), st.sets(st.integers(1, 9)))
def test_what_waits_for_what_stays_is_found_round_by_round(mine: list[Deed], stays: set[int]) -> None:
    steps = reversed_steps(mine)
    kept = {one.id: "it is lost" for place, one in enumerate(steps, 1) if place in stays}
    found, by_id = dict(kept), {one.id: one for one in steps}
    while more := [one for one in steps if one.id not in found and any(each in found for each in one.after)]:
        for step in more:
            first = next(each for each in step.after if each in found)
            kind, _, called = by_id[first].resource.partition("/")
            found[step.id] = f"{kind} {called}, which would have to go before it, stays"
    assert [*with_what_waits(kept, steps).items()] == [*found.items()]


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────────────


def chain(many: int, phases: str) -> list[Planned]:
    return planned(many, [(one, one - 1, phases) for one in range(1, many)])


def rings(many: int) -> list[Planned]:
    return planned(many, [(one, one ^ 1, "S") for one in range(many)])


def whole_plan(changes: Sequence[Planned]) -> object:
    return cycle(states_of(changes)), plan(LYON, changes)


def way_back(mine: Sequence[Deed]) -> Sequence[Step]:
    return reversed_steps(mine)


@pytest.mark.parametrize(
    "made",
    [
        lambda many: lambda: whole_plan(chain(many, "S")),
        lambda many: lambda: whole_plan(chain(many, "L")),
        lambda many: lambda: whole_plan(rings(many)),
        lambda many: lambda: way_back([done(one, [one - 2] if one > 1 else [], 1 + one % 2) for one in range(many)]),
        lambda many: (
            lambda: with_what_waits(
                {"u1": "it is lost"}, reversed_steps([done(one, [one - 1] if one else []) for one in range(many)])
            )
        ),
    ],
    ids=["a chain", "a chain that lasts", "many cycles", "two revisions", "what waits"],
)
def test_an_order_costs_what_there_is_to_order(made: Callable[[int], Callable[[], Any]]) -> None:
    few, many = calls_of(made(FEW)), calls_of(made(TIMES * FEW))
    assert many < 1.25 * TIMES * few
