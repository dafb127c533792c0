"""A digest of what is known of each kind, kept while events come. Pure.

A resync begins with these digests, and a walk over a million resources would be a pause of seconds. So what a resource
adds to its kind's sum is kept by its number (eight bytes), and taken off again when it changes or goes; the watcher's
ledger does the same.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import compress
from operator import attrgetter
from typing import Final

from schemas.events import member_weights, weighed
from schemas.identity import KindId
from services.resolver.graph.kept import Place, Sum

Told = tuple[int, str, str, bool]  # number, uid, version, and whether it is new


_kind_of: Final = attrgetter("kind")


class Digests:
    """One graph's."""

    def __init__(self) -> None:
        self.weights: array[int] = array("Q")  # by number; 0 for what is not there
        self._sums: dict[KindId, Sum] = {}

    def put_all(self, told: Sequence[Told], places: Sequence[Place]) -> None:
        """Resources are there, each at its version. `places`: by number, of which kind they are."""
        self.grow(len(places))
        weights = self.weights
        if not told:
            return
        numbers, uids, versions, new = zip(*told, strict=True)
        kinds = [*map(_kind_of, map(places.__getitem__, numbers))]
        changes: defaultdict[KindId, int] = defaultdict(int)
        for number, kind, weight in zip(numbers, kinds, member_weights(uids, versions), strict=True):
            changes[kind] += weight - weights[number]  # one that was told twice weighs what it did at last
            weights[number] = weight
        more = Counter(compress(kinds, new))
        for kind, change in changes.items():
            self.add(kind, more[kind], change)

    def grow(self, numbers: int) -> None:
        """There are so many."""
        if numbers > len(self.weights):
            self.weights.extend([0] * (numbers - len(self.weights)))

    def add(self, kind: KindId, count: int, weight: int) -> None:
        """So many more are there of a kind, and all together weigh so much more."""
        found = self._sums.get(kind)
        if found is None:
            found = self._sums[kind] = Sum()
        found.total += weight
        found.count += count

    def weight(self, number: int) -> int:
        """What a resource adds to its kind's sum."""
        return self.weights[number]

    def restore(self, number: int, kind: KindId, weight: int) -> None:
        """A resource is there that weighed so much."""
        if number >= len(self.weights):
            self.weights.extend([0] * (number + 1 - len(self.weights)))
        found = self._sums.get(kind)
        if found is None:
            found = self._sums[kind] = Sum()
        found.total += weight
        found.count += 1
        self.weights[number] = weight

    def remove(self, number: int, kind: KindId) -> None:
        """It is gone."""
        found = self._sums[kind]
        found.count -= 1
        found.total -= self.weights[number]
        self.weights[number] = 0

    def count(self, kind: KindId) -> int:
        """How many of a kind are there."""
        found = self._sums.get(kind)
        return found.count if found is not None else 0

    def digest(self, kind: KindId) -> str:
        """What the watcher computes as well (schemas/events.py)."""
        found = self._sums.get(kind)
        return weighed(found.count, found.total) if found is not None else weighed(0, 0)
