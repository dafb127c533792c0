"""Where a number stands among the targets of a record. Pure.

Most records name a handful, which is looked through each time. Some name thousands, and are asked for each of them: of
these it is written down once, for as long as there are not too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.resolver.graph.kept import Target

LOOKED_THROUGH: Final = 64  # targets; to look through more of them again and again is dearer than to write down
WRITTEN_MAX: Final = 65_536  # targets of which it is written down, some 6 MB; of more nothing is kept for later


class Standing:
    """Of the targets of one graph's records."""

    def __init__(self) -> None:
        # By the very object, which is kept beside it.
        self._written: dict[int, tuple[tuple[Target, ...], dict[int, list[int]]]] = {}
        self._written_len = 0

    def places(self, targets: tuple[Target, ...], number: int) -> Sequence[int]:
        """Ascending; none when it is not among them."""
        if len(targets) > LOOKED_THROUGH:
            return self._places(targets).get(number, ())
        found, place = list[int](), -1
        for _ in range(targets.count(number)):
            place = targets.index(number, place + 1)
            found.append(place)
        return found

    def _places(self, targets: tuple[Target, ...]) -> dict[int, list[int]]:
        known = self._written.get(id(targets))
        if known is not None:
            return known[1]
        if self._written_len > WRITTEN_MAX:
            self.forget()
        at: dict[int, list[int]] = {}
        for place, target in enumerate(targets):
            if isinstance(target, int):
                at.setdefault(target, []).append(place)
        self._written[id(targets)] = targets, at
        self._written_len += len(targets)
        return at

    def forget(self) -> None:
        """Nothing is written down."""
        self._written.clear()
        self._written_len = 0
