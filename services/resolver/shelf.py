"""What is over and may be asked about once more: the newest as it is, older ones packed, the oldest forgotten. Pure.

A part of an intent with its verdict is 10 to 100 kB of objects, and nearly nobody asks for it again.
"""

from __future__ import annotations

import pickle
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

from schemas.deflating import deflated

WHOLE_MAX: Final = 256

Kept = TypeVar("Kept")


def squeezed(written: bytes) -> bytes:
    """Bytes, to be kept."""
    return deflated(written, level=1)


def released(kept: bytes) -> bytes:
    """Those that were `squeezed`."""
    return zlib.decompress(kept)


def pickled(one: Any) -> bytes:
    """An object, for what never leaves this process."""
    return pickle.dumps(one, pickle.HIGHEST_PROTOCOL)


def unpickled(written: bytes) -> Any:
    """A copy of it."""
    return pickle.loads(written)


class Shelf(Generic[Kept]):
    """By name. Whoever changes what he was given puts it again: it may be a copy.

    most, whole    so many are remembered, and as they are
    slack          so many more are as they are until `tidy` packs them: whoever puts them has no time for that
    write, read    for what is packed
    forgotten      hears the names of those that are remembered no more
    """

    def __init__(
        self,
        most: int,
        whole: int = WHOLE_MAX,
        *,
        slack: int = 0,
        write: Callable[[Kept], bytes] = pickled,
        read: Callable[[bytes], Kept] = unpickled,
        forgotten: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._most, self._whole_max, self._slack = most, whole, slack
        self._write, self._read, self._forgotten = write, read, forgotten
        self._whole: OrderedDict[str, Kept] = OrderedDict()
        self._packed: OrderedDict[str, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._whole) + len(self._packed)

    def __iter__(self) -> Iterator[str]:
        """The names, the oldest first."""
        yield from self._packed
        yield from self._whole

    def get(self, name: str) -> Kept | None:
        """What was put last under this name; raises what `read` does."""
        if name in self._packed:
            return self._read(released(self._packed[name]))
        return self._whole.get(name)

    def put(self, name: str, one: Kept) -> None:
        """It is the newest from now on."""
        self.pop(name)
        self._whole[name] = one
        self._pack(self._whole_max + self._slack)
        self._forget()

    def tidy(self) -> None:
        """Nobody waits just now: pack what is one too many."""
        self._pack(self._whole_max)

    def shelve(self, name: str, kept: bytes) -> None:
        """What is `squeezed` already, and newer than all that is packed."""
        self._packed[name] = kept
        self._packed.move_to_end(name)
        self._forget()

    def pop(self, name: str) -> None:
        """Nobody asks for it again."""
        self._whole.pop(name, None)
        self._packed.pop(name, None)

    def _pack(self, most: int) -> None:
        while len(self._whole) > most:
            oldest, whole = self._whole.popitem(last=False)
            self.shelve(oldest, squeezed(self._write(whole)))

    def _forget(self) -> None:
        while len(self) > self._most:
            self._forgotten((self._packed or self._whole).popitem(last=False)[0])
