"""What is over and may be asked about once more: the newest as it is, older ones packed, the oldest forgotten. Pure.

A part of an intent with its verdict is 10 to 100 kB of objects, and nearly nobody asks for it again.
"""

from __future__ import annotations

import pickle
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

WHOLE_MAX: Final = 256

Kept = TypeVar("Kept")


class Shelf(Generic[Kept]):
    """By name. Whoever changes what he was given puts it again: it may be a copy."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._whole: OrderedDict[str, Kept] = OrderedDict()
        self._packed: OrderedDict[str, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._whole) + len(self._packed)

    def __iter__(self) -> Iterator[str]:
        """The names, the oldest first."""
        yield from self._packed
        yield from self._whole

    def get(self, name: str) -> Kept | None:
        """What was put last under this name."""
        if name in self._packed:
            kept: Kept = pickle.loads(zlib.decompress(self._packed[name]))  # our own, and never left this process
            return kept
        return self._whole.get(name)

    def put(self, name: str, one: Kept) -> None:
        """It is the newest from now on."""
        self.pop(name)
        self._whole[name] = one
        if len(self._whole) > WHOLE_MAX:
            oldest, whole = self._whole.popitem(last=False)
            self._packed[oldest] = zlib.compress(pickle.dumps(whole, pickle.HIGHEST_PROTOCOL), 1)
        while len(self) > self._most:
            (self._packed or self._whole).popitem(last=False)

    def pop(self, name: str) -> None:
        """Nobody asks for it again."""
        self._whole.pop(name, None)
        self._packed.pop(name, None)
