"""Who names whom, by number: users and children of each resource, as rows of two reverse indexes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from schemas.events import Reference
from schemas.identity import KindId, ResourceId
from services.resolver.graph.edges import Reverse
from services.resolver.graph.forms import OWNER, USED
from services.resolver.graph.kept import Record, Same, Shape
from services.resolver.graph.names import Names
from services.resolver.graph.records import Records
from services.resolver.graph.view import Edge, Which, skipped

MISSING_SLICE: Final = 8_192  # numbers that are looked at in one piece, mostly present: some milliseconds


class Links:
    """Children (by composition and containment) stand apart from users: a deletion asks for the one or the other."""

    def __init__(self, names: Names, records: Records) -> None:
        self._names = names
        self._records = records
        self.users = Reverse(names.kind, self._shape)  # read by who walks over numbers; changed only here
        self.children = Reverse(names.kind, self._shape)
        self.edge_count = 0  # how many references there are

    def _shape(self, number: int) -> Shape:
        record = self._records.rows[number]
        assert record is not None, "who names something is there"
        return record.shape

    def grow(self, more: int) -> None:
        """So many new numbers."""
        self.users.rows.extend([None] * more)
        self.children.rows.extend([None] * more)

    def add(self, number: int, record: Record, kind: KindId) -> None:
        """A resource names its targets."""
        for target, role in zip(record.targets, record.shape.roles, strict=True):
            if role:
                assert isinstance(target, int), "the role says so"
                (self.users if role == USED else self.children).add(target, number, kind, record.shape)

    def add_all(self, added: Mapping[Same, Record]) -> None:
        """Each of these names its targets: most of a batch name the same ones, whose rows are made anew once."""
        users: defaultdict[Same, list[Same]] = defaultdict(list)
        children: defaultdict[Same, list[Same]] = defaultdict(list)
        for number, record in added.items():
            shape, targets = record.shape, record.targets
            for place in shape.used:
                users[targets[place]].append(number)
            for place in shape.owning:
                children[targets[place]].append(number)
        self.users.add_all(users)
        self.children.add_all(children)

    def remove(self, number: int, record: Record, kind: KindId) -> Iterator[int]:
        """It names them no more; yields those that nobody names now."""
        for target, role in zip(record.targets, record.shape.roles, strict=True):
            if role in (USED, OWNER):
                assert isinstance(target, int), "the role says so"
                (self.users if role == USED else self.children).remove(target, number, kind, record.shape)
                if not self.names(target):
                    yield target

    def names(self, number: int) -> bool:
        """Whether anything names it."""
        return self.users.rows[number] is not None or self.children.rows[number] is not None

    def missing(self) -> Iterator[int]:
        """How many are not there, and named by something that misses them: slice by slice, to be added up."""
        missing: dict[Shape, tuple[int, ...]] = {}  # the places of the targets that would be missed
        rows = self._records.rows
        for first in range(0, len(rows), MISSING_SLICE):
            absent = [number for number, record in enumerate(rows[first : first + MISSING_SLICE], first) if not record]
            yield sum(self._is_missed(number, missing) for number in absent)

    def _is_missed(self, number: int, missing: dict[Shape, tuple[int, ...]]) -> bool:
        for index in (self.users, self.children):
            for source in index.sources(number) if index.rows[number] is not None else ():
                record = self._records.rows[source]
                assert record is not None, "who names something is there"
                shape = record.shape
                if shape not in missing:
                    pairs = zip(shape.forms, shape.places, strict=True)
                    missing[shape] = tuple(
                        place for form, place in pairs if not form.selects and not skipped(form.reference)
                    )
                if any(record.targets[place] == number for place in missing[shape]):
                    return True
        return False

    def contains(self, number: int, source: int, which: Which) -> bool:
        """Whether the source names it."""
        return (which in ("all", "users") and self.users.contains(number, source)) or (
            which in ("all", "children") and self.children.contains(number, source)
        )

    def count(self, number: int, which: Which) -> tuple[int, dict[KindId, int]]:
        """Distinct sources that name it, in all and by kind."""
        if which == "selectors":
            return 0, {}
        if which == "all" and self.children.rows[number] is None:
            which = "users"  # nothing to add, and nothing stands in both
        if which != "all":
            one = self.users if which == "users" else self.children
            return (len(one.sources(number)), one.by_kind(number)) if one.rows[number] is not None else (0, {})
        by_kind = self.users.by_kind(number)
        for kind, count in self.children.by_kind(number).items():
            by_kind[kind] = by_kind.get(kind, 0) + count
        twice = self.users.common(self.children, number)
        for source in twice:
            by_kind[self._names.kind(source)] -= 1
        return len(self.users.sources(number)) + len(self.children.sources(number)) - len(twice), by_kind

    def sources_of(self, number: int, *, owning: bool) -> Sequence[int]:
        """All children, or all users, whatever object they mean."""
        index = self.children if owning else self.users
        return () if index.rows[number] is None else index.sources(number)

    def needing(self, number: int, target: ResourceId, uid: str, granules: AbstractSet[str]) -> list[Edge]:
        """Edges of all users that need one of these parts; most shapes of references name none of them."""
        if not self.users.may_need(number, granules):
            return []
        names_one: dict[Shape, bool] = {}
        sources = []
        for source in self.users.sources(number):
            record = self._records.rows[source]
            assert record is not None, "who names something is there"
            found = names_one.get(record.shape)
            if found is None:
                found = names_one[record.shape] = not record.shape.granules.isdisjoint(granules)
            if found:
                sources.append(source)
        edges = self._edges(sources, number, target, uid, owning=False)
        return [edge for edge in edges if edge.reference.granule in granules]

    def edges(self, number: int, target: ResourceId, uid: str, limit: int, which: Which) -> list[Edge]:
        """Edges of the first `limit` sources; `uid` is that of the target, "" when it is not there."""
        found: list[Edge] = []
        if which in ("all", "users") and self.users.rows[number] is not None:
            found += self._edges(self.users.sources(number)[:limit], number, target, uid, owning=False)
        if which in ("all", "children") and self.children.rows[number] is not None:
            left = max(0, limit - len(found))
            found += self._edges(self.children.sources(number)[:left], number, target, uid, owning=True)
        return found

    def _edges(
        self, sources: Sequence[int], number: int, target: ResourceId, uid: str, *, owning: bool
    ) -> Iterator[Edge]:
        alike: dict[tuple[int, int], list[Reference]] = {}  # replicas share the very objects
        for source in sources:
            record = self._records.rows[source]
            assert record is not None, "who names something is there"
            key = (id(record.shape), id(record.targets))
            found = alike.get(key)
            if found is None:
                naming = self._records.naming(record, number, owning=owning)
                found = alike[key] = [one for one in naming if not (one.uid and uid and uid != one.uid)]
            name = self._names.resource(source)
            for reference in found:
                yield Edge(name, target, reference)
