"""What stating.py makes of what was found, the module that stands in for it makes, too, whatever was found.

Plain Python is compared with itself. The continuous run tries compiled code with it, too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import cache
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Grant, Reference
from schemas.identity import KindId, ResourceId
from schemas.relations.extract import with_packs
from schemas.relations.facts import Facts
from schemas.relations.kind_facts import KindFacts
from schemas.relations.loader import load_catalogue
from schemas.relations.plan import Plan
from schemas.relations.run import Rested, Run
from schemas.relations.stating import Stating
from schemas.relations.surface import builtin_surface
from tests.bench.fleet import Fleet
from tests.bench.full_pods import full_pods
from tests.kit.examples import examples
from tests.unit.relations.test_hostile_objects import KINDS
from tests.unit.relations.test_readers import examples_of
from tests.unit.watcher.both_ways import plain

PLAIN_WAY: Any = plain("schemas.relations.stating")
CATALOGUE = load_catalogue()
SURFACE = with_packs(builtin_surface(), CATALOGUE)
EVERY = CATALOGUE.kinds[KindId("*")]
FACTS = {kind: Facts(kind, known, EVERY) for kind, known in CATALOGUE.kinds.items()}
FOUND = Reference("a.rule", "spec.a", "reliance", "L", ResourceId("Secret/shop/tls"))
NUMBERS = st.sampled_from([0, 1, 7, 2**70, 0.5, True, False])
WORDS = st.sampled_from(["", "a", "True", "False", "Ready", "Failed", "2Gi", "\N{SNOWMAN}"])
PLAIN_VALUES = st.none() | WORDS | NUMBERS
KEYS = st.one_of(WORDS, WORDS, st.sampled_from(["type", "status", "conditions", "phase", "name", "port"]), NUMBERS)
VALUES = st.recursive(
    PLAIN_VALUES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=2).map(MappingProxyType),
    ),
    max_leaves=6,
)
FIELDS = ("uid", "resourceVersion", "deletionTimestamp", "finalizers", "labels", "generation")
METADATA = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6)
BODIES = st.one_of(st.just({}), st.builds(lambda status: {"status": status}, VALUES))


def outcome(what: Callable[[], Any]) -> Any:
    """What comes of it, or what it raises, in order."""
    try:
        return in_order(what())
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        return type(error)


def in_order(one: Any) -> Any:
    """With the order of what is kept by name, and with types: a truth value is equal to a number."""
    if isinstance(one, dict):
        return [(key, in_order(value)) for key, value in one.items()]
    if isinstance(one, (Rested, tuple)) or hasattr(one, "__struct_fields__"):
        fields = one if isinstance(one, tuple) else [getattr(one, name) for name in one.__struct_fields__]
        return type(one), [*map(in_order, fields)]
    return type(one), one


def assert_both_say_the_same(facts: Facts, run: Run, kind: str = "Pod", mark: int = 7) -> None:
    grants = (Grant(KindId("Pod")),)
    said = []
    for way in (Stating, PLAIN_WAY.Stating):
        one, mine = way(KindId(kind), "v1", facts), copy.copy(run)
        mine.values, mine.found = [*run.values], [*run.found]
        values = outcome(lambda one=one, mine=mine: one.said(mine))
        rested = outcome(lambda one=one, mine=mine: one.rested(mine, "d", [FOUND], one.said(mine), grants, mark))
        kept = Rested("d", (FOUND,), (), {"a": "b"}, None, {"key": ("k",)}, ("f",), grants, mark)
        said.append((values, rested, outcome(lambda one=one, mine=mine, kept=kept: one.told(mine, kept))))
    assert said[0] == said[1]


@settings(max_examples=examples(400))
@given(st.data())
def test_whatever_was_found_both_ways_say_the_same(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(FACTS)))
    facts, values = FACTS[kind], [None] * FACTS[kind].slots_count
    for slot in data.draw(st.sets(st.integers(0, max(0, len(values) - 1)), max_size=4)) if values else ():
        values[slot] = data.draw(VALUES | st.lists(WORDS | st.dictionaries(KEYS, WORDS), max_size=3))
    labels = data.draw(st.none() | st.dictionaries(WORDS, WORDS, max_size=2))
    found = data.draw(st.lists(st.just(FOUND), max_size=2))
    metadata = data.draw(METADATA | METADATA.map(MappingProxyType))
    run = Run("shop", "web", data.draw(BODIES), found, values, ResourceId("Pod/shop/web"), metadata, {}, labels)
    assert_both_say_the_same(facts, run, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_of_an_example_of_any_kind_both_ways_say_the_same(kind: str) -> None:
    assert_of_each(examples_of(kind))


def test_of_what_clusters_hold_both_ways_say_the_same() -> None:
    assert_of_each([*Fleet(120).bodies(), *full_pods(5)])


@cache
def plan_of(version: str, kind: str) -> Plan:
    """Made once: it takes much longer than what is done with it."""
    return Plan(version, kind, CATALOGUE, SURFACE)


def assert_of_each(bodies: Iterable[dict[str, Any]]) -> None:
    for body in bodies:
        plan = plan_of(body["apiVersion"], body["kind"])
        values = [None] * plan.facts.slots_count
        run = Run("shop", "web", body, [], values, ResourceId("a/b"), body["metadata"], body["metadata"])
        plan.read(run)
        plan.read_moving(run)
        run.values = [[*one] if hasattr(one, "__next__") else one for one in run.values]  # each way goes through it
        assert_both_say_the_same(plan.facts, run, plan.head)


def test_slots_of_which_none_says_anything_are_kept_once() -> None:
    facts = Facts(KindId("Secret"), KindFacts(kind="Secret", parts={"key": ("data",)}, facts={"type": "type"}))
    for way in (Stating, PLAIN_WAY.Stating):
        one = way(KindId("Secret"), "v1", facts)
        for values, due in (
            ([[{"a": 1}], None], (None, None)),
            ([None, "Opaque"], (None, "Opaque")),
            ([[{"a": 1}], "Opaque", "more"], (None, "Opaque", "more")),
            ([None, None], (None, None)),
        ):
            assert one.said(Run("", "a", {}, [], values)) == due


def test_what_is_no_run_and_has_too_few_slots_is_refused() -> None:
    one = Stating(KindId("Pod"), "v1", FACTS[KindId("Pod")])
    with pytest.raises((TypeError, AttributeError)):
        one.said("run")  # type: ignore[arg-type]
    with pytest.raises((IndexError, ValueError)):
        one.told(Run("", "a", {}, [], []), Rested("d", (), (), {}, None, {}, (), ()))
