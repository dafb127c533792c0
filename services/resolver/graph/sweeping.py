"""Kinds that are listed: what is named meanwhile stays, the rest is gone when the listing ends. Pure.

    start ──▶ name, name, … ──▶ end ──▶ gone, gone, … (events in between) ──▶ nothing is left

A whole kind may vanish at one word, and a million deletions would be a pause of seconds. So what is gone is told a
slice at a time. What is named while that lasts was put after the listing, and stays.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from msgspec import Struct

from schemas.identity import KindId

GONE_MAX: Final = 256  # deletions in one slice: some ten milliseconds
LOOKED_MAX: Final = 16_384  # numbers that are looked at in one slice: some milliseconds


class _Listing(Struct, gc=False):
    """Of one kind. `turn`: numbers that carry it, or a later one, were named; `count`: so many do."""

    turn: int
    count: int = 0


class _Left(Struct, gc=False):
    """Of one kind: numbers that are still to be looked at, and the turn of the listing that is over."""

    numbers: Iterator[int]
    turn: int


class Listings:
    """Those of one graph."""

    def __init__(self) -> None:
        self.under_way = False  # a kind is being listed or swept
        self._gone_max, self._looked_max = GONE_MAX, LOOKED_MAX
        self._turn = 0
        self._turns = array("I")  # by number; sets of a million would be walked over by Python's collector (0.2 s)
        self._listed: dict[KindId, _Listing] = {}
        self._left: dict[KindId, _Left] = {}

    def slice_at(self, gone_max: int = GONE_MAX, looked_max: int = LOOKED_MAX) -> None:
        """So many deletions are a slice, or so many looks."""
        self._gone_max, self._looked_max = gone_max, looked_max

    @property
    def swept(self) -> frozenset[KindId]:
        """Kinds of which something may be known still that is gone."""
        return frozenset(self._left)

    def start(self, kind: KindId) -> None:
        """A kind is listed; what an earlier listing had named counts no more."""
        self._turn += 1
        self._listed[kind] = _Listing(self._turn)
        self.under_way = True

    def name(self, kind: KindId, number: int) -> None:
        """It is there."""
        listing = self._listed.get(kind)
        turn = listing.turn if listing is not None else self._left[kind].turn if kind in self._left else 0
        if turn:
            if number >= len(self._turns):
                self._turns.extend([0] * (number + 1 - len(self._turns)))
            if listing is not None and self._turns[number] < turn:
                listing.count += 1
            self._turns[number] = turn

    def forget(self, kind: KindId, number: int) -> None:
        """It was deleted."""
        if number < len(self._turns):
            listing = self._listed.get(kind)
            if listing is not None and self._turns[number] >= listing.turn:
                listing.count -= 1
            self._turns[number] = 0

    def drop(self, kind: KindId) -> None:
        """The listing broke off."""
        self._listed.pop(kind, None)
        self._look()

    def end(self, kind: KindId, count: int, numbers: Callable[[], Iterator[int]]) -> None:
        """All was named; so many are known. `numbers`: of the whole kind, which may be walked over while it changes."""
        listing = self._listed.pop(kind, None)
        if listing is not None and listing.count != count:  # else all that is known was named, which is the rule
            self._left[kind] = _Left(numbers(), listing.turn)
        self._look()

    def gone(self, is_there: Callable[[KindId, int], bool]) -> list[int]:
        """The next slice: numbers of what is there, and was not named."""
        found: list[int] = []
        for kind, left in list(self._left.items()):
            looked = 0
            for number in islice(left.numbers, self._looked_max):
                looked += 1
                if self._last(number) < left.turn and is_there(kind, number):
                    found.append(number)
                    if len(found) >= self._gone_max:
                        return found
            if looked == self._looked_max:
                return found
            del self._left[kind]
        self._look()
        return found

    def _last(self, number: int) -> int:
        return self._turns[number] if number < len(self._turns) else 0

    def _look(self) -> None:
        self.under_way = bool(self._listed or self._left)
