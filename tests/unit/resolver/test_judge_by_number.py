"""Deletions judged by number and judged over states: the same verdict, to the byte, on whatever a site looks like.

A view with nothing laid over it hides the numbers, so the same judge walks over states there. Sites are made from a
seed, small and dense, so that owners, selectors and users of one thing meet in every way; a rule of going.py that is
changed a little is caught within some hundreds of them.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Final

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.policy import PolicyFile
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.remembered import RememberedView, numbers_of
from services.resolver.graph.view import WALK_MAX, Reach, owner_by_references, reach_by_edges
from services.resolver.judge.case import Case, Change
from services.resolver.judge.decide import decide
from services.resolver.judge.delete import blocks_by_default, judge_delete, with_dependents
from services.resolver.judge.going import together
from services.resolver.judge.policy import Policy
from tests.kit.court import FRESH
from tests.kit.examples import examples
from tests.unit.resolver.sketches import LYON, NAMES, NOW, Sketch

STRICT: Final = [{"code": "311", "set": "warn"}, {"code": "302", "set": "deny"}]
POLICIES: Final = [Policy(), Policy(PolicyFile.model_validate({"schema": "policy/v1", "rules": STRICT}))]
SEEDS: Final = st.integers(0, 2**32)


@settings(max_examples=examples(1_500))
@given(SEEDS)
def test_a_deletion_gets_the_same_verdict_by_number_and_over_states(seed: int) -> None:
    sketch = Sketch(seed)
    graph, targets = sketch.graph(), sketch.targets()
    changes = tuple(Change(one, "delete") for one in targets)
    expires_at = NOW + timedelta(hours=1)
    for policy in POLICIES if seed % 4 == 0 else POLICIES[:1]:
        case = Case("i-1", "delete", LYON, changes, FRESH, expires_at, 10.0)
        over_states = decide(case, OverlayView(graph, {}), policy, NOW)
        assert decide(case, graph, policy, NOW).to_json() == over_states.to_json()


@settings(max_examples=examples(1_500))
@given(SEEDS)
def test_a_write_gets_the_same_verdict_by_number_and_over_states(seed: int) -> None:
    sketch = Sketch(seed)
    graph = sketch.graph()
    changes = tuple(Change(one.resource, "apply", "v1", one) for one in sketch.written())
    case = Case("i-1", "apply", LYON, changes, FRESH, NOW + timedelta(hours=1), 10.0)
    over_states = decide(case, OverlayView(graph, {}), Policy(), NOW)
    assert decide(case, graph, Policy(), NOW).to_json() == over_states.to_json()


@settings(max_examples=examples(1_500))
@given(SEEDS)
def test_an_owner_is_the_same_by_number_and_over_states_whatever_is_written_meanwhile(seed: int) -> None:
    sketch = Sketch(seed)
    graph = sketch.graph()
    over_states = RememberedView(OverlayView(graph, {}))
    laid_over = OverlayView(RememberedView(graph), {one.resource: one for one in sketch.written()})
    for name in NAMES:
        assert RememberedView(graph).owner(name) == owner_by_references(over_states, name)
        assert laid_over.owner(name) == owner_by_references(laid_over, name)


@settings(max_examples=examples(1_500))
@given(SEEDS)
@example(1903)  # what goes with its owner permits somebody who stays
def test_what_goes_together_is_the_same_and_harmless_means_that_nothing_denies(seed: int) -> None:
    sketch = Sketch(seed)
    graph, targets = sketch.graph(), sketch.targets()
    found = together(RememberedView(graph), targets)
    if found is None:
        return  # left to the walk over states
    plain = RememberedView(OverlayView(graph, {}))
    assert found.resources == with_dependents(plain, targets)
    if found.harmless:
        assert not any(map(blocks_by_default, judge_delete(plain, found.resources)))


@settings(max_examples=examples(500))
@given(SEEDS, st.integers(0, 12))
def test_as_many_are_reached_by_number_as_by_edges(seed: int, limit: int) -> None:
    sketch = Sketch(seed)
    graph, targets = sketch.graph(), sketch.targets()
    every = reach_by_edges(OverlayView(graph, {}), targets, WALK_MAX).count
    assert graph.reach(targets, limit) == Reach(min(every, limit), every > limit)


def test_numbers_decide_most_sites_in_every_way() -> None:
    answers: Counter[str] = Counter()
    for seed in range(600):
        sketch = Sketch(seed)
        found = together(RememberedView(sketch.graph()), sketch.targets())
        answers["left" if found is None else f"{found.harmless} {len(found.resources) > 1}"] += 1
    assert answers["left"] < 300, answers
    assert min(answers[one] for one in ("True True", "True False", "False True")) >= 10, answers


def test_numbers_are_not_to_be_had_while_something_is_laid_over_the_site() -> None:
    graph = Sketch(1).graph()
    assert numbers_of(RememberedView(graph)) is not None
    assert numbers_of(RememberedView(OverlayView(graph, {}))) is None
