"""Reverse edges: the number of a target → the numbers of those that name it. Pure.

Most targets are named once or by a few: a number, or some that are packed (packed.py). Hubs are named by very many: a
sorted array of four bytes an edge with a count per kind, so that an exact answer needs no scan and one removal is a
binary search and a short move of memory.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from schemas.identity import KindId
from services.resolver.graph.kept import Hub, Row, Same, Shape
from services.resolver.graph.packed import (
    NOT_THERE,
    NUMBER_BYTES,
    PACKED_MAX,
    pack_numbers,
    place_in,
    unpack_numbers,
    with_number,
    without_place,
)

Sources = int | list[int] | None  # of one target, ascending; who names it twice stands twice


class Reverse:
    """target → sources; a source that names a target twice stands twice."""

    def __init__(self, kind_of: Callable[[int], KindId], shape_of: Callable[[int], Shape]) -> None:
        self.rows: list[Row] = []  # by number of the target
        self._kind_of, self._shape_of = kind_of, shape_of

    def add(self, target: int, source: int, kind: KindId, shape: Shape) -> None:
        """One more reference."""
        row = self.rows[target]
        if isinstance(row, bytes):
            if len(row) < PACKED_MAX * NUMBER_BYTES:
                self.rows[target] = with_number(row, source)
            else:
                self.rows[target] = self.row(sorted((*unpack_numbers(row), source)))
        elif isinstance(row, Hub):
            row.add(source, kind, shape)
            self._count_many(row)
        else:
            self.rows[target] = source if row is None else pack_numbers((row, source))

    def add_all(self, naming: Mapping[int, list[Same]]) -> None:
        """target → more references to it, by their sources; what `add` makes of them one by one."""
        rows = self.rows
        for target, sources in naming.items():
            row = rows[target]
            if isinstance(row, Hub):
                row.add_all(sources, self._kind_of, self._shape_of)
                self._count_many(row)
            elif row is None and len(sources) == 1:
                rows[target] = sources[0]
            elif not isinstance(row, bytes):
                rows[target] = self._few(sources if row is None else [row, *sources])
            elif len(row) // NUMBER_BYTES + len(sources) <= PACKED_MAX:
                rows[target] = row + pack_numbers(sources)
            else:
                rows[target] = self.row(sorted((*unpack_numbers(row), *sources)))

    def _count_many(self, hub: Hub) -> None:
        if hub.is_to_be_counted:
            hub.count(self._kind_of, self._shape_of)

    def _few(self, sources: list[int]) -> Row:
        return pack_numbers(sources) if len(sources) <= PACKED_MAX else self.row(sorted(sources))

    def row(self, sources: list[int]) -> Row:
        """The row of a target with these sources, ascending; who names it twice stands twice."""
        if len(sources) <= PACKED_MAX:
            return pack_numbers(sources)
        hub = Hub(array("I", dict.fromkeys(sources)))
        if len(hub.sources) < len(sources):
            hub.repeats = {source: count - 1 for source, count in Counter(sources).items() if count > 1}
        self._count_many(hub)
        return hub

    def remove(self, target: int, source: int, kind: KindId, shape: Shape) -> None:
        """One reference less."""
        row = self.rows[target]
        assert row is not None, "what is removed was added"
        if isinstance(row, int):
            self.rows[target] = None
        elif isinstance(row, Hub):
            row.remove(source, kind, shape)
            if not row.sources:
                self.rows[target] = None
        else:
            rest = without_place(row, place_in(row, source))
            self.rows[target] = rest if len(rest) > NUMBER_BYTES else unpack_numbers(rest)[0]

    def sources(self, target: int) -> Sequence[int]:
        """Distinct resources that name the target."""
        row = self.rows[target]
        if row is None:
            return ()
        if isinstance(row, int):
            return (row,)
        if isinstance(row, Hub):
            return row.sources
        sources = unpack_numbers(row)
        return sources if len({*sources}) == len(sources) else tuple(dict.fromkeys(sources))

    def by_kind(self, target: int) -> dict[KindId, int]:
        """Their exact number per kind (a copy)."""
        row = self.rows[target]
        if isinstance(row, Hub):
            row.count(self._kind_of, self._shape_of)
            return dict(row.by_kind)
        counts: dict[KindId, int] = {}
        for source in self.sources(target):
            kind = self._kind_of(source)
            counts[kind] = counts.get(kind, 0) + 1
        return counts

    def may_need(self, target: int, granules: AbstractSet[str]) -> bool:
        """Whether a source may need one of these parts: a hub knows the shapes that its sources have."""
        row = self.rows[target]
        if not isinstance(row, Hub):
            return row is not None
        row.count(self._kind_of, self._shape_of)
        return not all(shape.granules.isdisjoint(granules) for shape in row.by_shape)

    def contains(self, target: int, source: int) -> bool:
        """Whether the source names the target."""
        row = self.rows[target]
        if isinstance(row, Hub):
            place = bisect_left(row.sources, source)
            return place < len(row.sources) and row.sources[place] == source
        return place_in(row, source) != NOT_THERE if isinstance(row, bytes) else row == source

    def common(self, other: Reverse, target: int) -> list[int]:
        """Sources that name the target here and there."""
        few, many = sorted((self, other), key=lambda one: len(one.sources(target)))
        return [source for source in few.sources(target) if many.contains(target, source)]
