"""Whether one is among many is what the naive look through says, and is not looked through for each of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.among import LOOKED_THROUGH, is_among
from schemas.events import LabelSelector, Reference, Selector
from schemas.identity import KindId, ResourceId
from tests.kit.examples import examples


class Compared:
    """Knows how often one of its kind was compared."""

    times = 0

    def __init__(self, name: int) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return isinstance(other, Compared) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def reference(name: int) -> Reference:
    """Every third selects, and has no hash."""
    path = f"spec.a[{name}]"
    if name % 3:
        return Reference("plain", path, "requirement", "S", ResourceId(f"Secret/shop/{name}"))
    selector = Selector(KindId("Pod"), ("shop",), LabelSelector({"app": str(name)}))
    return Reference("selects", path, "reliance", "L", selector=selector)


@settings(max_examples=examples(200))
@given(st.lists(st.integers(0, 300), max_size=4 * LOOKED_THROUGH), st.integers(0, 300))
def test_one_is_among_many_when_it_is_in_them(names: list[int], name: int) -> None:
    for made in (reference, str):
        many: tuple[Any, ...] = tuple(map(made, names))
        for _ in range(2):
            assert is_among(made(name), many) == (made(name) in many)
            assert all(is_among(made(one), many) for one in names)


def test_who_asks_for_each_of_many_compares_each_but_a_few_times() -> None:
    many = tuple(map(Compared, range(1_000)))
    Compared.times = 0
    assert all(is_among(Compared(name), many) for name in range(1_000))
    assert Compared.times < 3_000, "half a million in a look through each time"
