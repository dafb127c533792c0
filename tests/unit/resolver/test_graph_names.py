"""Every identity has a number of its own, whatever was forgotten in between, as two dictionaries would have it."""

from __future__ import annotations

from itertools import permutations
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import KindId
from services.resolver.graph.kept import place_of
from services.resolver.graph.names import NOWHERE, Names

HEADS: Final = (
    "Pod",
    "Secret",
    "Pod/shop",
    "Secret/shop",
    "apps/Deployment",
    "apps/Deployment/\N{SNOWMAN}",
    "x.io/Y/" + "n" * 300,
)
NAMES: Final = ("", "a", "shop", "web-0", "Pod", "é", "\N{SNOWMAN}", "x" * 300, "\udc80")
identities = st.one_of(
    st.builds("{}/{}".format, st.sampled_from(HEADS), st.sampled_from(NAMES)), st.sampled_from(("alone", "é"))
)
acts = st.lists(st.tuples(st.sampled_from(("number", "find", "forget", "numbers")), identities), max_size=60)


class Model:
    """Identity → number and back. An identity without a slash is the one with an empty place."""

    def __init__(self) -> None:
        self.of: dict[str, int] = {}
        self.free: list[int] = []
        self.count = 0

    def number(self, identity: str) -> int:
        if identity not in self.of:
            self.of[identity] = self.free.pop() if self.free else self.count
            self.count = max(self.count, self.of[identity] + 1)
        return self.of[identity]


def whole(identity: str) -> str:
    return identity if "/" in identity else f"/{identity}"


def assert_alike(names: Names, model: Model) -> None:
    assert len(names) == len(names.place) == model.count
    for identity, number in model.of.items():
        head, _, name = identity.rpartition("/")
        assert (names.find(identity), names.resource(number), names.name(number)) == (number, identity, name)
        assert names.place[number].head == head
        assert names.kind(number) == place_of(head).kind
    kinds = {place_of(one.rpartition("/")[0]).kind for one in model.of}
    assert {*names.kinds()} == kinds
    for kind in kinds:
        known = [number for one, number in model.of.items() if place_of(one.rpartition("/")[0]).kind == kind]
        assert sorted(one for numbers in names.members(kind) for one in numbers) == sorted(known)


@given(acts)
def test_names_are_numbered_found_and_forgotten_as_in_two_dictionaries(done: list[tuple[str, str]]) -> None:
    names, model = Names(), Model()
    for act, identity in done:
        known = model.of.get(whole(identity))
        if act == "find":
            assert names.find(identity) == (NOWHERE if known is None else known)
        elif act == "forget":
            if known is not None:
                names.forget(known)
                del model.of[whole(identity)]
                model.free.append(known)
        elif act == "number":
            assert names.number(identity) == model.number(whole(identity))
        else:
            assert names.numbers([identity, "Pod/shop/web-0"]) == [
                model.number(whole(identity)),
                model.number("Pod/shop/web-0"),
            ]
    assert_alike(names, model)


@given(st.lists(identities.map(whole), unique=True, max_size=12), st.data())
def test_names_that_were_restored_are_what_they_were(there: list[str], data: st.DataObject) -> None:
    model, names = Model(), Names()
    for one in there:
        model.number(one)
    used = data.draw(st.lists(st.booleans(), min_size=len(there), max_size=len(there)))
    heads = {one.rpartition("/")[0]: place_of(one.rpartition("/")[0]) for one in there}
    names.restore([heads[one.rpartition("/")[0]] for one in there], [one.rpartition("/")[2] for one in there])
    assert names.names(0, len(there)) == [one.rpartition("/")[2] for one in there]
    for number, (one, is_used) in enumerate(zip(there, used, strict=True)):
        if is_used:
            names.adopt(number)
        else:
            names.release(number)
            del model.of[one]
            model.free.append(number)
    assert_alike(names, model)
    assert names.number("Node/new") == model.number("Node/new")


