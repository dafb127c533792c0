"""Where a scope puts things: shares, alternatives, what follows whom, and how numbers divide."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Reference, ResourceState
from schemas.identity import ResourceId, SiteName
from schemas.relations.surface import builtin_surface
from schemas.scope.parse import parse_scope
from schemas.scope.tree import Site, cross
from services.resolver.placing import ALTERNATIVES_MAX, alternatives, divided, place

LYON, OSLO, NICE = SiteName("lyon"), SiteName("oslo"), SiteName("nice")
KNOWN = (LYON, OSLO, NICE)
WEB, SETTINGS = ResourceId("apps/Deployment/shop/web"), ResourceId("ConfigMap/shop/settings")
SURFACE = builtin_surface()
HALF = Fraction(1, 2)


def _states() -> dict[ResourceId, ResourceState]:
    reads = Reference("podspec.env.configmap", "spec", "requirement", "S", SETTINGS)
    return {SETTINGS: ResourceState(SETTINGS), WEB: ResourceState(WEB, references=(reads,))}


def _ways(text: str) -> list[list[dict[SiteName, Fraction]]]:
    return [[dict(one) for one in way.shares] for way in alternatives(parse_scope(text), KNOWN, {}, LYON)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lyon", [[{LYON: 1}]]),
        ("lyon & oslo", [[{LYON: 1, OSLO: 1}]]),
        ("lyon ; oslo", [[{LYON: 1}], [{OSLO: 1}]]),
        ("lyon*2 % oslo", [[{LYON: Fraction(2, 3), OSLO: Fraction(1, 3)}]]),
        ("lyon % (oslo ; nice)", [[{LYON: HALF, OSLO: HALF}], [{LYON: HALF, NICE: HALF}]]),
        ("all", [[{LYON: 1, NICE: 1, OSLO: 1}]]),
    ],
)  # fmt: skip
def test_a_location_comes_to_shares_best_first(text: str, expected: object) -> None:
    assert _ways(text) == expected


def test_the_number_of_alternatives_is_bounded() -> None:
    text = ", ".join(f"configmap/c{number}: lyon ; oslo ; nice" for number in range(10))
    assert len(_ways(text)) == ALTERNATIVES_MAX


@pytest.mark.parametrize(
    ("text", "web", "settings"),
    [
        ("oslo", {OSLO}, {OSLO}),  # what the bundle holds follows
        ("lyon & oslo", {LYON, OSLO}, {LYON, OSLO}),
        ("deployment: lyon, configmap: oslo", {LYON}, {OSLO}),
        ("configmap: oslo", {LYON}, {OSLO}),  # what no part places stays where the intent is entered
        ("*: nice", {NICE}, {NICE}),
        ("deployment/other: oslo, nice", {NICE}, {NICE}),
        ("configmap.apps: oslo, nice", {NICE}, {NICE}),  # no kind of that name: the part matches nothing
    ],
)
def test_a_part_or_its_users_say_where_a_resource_goes(text: str, web: set[str], settings: set[str]) -> None:
    scope = parse_scope(text)
    (way,) = alternatives(scope, KNOWN, {}, LYON)
    placed = place(_states(), scope, way, SURFACE, LYON)
    assert (set(placed[WEB].shares), set(placed[SETTINGS].shares)) == (web, settings)


def test_what_follows_a_divided_resource_is_whole() -> None:
    scope = parse_scope("lyon % oslo")
    (way,) = alternatives(scope, KNOWN, {}, LYON)
    placed = place(_states(), scope, way, SURFACE, LYON)
    assert (placed[WEB].crossed, placed[SETTINGS].crossed) == (True, False)
    assert set(placed[SETTINGS].shares.values()) == {Fraction(1)}


def test_a_ring_of_resources_is_placed_too() -> None:
    ring = [ResourceId(f"ConfigMap/shop/{name}") for name in "abc"]
    states = {
        one: ResourceState(one, references=(Reference("r", "p", "requirement", "S", ring[(place + 1) % 3]),))
        for place, one in enumerate(ring)
    }
    scope = parse_scope("oslo")
    (way,) = alternatives(scope, KNOWN, {}, LYON)
    assert set(place(states, scope, way, SURFACE, LYON)) == set(ring)


@given(
    st.integers(0, 10_000),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.sampled_from([None, LYON, OSLO, NICE]),
)
def test_a_division_loses_nothing_and_is_fair(number: int, weights: list[int], prime: SiteName | None) -> None:
    shares = {name: Fraction(weight, sum(weights)) for name, weight in zip(KNOWN, weights, strict=False)}
    made = divided(number, cross((Site(name), weight) for name, weight in zip(KNOWN, weights, strict=False)), prime)
    assert sum(made.values()) == number
    takes = prime if prime in made else next(iter(made))
    for name, share in shares.items():
        assert made[name] >= int(number * share)
        assert name == takes or made[name] == int(number * share)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("lyon & oslo % nice", {LYON: 3, OSLO: 3, NICE: 2}),  # both replicas are the same
        ("lyon & oslo % nice {prime: nice}", {LYON: 2, OSLO: 2, NICE: 3}),
        ("(lyon % oslo) % nice", {LYON: 2, OSLO: 1, NICE: 2}),
        ("lyon & (oslo % nice)", {LYON: 5, OSLO: 3, NICE: 2}),
    ],
)
def test_collaborations_divide_within_each_other(text: str, numbers: dict[SiteName, int]) -> None:
    (part,) = parse_scope(text).parts
    assert divided(5, part.location, part.options.prime) == numbers


def test_each_choice_says_for_itself_whether_it_divides() -> None:
    first, second = alternatives(parse_scope("lyon % oslo ; nice"), KNOWN, {}, LYON)
    assert (first.crossed, second.crossed) == ((True,), (False,))
