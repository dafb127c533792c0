"""What is in flight and had no say in a decision may be left out: the verdict stays the same, to the byte."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from schemas.events import Reference, ResourceEvent, ResourceState
from schemas.identity import ResourceId
from services.resolver.graph.in_flight import InFlightView, Row, WorkedOut
from services.resolver.graph.store import Graph
from services.resolver.judge.case import Case, Change
from services.resolver.judge.decide import decide
from services.resolver.judge.policy import Policy
from tests.kit.court import FRESH
from tests.kit.examples import examples
from tests.unit.resolver.sketches import LYON, NAMES, NOW, Sketch

SEEDS: Final = st.integers(0, 2**32)
OWN: Final = "i-1"


@settings(max_examples=examples(2_000))
@given(SEEDS, st.booleans())
def test_a_decision_is_the_same_under_those_changes_alone_that_had_a_say_in_it(seed: int, is_deletion: bool) -> None:
    sketch = Sketch(seed)
    graph = sketch.graph()
    rows = _rows(sketch, Random(seed))
    case = _case(sketch, is_deletion=is_deletion)
    view = InFlightView(graph, rows, OWN)
    verdict = decide(case, view, Policy(), NOW)
    consulted = view.consulted()
    again = decide(case, _under(graph, consulted), Policy(), NOW)
    assert again.to_json() == verdict.to_json()
    assert consulted == [row for row in rows if row in consulted], "in their order"


def test_many_decisions_rest_on_some_of_what_is_in_flight_and_not_on_all() -> None:
    shares = []
    for seed in range(200):
        sketch = Sketch(seed)
        view = InFlightView(sketch.graph(), _rows(sketch, Random(seed)), OWN)
        decide(_case(sketch, is_deletion=True), view, Policy(), NOW)
        shares.append((len(view.consulted()), len(view._rows)))
    assert sum(0 < some < every for some, every in shares) > 50, shares


@pytest.mark.parametrize(("users", "times"), [(70, 2), (1_001, 1)])
def test_a_hub_gets_the_same_verdict_when_nothing_that_is_in_flight_had_a_say_in_it(users: int, times: int) -> None:
    """Under nothing the site itself would be asked, which counts further than a walk over edges does."""
    graph, secret, other = Graph(LYON), ResourceId("Secret/shop/s"), ResourceId("ConfigMap/other/x")
    named = (Reference("podspec.secret", f"spec.volumes[{n}]", "requirement", "S", secret) for n in range(times))
    references = tuple(named)
    pods = [ResourceState(ResourceId(f"Pod/shop/{n}"), uid="u1", references=references) for n in range(users)]
    for state in (ResourceState(secret, uid="u1"), ResourceState(other, uid="u1"), *pods):
        graph.apply(ResourceEvent("put", state))
    case = Case(OWN, "delete", LYON, (Change(secret, "delete"),), FRESH, NOW + timedelta(hours=1), 10.0)
    view = InFlightView(graph, [(other, "i-2", None)], OWN)
    verdict = decide(case, view, Policy(), NOW)
    assert decide(case, _under(graph, view.consulted()), Policy(), NOW).to_json() == verdict.to_json()


@settings(max_examples=examples(1_000))
@given(SEEDS)
def test_what_was_worked_out_for_one_decision_is_used_for_the_next_as_long_as_the_site_says_the_same(seed: int) -> None:
    sketch, random, known = Sketch(seed), Random(seed), WorkedOut()
    graph, rows = sketch.graph(), _rows(sketch, random)
    for _ in range(6):
        one, fresh = InFlightView(graph, rows, OWN, known), InFlightView(graph, rows, OWN)
        for name in NAMES:
            assert one.find(name) == fresh.find(name)
            assert one.dependents(name) == fresh.dependents(name)
        for state in sketch.written():
            graph.apply(ResourceEvent("put", state))
        graph.apply(ResourceEvent("delete", resource=random.choice(NAMES)))
        if rows and random.randrange(3) == 0:
            known.forget(rows.pop(random.randrange(len(rows)))[0])
        for place, (resource, intent, after) in enumerate(rows[:1]):  # it is decided again, and is to be another
            rows[place] = (resource, intent, after and structs.replace(sketch.written()[0], resource=resource))


def test_owners_in_a_circle_end_though_each_has_many_and_go_with_what_all_of_them_are_in() -> None:
    """Each path through twelve that own each other was walked: no decision came while anything was being deleted."""
    names = [ResourceId(f"apps/ReplicaSet/shop/{number}") for number in range(12)]
    space, other = ResourceId("Namespace/shop"), ResourceId("Secret/shop/other")
    graph = Graph(LYON)
    for one in (space, other):
        graph.apply(ResourceEvent("put", ResourceState(one, uid="u1", resource_version="1")))
    for name in names:
        owners = tuple(Reference("owner", "o", "composition", "D", one) for one in names if one != name)
        graph.apply(ResourceEvent("put", ResourceState(name, uid="u1", resource_version="1", references=owners)))
    view = InFlightView(graph, [(other, "i-2", None)], OWN)
    assert [view.held_by(one) for one in (names[0], other)] == [None, "i-2"]
    inside = Reference("namespace", "n", "containment", "D", space)
    for name in names[:1]:
        references = (*graph.find(name).references, inside)  # type: ignore[union-attr]  # it was put
        graph.apply(ResourceEvent("put", ResourceState(name, uid="u1", resource_version="2", references=references)))
    view = InFlightView(graph, [(space, "i-3", None)], OWN)
    assert view.held_by(names[0]) == "i-3"
    assert view.held_by(names[1]) is None, "its other owners stay"


def _under(graph: Graph, rows: list[Row]) -> InFlightView | Graph:
    """As a replay lays them over the site (basis.py)."""
    return InFlightView(graph, rows, OWN) if rows else graph


def _rows(sketch: Sketch, random: Random) -> list[Row]:
    """Some of it is being written, some deleted; some of that by the intent itself."""
    found = dict[ResourceId, Row]()
    for state in (*sketch.written(), *sketch.written()):
        found[state.resource] = (state.resource, random.choice((OWN, "i-2", "i-3")), state)
    for name in random.sample(NAMES, random.randrange(4)):
        found[name] = (name, random.choice((OWN, "i-2", "i-3")), None)
    return [*found.values()]


def _case(sketch: Sketch, *, is_deletion: bool) -> Case:
    if is_deletion:
        changes = tuple(Change(one, "delete") for one in sketch.targets())
    else:
        changes = tuple(Change(one.resource, "apply", "v1", one) for one in sketch.written())
    verb = "delete" if is_deletion else "apply"
    return Case(OWN, verb, LYON, changes, FRESH, NOW + timedelta(hours=1), 10.0)
