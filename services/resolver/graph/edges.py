"""Reverse edges by name: target → the resources that name it. Pure.

Most targets are named by a few: a tuple. Hubs are named by very many: an ordered set with a count per kind, so that an
exact answer needs no scan and one removal costs the same as for a small one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from schemas.identity import KindId, ResourceId, kind_of

SMALL_MAX = 8


class _Hub:
    __slots__ = ("by_kind", "sources")

    def __init__(self) -> None:
        self.sources: dict[ResourceId, int] = {}  # how many references of this source point here
        self.by_kind: dict[KindId, int] = {}

    def add(self, source: ResourceId, kind: KindId) -> None:
        times = self.sources.get(source, 0)
        self.sources[source] = times + 1
        if not times:
            self.by_kind[kind] = self.by_kind.get(kind, 0) + 1

    def remove(self, source: ResourceId, kind: KindId) -> None:
        times = self.sources[source]
        if times > 1:
            self.sources[source] = times - 1
            return
        del self.sources[source]
        self.by_kind[kind] -= 1
        if not self.by_kind[kind]:
            del self.by_kind[kind]


class Reverse:
    """target → sources; a source that names a target twice stands twice in a tuple."""

    def __init__(self) -> None:
        self._rows: dict[ResourceId, tuple[ResourceId, ...] | _Hub] = {}

    def add(self, target: ResourceId, source: ResourceId, kind: KindId) -> None:
        """One more reference."""
        row = self._rows.get(target, ())
        if isinstance(row, _Hub):
            row.add(source, kind)
        elif len(row) < SMALL_MAX:
            self._rows[target] = (*row, source)
        else:
            self._rows[target] = hub = _Hub()
            for one in (*row, source):
                hub.add(one, kind_of(one))

    def remove(self, target: ResourceId, source: ResourceId, kind: KindId) -> None:
        """One reference less."""
        row = self._rows[target]
        if isinstance(row, _Hub):
            row.remove(source, kind)
            empty = not row.sources
        else:
            place = row.index(source)
            row = row[:place] + row[place + 1 :]
            self._rows[target] = row
            empty = not row
        if empty:
            del self._rows[target]

    def sources(self, target: ResourceId) -> Collection[ResourceId]:
        """Distinct resources that name the target, oldest first."""
        row = self._rows.get(target, ())
        return row.sources.keys() if isinstance(row, _Hub) else tuple(dict.fromkeys(row))

    def by_kind(self, target: ResourceId) -> dict[KindId, int]:
        """Their exact number per kind (a copy)."""
        row = self._rows.get(target, ())
        if isinstance(row, _Hub):
            return dict(row.by_kind)
        counts: dict[KindId, int] = {}
        for source in dict.fromkeys(row):
            kind = kind_of(source)
            counts[kind] = counts.get(kind, 0) + 1
        return counts

    def targets(self) -> Iterator[ResourceId]:
        """Everything that is named."""
        yield from self._rows
