"""Whether one is among many. Pure.

Most objects name a handful of keys and of others, which are looked through each time. Some name thousands, and are
asked for each of them: these are put into a set once, for as long as there are not too many.
"""

from __future__ import annotations

from typing import Any, Final

LOOKED_THROUGH: Final = 64  # to look through more, again and again, is dearer than a set of them
KEPT_MAX: Final = 65_536  # in all such sets, some 6 MB; when there are more all are made anew


class _Kept:
    """Of tuples, by the very objects, which are kept beside their sets."""

    def __init__(self) -> None:
        self._sets: dict[int, tuple[tuple[Any, ...], frozenset[Any], list[Any]]] = {}
        self._len = 0

    def parted(self, many: tuple[Any, ...]) -> tuple[frozenset[Any], list[Any]]:
        """Those that have a hash, and the others."""
        known = self._sets.get(id(many))
        if known is None:
            if self._len > KEPT_MAX:
                self._sets.clear()
                self._len = 0
            hashed, others = list[Any](), list[Any]()
            for each in many:
                (hashed if _has_hash(each) else others).append(each)
            known = self._sets[id(many)] = many, frozenset(hashed), others
            self._len += len(many)
        return known[1:]


_kept: Final = _Kept()


def is_among(one: object, many: tuple[Any, ...]) -> bool:
    """`one in many`, asked again and again of the same tuple."""
    if len(many) <= LOOKED_THROUGH:
        return one in many
    hashed, others = _kept.parted(many)
    return one in hashed if _has_hash(one) else one in others


def _has_hash(one: object) -> bool:
    """A reference with a selector has none."""
    try:
        hash(one)
    except TypeError:
        return False
    return True
