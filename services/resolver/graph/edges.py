"""Reverse edges: the number of a target → the numbers of those that name it. Pure.

Most targets are named once or by a few: a number, or a tuple. Hubs are named by very many: a sorted array of four
bytes an edge with a count per kind, so that an exact answer needs no scan and one removal is a binary search and a
short move of memory.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from schemas.identity import KindId
from services.resolver.graph.kept import Hub, Row, Shape

SMALL_MAX: Final = 32  # below about 90 sources a tuple is smaller than a hub


Sources = int | list[int] | None  # of one target, ascending; who names it twice stands twice


class Reverse:
    """target → sources; a source that names a target twice stands twice in a tuple."""

    def __init__(self, kind_of: Callable[[int], KindId], shape_of: Callable[[int], Shape]) -> None:
        self.rows: list[Row] = []  # by number of the target
        self._kind_of, self._shape_of = kind_of, shape_of

    def add(self, target: int, source: int, kind: KindId, shape: Shape) -> None:
        """One more reference."""
        row = self.rows[target]
        if isinstance(row, tuple):
            if len(row) < SMALL_MAX:
                self.rows[target] = (*row, source)
            else:
                self.rows[target] = self.row(sorted((*row, source)))
        elif isinstance(row, Hub):
            row.add(source, kind, shape)
        else:
            self.rows[target] = source if row is None else (row, source)

    def add_all(self, naming: dict[int, list[int]]) -> None:
        """target → more references to it, by their sources; what `add` makes of them one by one."""
        rows = self.rows
        for target, sources in naming.items():
            row = rows[target]
            if isinstance(row, Hub):
                row.add_all(sources, self._kind_of, self._shape_of)
            elif row is None and len(sources) == 1:
                rows[target] = sources[0]
            else:
                before = () if row is None else row if isinstance(row, tuple) else (row,)
                known = (*before, *sources)
                rows[target] = known if len(known) <= SMALL_MAX else self.row(sorted(known))

    def row(self, sources: list[int]) -> Row:
        """The row of a target with these sources, ascending; who names it twice stands twice."""
        if len(sources) <= SMALL_MAX:
            return tuple(sources)
        kinds = Counter(map(self._kind_of, sources))
        distinct = dict.fromkeys(sources)
        repeats: dict[int, int] = {}
        if len(distinct) < len(sources):
            repeats = {source: count - 1 for source, count in Counter(sources).items() if count > 1}
            for source, more in repeats.items():
                kinds[self._kind_of(source)] -= more
        shapes = Counter(map(self._shape_of, distinct))
        return Hub(array("I", distinct), repeats, dict(kinds), dict(shapes))

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
            place = row.index(source)
            rest = row[:place] + row[place + 1 :]
            self.rows[target] = rest if len(rest) > 1 else rest[0]

    def sources(self, target: int) -> Sequence[int]:
        """Distinct resources that name the target."""
        row = self.rows[target]
        if row is None:
            return ()
        if isinstance(row, int):
            return (row,)
        return row.sources if isinstance(row, Hub) else row if len({*row}) == len(row) else tuple(dict.fromkeys(row))

    def each(self, target: int) -> Sequence[int]:
        """The same, quicker; some may stand twice."""
        row = self.rows[target]
        if row is None:
            return ()
        if isinstance(row, tuple):
            return row
        return (row,) if isinstance(row, int) else row.sources

    def by_kind(self, target: int) -> dict[KindId, int]:
        """Their exact number per kind (a copy)."""
        row = self.rows[target]
        if isinstance(row, Hub):
            return dict(row.by_kind)
        counts: dict[KindId, int] = {}
        for source in self.sources(target):
            kind = self._kind_of(source)
            counts[kind] = counts.get(kind, 0) + 1
        return counts

    def contains(self, target: int, source: int) -> bool:
        """Whether the source names the target."""
        row = self.rows[target]
        if isinstance(row, Hub):
            place = bisect_left(row.sources, source)
            return place < len(row.sources) and row.sources[place] == source
        return source in self.sources(target)

    def common(self, other: Reverse, target: int) -> list[int]:
        """Sources that name the target here and there."""
        few, many = sorted((self, other), key=lambda one: len(one.sources(target)))
        return [source for source in few.sources(target) if many.contains(target, source)]