def test_members_of_a_kind_come_namespace_by_namespace_in_the_order_in_which_they_came() -> None:
    names = Names()
    first, second, other, third = names.numbers(["Pod/shop/b", "Pod/shop/a", "Pod/till/a", "Pod/shop/c"])
    pods = KindId("Pod")
    assert [*names.members(pods)] == [[first, second, third], [other]]
    names.forget(second)
    assert [*names.members(pods, "shop")] == [[first, third]]
    assert names.number("Pod/shop/a") == second
    assert [*names.members(pods, "shop")] == [[first, third, second]]
    assert [*names.members(pods, "none")] == [*names.members(KindId("Secret"))] == []


@pytest.mark.parametrize("order", [*permutations(range(4))])
def test_whichever_of_them_are_forgotten_first_the_others_stay_in_their_order(order: tuple[int, ...]) -> None:
    names = Names()
    left = names.numbers([f"Pod/shop/{one}" for one in range(4)])
    for number in order:
        names.forget(number)
        left.remove(number)
        assert [*names.members(KindId("Pod"))] == ([left] if left else [])
    assert names.numbers(["Pod/shop/a", "Pod/shop/b"]) == [*reversed(order[2:])]


def test_a_place_of_which_all_is_forgotten_is_there_again_with_the_next_of_its_names() -> None:
    names = Names()
    for number in names.numbers(["Pod/shop/a", "Pod/shop/b", "Pod/shop/c"]):
        names.forget(number)
    assert [*names.kinds()] == []
    assert names.numbers(["Pod/shop/b", "Pod/till/b"]) == [2, 1]
    assert (names.kind(2), names.place[2].namespace, names.kind(1)) == ("Pod", "shop", "Pod")
    assert [*names.members(KindId("Pod"))] == [[2], [1]]


def test_a_number_that_nobody_uses_cannot_be_forgotten_again() -> None:
    names = Names()
    number = names.number("Pod/shop/a")
    names.forget(number)
    with pytest.raises(KeyError):
        names.forget(number)
    assert names.numbers(["Pod/shop/a", "Pod/shop/b"]) == [number, number + 1]


def test_two_ways_to_write_a_place_do_not_take_each_other_away() -> None:
    names = Names()
    usual, odd = names.numbers(["PersistentVolume/x", "PersistentVolume//x"])
    kind = KindId("PersistentVolume")
    assert sorted(one for members in names.members(kind) for one in members) == [usual, odd]
    assert [*names.members(kind, "")] == [[usual]]
    names.forget(odd)
    assert [*names.kinds()] == [kind]
    assert [*names.members(kind)] == [[usual]]
    names.forget(usual)
    assert [*names.kinds()] == []


def test_they_may_change_while_members_are_looked_at() -> None:
    names = Names()
    numbers = names.numbers([f"Pod/n{one % 3}/{one}" for one in range(9)])
    seen = []
    for members in names.members(KindId("Pod")):
        seen += members
        for one in members:
            names.forget(one)
        names.number(f"Pod/again/{len(seen)}")
    assert sorted(seen) == numbers


def test_very_many_names_are_each_found_when_every_other_one_is_gone() -> None:
    names = Names()
    every = [f"ConfigMap/ns-{one % 97}/settings-{one}" for one in range(20_000)]
    assert names.numbers(every) == [*range(20_000)]
    for number in range(0, 20_000, 2):
        names.forget(number)
    assert [names.find(one) for one in every] == [NOWHERE if one % 2 == 0 else one for one in range(20_000)]
    assert {*names.numbers(every[::2])} == {*range(0, 20_000, 2)}
    assert [names.resource(names.find(one)) for one in every] == every


def test_a_number_that_was_never_handed_out_has_no_name() -> None:
    with pytest.raises(IndexError):
        Names().resource(0)


def test_an_empty_place_is_none_of_those_that_were_restored() -> None:
    names = Names()
    names.restore([place_of("Pod/shop")], ["a"])
    names.adopt(0)
    assert names.resource(names.number("b")) == "/b"
    assert (names.number("Pod/shop/c"), names.kind(1), names.kind(2)) == (2, place_of("").kind, "Pod")
    assert [*names.members(KindId("Pod"))] == [[0, 2]]
