"""Values that recur, kept once. Pure.

What nobody uses any more is left behind: from `begin` on, whatever is asked for or kept again moves over, and at `end`
the rest is forgotten. Whoever knows what is in use says so in between, in as many pieces as he likes, so that a million
records are no pause.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

import msgspec

Key = TypeVar("Key")
Value = TypeVar("Value")
REMEMBERED_MAX: Final = 2_048  # values, by their bytes


class Pool(Generic[Key, Value]):
    """`now` may be read by whoever is in a hurry; what is not there goes through `find` or `keep`."""

    __slots__ = ("_before", "now")

    def __init__(self) -> None:
        self.now: dict[Key, Value] = {}
        self._before: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self.now)

    def find(self, key: Key) -> Value | None:
        """The value that is kept, or None."""
        found = self.now.get(key)
        if found is None and self._before:
            found = self._before.pop(key, None)
            if found is not None:
                self.now[key] = found
        return found

    def keep(self, key: Key, value: Value) -> Value:
        """The value that is kept already, else this one from now on."""
        found = self.find(key)
        if found is None:
            found = self.now[key] = value
        return found

    def begin(self) -> None:
        """What is in use will be told."""
        self._before, self.now = self.now, {}

    def end(self) -> None:
        """It was: forget the rest."""
        self._before = {}


def remembered(memory: dict[bytes, Value], decoder: msgspec.msgpack.Decoder[Value], packed: bytes) -> Value:
    """What the bytes say, decoded once as long as they are remembered."""
    found = memory.get(packed)
    if found is None:
        if len(memory) > REMEMBERED_MAX:
            memory.clear()
        found = memory[packed] = decoder.decode(packed)
    return found
