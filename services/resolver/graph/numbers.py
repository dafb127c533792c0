"""A graph asked by number, while it does not change: who uses what, before any state, edge or name is made. Pure.

A deletion looks at some dozens of resources and names two or three of them. So it walks over numbers and the forms
that references have, and asks for a state only where the verdict says something of it. Each answer is kept: one
decision asks again and again. Made anew for each decision; `strange` says that something was met which only the plain
walk over states (walk.py) tells right, and what was found is to be thrown away.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from schemas.events import ResourceState, Selector
from schemas.identity import KindId, ResourceId
from services.resolver.graph.kept import UUID_LINE, Choosing, Hub, Record, Row, Target
from services.resolver.graph.links import Links
from services.resolver.graph.names import NOWHERE, Names
from services.resolver.graph.packed import unpack_numbers
from services.resolver.graph.records import Records
from services.resolver.graph.selecting import Selecting
from services.resolver.graph.view import Edge, Reach
from services.resolver.graph.walk import OWNERS_MAX

ROW_MAX: Final = 1_000  # users, children or matches; whoever has more is left to the plain walk
NOBODY: Final[tuple[int, ...]] = ()
NOTHING: Final[list[Choosing]] = []


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
        self.records, self.rows, self.place, self.standing = records, records.rows, names.place, records.standing
        self._links, self._selecting = links, selecting
        self.user_rows, self.child_rows = links.users.rows, links.children.rows
        self._owners: dict[int, int] = {}
        self._choosing: dict[int, list[Choosing]] = {}
        self._tops: dict[tuple[Target, ...], int] = {}
        self._top_of: dict[int, int] = {}
        self._near: dict[int, list[Choosing]] = {}
        self._matches: dict[int, tuple[Selector, list[int]]] = {}

    def traits(self, number: int) -> ResourceState | None:
        """What is known of it besides labels and references, as a state of nobody; None when it is not there."""
        record = self.rows[number]
        return None if record is None else self.records.traits(record)

    def makes_pods(self, number: int) -> bool:
        """Whether it has a template."""
        record = self.rows[number]
        return record is not None and record.template_labels is not None

    # ── who names it ────────────────────────────────────────────────────────────────────────────────────────────────

    def users(self, number: int) -> Sequence[int]:
        """Everybody who names it and is not taken down with it, whatever object they mean; some may come twice."""
        return self.sources(self.user_rows[number])

    def children(self, number: int) -> Sequence[int]:
        """Everybody who names it as container or owner, likewise."""
        return self.sources(self.child_rows[number])

    def sources(self, row: Row) -> Sequence[int]:
        """Who stands in a row of these."""
        if row is None:
            return NOBODY
        if isinstance(row, int):
            return (row,)
        if isinstance(row, bytes):
            return unpack_numbers(row)
        if len(row.sources) > ROW_MAX:
            self.strange = True
            return NOBODY
        return row.sources

    def is_used_by_at_most(self, limit: int, number: int) -> bool:
        """Whether so few use it, by name or by selector; that more do is not certain."""
        if number == NOWHERE:
            return True
        return len(self._links.sources_of(number, owning=False)) + len(self.selecting(number)) <= limit

    def places(self, number: int, record: Record, *, owning: bool) -> list[int]:
        """Where among its targets a source names this very object: as its owner or container, or in another way."""
        targets, at, found = record.targets, record.shape.at, []
        for place in self.standing.places(targets, number):
            form = at[place]
            assert form is not None, "a number is a target's"
            if form.owning is owning and not (form.pinned and self.is_another(number, targets[place + 1])):
                found.append(place)
        return found

    def is_another(self, number: int, uid: object) -> bool:
        """Of the resource that is there the uid is known, and it is not this one."""
        record = self.rows[number]
        if record is None:
            return False
        line = record.line
        if line.startswith(UUID_LINE):
            return line[3:19] != uid  # its 16 bytes
        return self.records.uid(record) not in (uid, "")

    def edge(self, source: int, place: int, target: ResourceId) -> Edge:
        """The edge as a verdict cites it: the reference that stands there among the source's targets."""
        record = self.record(source)
        form = record.shape.at[place]
        assert form is not None, "a target stands there"
        return Edge(self.resource(source), target, self.records.whole(form, record.targets, place))

    def choice(self, choosing: Choosing, target: ResourceId) -> Edge:
        """The same for a selector."""
        return Edge(self.resource(choosing.source), target, choosing.reference)

    # ── who owns it ─────────────────────────────────────────────────────────────────────────────────────────────────

    def owner(self, number: int) -> int:
        """The first of its owners that is there, or NOWHERE."""
        found = self._owners.get(number)
        if found is None:
            found = self._owners[number] = self._owner(number, self.record(number))
        return found

    def _owner(self, number: int, record: Record) -> int:
        if not record.shape.owners:
            return NOWHERE
        place, pinned = record.shape.owner
        if place == NOWHERE:
            return next((one for one in self.owners(number) if one != NOWHERE), NOWHERE)
        target = record.targets[place]
        assert isinstance(target, int), "an owner that is not selected"
        if self.rows[target] is None or (pinned and self.is_another(target, record.targets[place + 1])):
            return NOWHERE
        return target

    def owners(self, number: int) -> list[int]:
        """Each of its owners; NOWHERE for one that is not there."""
        record = self.record(number)
        shape, targets, found = record.shape, record.targets, []
        for form in shape.owners:
            place = shape.places[form]
            target = targets[place]
            if not isinstance(target, int):
                self.strange = True  # an owner that is selected
            elif self.rows[target] is None or (
                shape.forms[form].pinned and self.is_another(target, targets[place + 1])
            ):
                found.append(NOWHERE)
            else:
                found.append(target)
        return found

    def top(self, number: int) -> int:
        """The top of the chain of owners, or NOWHERE."""
        found = self._top_of.get(number)
        if found is not None:
            return found
        record = self.record(number)
        if not record.shape.owners:
            found = NOWHERE
        else:
            place, pinned = record.shape.owner
            key = record.targets[place : place + 1 + pinned]  # who has the very same owner has the same top
            found = self._tops.get(key) if place != NOWHERE else None
            if found is None:
                direct = self.owner(number)
                if direct in (NOWHERE, number):
                    self._top_of[number] = NOWHERE
                    return NOWHERE
                found = self._top(direct)
                if place != NOWHERE:
                    self._tops[key] = found
        self._top_of[number] = found
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
            record = self.rows[number]
            found = self._choosing[number] = [] if record is None else self._selecting.choosing(number, record)
        return found

    def selecting_alike(self, number: int, looked_at: dict[int, list[Choosing]]) -> list[Choosing]:
        """The same, it itself included; nothing when that was said of its like already (`looked_at`, by replicas)."""
        found = self._near.get(number)
        if found is None:
            record = self.rows[number]
            found = self._near[number] = NOTHING if record is None else self._selecting.alike(number, record)
        if not found or id(found) in looked_at:
            return NOTHING
        for one in found:
            if one.selector.default and not self._selecting.may(one.selector, self.rows[number]):
                return self.selecting(number)  # what it asks besides labels may be so of another
        looked_at[id(found)] = found
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
        users, children, choosing = self.user_rows[number], self.child_rows[number], self.selecting(number)
        naming = {*self.sources(users), *self.sources(children)}
        if self.strange or len(naming) + len(choosing) > limit:
            return None
        sources = naming.union([one.source for one in choosing]) if choosing else naming
        by_kind: dict[KindId, int] = {}
        for source in sources:
            kind = self.place[source].kind
            by_kind[kind] = by_kind.get(kind, 0) + 1
        named = {one for one in naming if self._means(self.record(one), number)}
        named.update([one.source for one in choosing])
        return Touched(len(sources), by_kind, [*map(self.resource, named)])

    def reach(self, resources: Collection[ResourceId], limit: int) -> Reach:
        """How many depend on these resources, transitively, up to `limit`; they themselves do not count.

        The longest walk of a decision, so it makes nothing on its way: whoever is seen already is passed by first.
        """
        seen = {*map(self.find, resources)} - {NOWHERE}
        queue, start, most = [*seen], len(seen), len(seen) + limit
        rows = self.rows
        looked_at: dict[int, list[Choosing]] = {}  # replicas share the list of those who select them
        for number in queue:  # grows while it is read
            for row in (self.user_rows[number], self.child_rows[number]):
                if row is None:
                    continue
                for source in row.sources if isinstance(row, Hub) else self.sources(row):
                    if source in seen:
                        continue
                    record = rows[source]
                    assert record is not None, "who refers to something is there"
                    for place in record.shape.pinned:
                        if record.targets[place] == number and not self._means(record, number):
                            break
                    else:
                        seen.add(source)
                        queue.append(source)
                        if len(seen) > most:
                            return Reach(limit, True)
            for one in self.selecting_alike(number, looked_at):
                if one.source not in seen:
                    seen.add(one.source)
                    queue.append(one.source)
            if len(seen) > most:
                return Reach(limit, True)
        return Reach(len(seen) - start, False)

    def _means(self, record: Record, number: int) -> bool:
        """Whether a source means this very object in one of its ways, or whatever has the name."""
        targets = record.targets
        for place in record.shape.pinned:
            if targets[place] == number and self.is_another(number, targets[place + 1]):
                return self.records.means(record, number, self.records.uid(self.record(number)))
        return True

    def record(self, number: int) -> Record:
        """What is there."""
        record = self.rows[number]
        assert record is not None, "who refers to something is there"
        return record
