"""Numbers that are packed are those that a list would hold, whatever is added to it and taken from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.resolver.graph.packed import (
    NOT_THERE,
    PACKED_MAX,
    pack_numbers,
    place_in,
    unpack_numbers,
    with_number,
    without_place,
)

# Few bytes in many places, so that the end of one number and the beginning of the next often look like a third.
NUMBERS = st.builds(
    lambda parts: int.from_bytes(bytes(parts), "little"), st.lists(st.sampled_from((0, 1, 255)), min_size=4, max_size=4)
)


@given(st.lists(NUMBERS, max_size=PACKED_MAX))
def test_numbers_come_back_as_they_were_packed(numbers: list[int]) -> None:
    assert unpack_numbers(pack_numbers(numbers)) == tuple(numbers)


@given(st.lists(NUMBERS, max_size=PACKED_MAX - 1), NUMBERS)
def test_a_number_is_added_at_the_end_and_found_where_it_stands_first(numbers: list[int], one: int) -> None:
    packed = pack_numbers(numbers)
    assert place_in(packed, one) == (numbers.index(one) if one in numbers else NOT_THERE)
    assert unpack_numbers(with_number(packed, one)) == (*numbers, one)


@given(st.lists(NUMBERS, min_size=1, max_size=PACKED_MAX), st.data())
def test_what_is_taken_away_is_the_one_at_its_place(numbers: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(numbers) - 1))
    assert unpack_numbers(without_place(pack_numbers(numbers), place)) == (*numbers[:place], *numbers[place + 1 :])
