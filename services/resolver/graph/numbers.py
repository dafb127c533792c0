"""A graph asked by number, while it does not change: who uses what, before any state, edge or name is made. Pure.

A deletion looks at some dozens of resources and names two or three of them. So it walks over numbers and the forms
that references have, and asks for a state only where the verdict says something of it. Each answer is kept: one
decision asks again and again. Made anew for each decision; `strange` says that something was met which only the plain
walk over states (walk.py) tells right, and what was found is to be thrown away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple

from msgspec import Struct

from schemas.events import ResourceState, Selector
from schemas.identity import KindId, ResourceId
from services.resolver.graph.forms import Form, Short
from services.resolver.graph.links import Links
from services.resolver.graph.names import NOWHERE, Names
from services.resolver.graph.records import Record, Records
from services.resolver.graph.selecting import Choosing, Selecting
from services.resolver.graph.view import Edge, Reach
from services.resolver.graph.walk import OWNERS_MAX

ROW_MAX: Final = 1_000  # users, children or matches; whoever has more is left to the plain walk


class Named(Struct, frozen=True, gc=False, eq=False):
    """A source that names a resource: by which of its forms, and where among its targets."""

    source: int
    form: Form
    place: int


class Touched(NamedTuple):
    """Who depends on something directly: how many by name or selector, and who of them means this very object."""

    direct: int
    by_kind: dict[KindId, int]
    named: list[ResourceId]


class Numbers:
    """The resources of one graph by number."""

    def __init__(self, names: Names, records: Records, links: Links, selecting: Selecting) -> None:
        self.strange = False
        self.find = names.find
        self.resource = names.resource
        self.kind = names.kind
        self._records, self._rows = records, records.rows
        self._links, self._selecting = links, selecting
        self._owners: dict[int, int] = {}
        self._choosing: dict[int, list[Choosing]] = {}
        self._tops: dict[int, int] = {}
        self._uids: dict[int, Short] = {}
        self._users: dict[int, list[Named]] = {}
        self._children: dict[int, list[Named]] = {}
        self._matches: dict[int, tuple[Selector, list[int]]] = {}

    def traits(self, number: int) -> ResourceState | None:
        """What is known of it besides labels and references, as a state of nobody; None when it is not there."""
        record = self._rows[number]
        return None if record is None else self._records.traits(record)

    def makes_pods(self, number: int) -> bool:
        """Whether it has a template."""
        record = self._rows[number]
        return record is not None and record.template_labels is not None

    # ── who names it ────────────────────────────────────────────────────────────────────────────────────────────────

    def users(self, number: int) -> list[Named]:
        """Everybody who names it and is not taken down with it."""
        found = self._users.get(number)
        if found is None:
            found = self._users[number] = self._naming(number, owning=False)
        return found

    def is_used_by_at_most(self, limit: int, number: int) -> bool:
        """Whether so few use it, by name or by selector; that more do is not certain."""
        if number == NOWHERE:
            return True
        return len(self._links.sources_of(number, owning=False)) + len(self.selecting(number)) <= limit

    def children(self, number: int) -> list[Named]:
        """Everybody who names it as container or owner."""
        found = self._children.get(number)
        if found is None:
            found = self._children[number] = self._naming(number, owning=True)
        return found

    def _naming(self, number: int, *, owning: bool) -> list[Named]:
        found: list[Named] = []
        sources = self._links.sources_of(number, owning=owning)
        if not sources:
            return found
        if len(sources) > ROW_MAX:
            self.strange = True
            return found
        for source in sources:
            record = self._record(source)
            targets, shape = record.targets, record.shape
            place = -1
            for _ in range(targets.count(number)):
                place = targets.index(number, place + 1)
                form = shape.forms[shape.places.index(place) if shape.pinned else place]
                if form.owning == owning and not (form.pinned and self._is_another(number, targets[place + 1])):
                    found.append(Named(source, form, place))
        return found

    def _is_another(self, number: int, uid: object) -> bool:
        """Of the resource that is there the uid is known, and it is not this one."""
        known = self._uid(number)
        return bool(known) and known != uid

    def _uid(self, number: int) -> Short:
        found = self._uids.get(number)
        if found is None:
            record = self._rows[number]
            found = self._uids[number] = "" if record is None else self._records.uid(record)
        return found

    def edge(self, named: Named, target: ResourceId) -> Edge:
        """The edge as a verdict cites it."""
        reference = self._records.whole(named.form, self._record(named.source).targets, named.place)
        return Edge(self.resource(named.source), target, reference)

    def choice(self, choosing: Choosing, target: ResourceId) -> Edge:
        """The same for a selector."""
        return Edge(self.resource(choosing.source), target, choosing.reference)

    # ── who owns it ─────────────────────────────────────────────────────────────────────────────────────────────────

    def owner(self, number: int) -> int:
        """The first of its owners that is there, or NOWHERE."""
        found = self._owners.get(number)
        if found is None:
            for found in self.owners(number):
                if found != NOWHERE:
                    break
            else:
                found = NOWHERE
            self._owners[number] = found
        return found

    def owners(self, number: int) -> list[int]:
        """Each of its owners; NOWHERE for one that is not there."""
        record = self._record(number)
        shape, targets, found = record.shape, record.targets, []
        for form in shape.owners:
            place = shape.places[form]
            target = targets[place]
            if not isinstance(target, int):
                self.strange = True  # an owner that is selected
            elif self._rows[target] is None or (
                shape.forms[form].pinned and self._is_another(target, targets[place + 1])
            ):
                found.append(NOWHERE)
            else:
                found.append(target)
        return found

    def top(self, number: int) -> int:
        """The top of the chain of owners, or NOWHERE."""
        direct = self.owner(number)
        if direct in (NOWHERE, number):
            return NOWHERE
        found = self._tops.get(direct)
        if found is None:
            found = self._tops[direct] = self._top(direct)
        return found

    def _top(self, direct: int) -> int:
        top = direct
        for _ in range(OWNERS_MAX):
            above = self.owner(top)
            if above == NOWHERE:
                return top
            top = above
        self.strange = True  # owners that own each other
        return top

    # ── who selects it ──────────────────────────────────────────────────────────────────────────────────────────────

    def selecting(self, number: int) -> list[Choosing]:
        """Everybody who selects what is there."""
        found = self._choosing.get(number)
        if found is None:
            record = self._rows[number]
            found = self._choosing[number] = [] if record is None else self._selecting.choosing(number, record)
        return found

    def selected(self, chosen: Choosing) -> list[int]:
        """What it selects."""
        key = id(chosen.selector)
        known = self._matches.get(key)
        if known is None:
            known = self._matches[key] = (chosen.selector, self._selecting.selected(chosen.selector))
            self.strange = self.strange or len(known[1]) > ROW_MAX
        return known[1]

    # ── everybody who depends on it ─────────────────────────────────────────────────────────────────────────────────

    def touched(self, resource: ResourceId, limit: int) -> Touched | None:
        """Who depends on it directly; None when there are more than `limit`."""
        number = self.find(resource)
        if number == NOWHERE:
            return Touched(0, {}, [])
        naming = [self._links.sources_of(number, owning=owning) for owning in (False, True)]
        choosing = self.selecting(number)
        if sum(map(len, naming)) + len(choosing) > limit:
            return None
        sources = {*naming[0], *naming[1], *(one.source for one in choosing)}
        by_kind: dict[KindId, int] = {}
        for source in sources:
            kind = self.kind(source)
            by_kind[kind] = by_kind.get(kind, 0) + 1
        named = {one.source for row in (self.users(number), self.children(number), choosing) for one in row}
        return Touched(len(sources), by_kind, [*map(self.resource, named)])

    def reach(self, resources: Collection[ResourceId], limit: int) -> Reach:
        """How many depend on these resources, transitively, up to `limit`; they themselves do not count."""
        start = {*map(self.find, resources)} - {NOWHERE}
        seen, queue, most = set(start), deque(start), len(start) + limit
        while queue:
            for source in self._pointing(queue.popleft()):
                if source in seen:
                    continue
                if len(seen) >= most:
                    return Reach(limit, True)
                seen.add(source)
                queue.append(source)
        return Reach(len(seen) - len(start), False)

    def _pointing(self, number: int) -> Iterable[int]:
        """Whoever names it (who means another object of its name does not) or selects it; some come twice."""
        for owning in (False, True):
            sources = self._links.sources_of(number, owning=owning)
            if len(sources) > ROW_MAX:
                yield from self._meaning(number, sources)
            elif sources:
                for named in self.children(number) if owning else self.users(number):
                    yield named.source
        for choosing in self.selecting(number):
            yield choosing.source

    def _meaning(self, number: int, sources: Iterable[int]) -> Iterator[int]:
        uid = self._uid(number)
        for source in sources:
            mine = self._record(source)
            if not mine.shape.pinned or not uid or self._records.means(mine, number, uid):
                yield source

    def _record(self, number: int) -> Record:
        record = self._rows[number]
        assert record is not None, "who refers to something is there"
        return record
