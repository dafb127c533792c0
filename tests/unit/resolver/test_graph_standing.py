"""Where a number stands among targets is what the naive look through says, and is written down once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.resolver.graph.kept import Target
from services.resolver.graph.standing import LOOKED_THROUGH, WRITTEN_MAX, Standing
from tests.kit.examples import examples

TARGETS = st.one_of(st.integers(0, 40), st.binary(max_size=2), st.text(max_size=2))


class Counted(tuple[Target, ...]):
    """Targets that know how often they were gone through."""

    times = 0

    def count(self, value: object, /) -> int:
        self.times += 1
        return super().count(value)

    def __iter__(self):  # type: ignore[no-untyped-def]
        self.times += 1
        return super().__iter__()


@settings(max_examples=examples(300))
@given(st.lists(st.lists(TARGETS, max_size=3 * LOOKED_THROUGH), min_size=1, max_size=4), st.integers(0, 40))
def test_a_number_stands_where_a_look_through_finds_it(lists: list[list[Target]], number: int) -> None:
    standing, records = Standing(), [tuple(one) for one in lists]
    for targets in (*records, *records):
        naive = [place for place, one in enumerate(targets) if isinstance(one, int) and one == number]
        assert [*standing.places(targets, number)] == naive


def test_who_asks_for_each_of_many_goes_through_them_once() -> None:
    standing, targets = Standing(), Counted(range(1_000))
    assert [[*standing.places(targets, one)] for one in range(1_000)] == [[one] for one in range(1_000)]
    assert targets.times <= 1, "none that can be seen, where it is compiled"


def test_of_more_than_are_written_down_everything_is_found_all_the_same() -> None:
    standing = Standing()
    records = [tuple(range(first, first + 10_000)) for first in range(0, 2 * WRITTEN_MAX, 10_000)]
    for targets in (*records, *records):
        assert [*standing.places(targets, targets[7])] == [7]
        assert [*standing.places(targets, targets[0] - 1)] == []
        assert standing._written_len <= WRITTEN_MAX + 10_000
