"""A graph asked by number, while it does not change: who uses what, before any state, edge or name is made. Pure.

A deletion looks at some dozens of resources and names two or three of them. So it walks over numbers and the forms
that references have, and asks for a state only where the verdict says something of it. Each answer is kept: one
decision asks again and again. Made anew for each decision; `strange` says that something was met which only the plain
walk over states (walk.py) tells right, and what was found is to be thrown away.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from msgspec import Struct

from schemas.events import ResourceState, Scalar, Selector
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


NOBODY: Final[list[Named]] = []


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
        self._place = names.place
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

    def facts(self, number: int) -> tuple[KindId, Mapping[str, Scalar], bool]:
        """Kind and facts of what is there, and whether it has a template."""
        record = self._rows[number]
        assert record is not None, "who refers to something is there"
        return self._place[number].kind, self._records.traits(record).facts, record.template_labels is not None

    def makes_pods(self, number: int) -> bool:
        """Whether it has a template."""
        record = self._rows[number]
        return record is not None and record.template_labels is not None

    # ── who names it ────────────────────────────────────────────────────────────────────────────────────────────────

    def users(self, number: int) -> list[Named]:
        """Everybody who names it and is not taken down with it."""
        if self._links.users.rows[number] is None:
            return NOBODY
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
        if self._links.children.rows[number] is None:
            return NOBODY
        found = self._children.get(number)
        if found is None:
            found = self._children[number] = self._naming(number, owning=True)
        return found

    def _naming(self, number: int, *, owning: bool) -> list[Named]:
        found: list[Named] = []
        sources = self._links.sources_of(number, owning=owning)
        if len(sources) > ROW_MAX:
            self.strange = True
            return found
        rows = self._rows
        for source in sources:
            record = rows[source]
            assert record is not None, "who refers to something is there"
            targets, at = record.targets, record.shape.at
            place = -1
            for _ in range(targets.count(number)):
                place = targets.index(number, place + 1)
                form = at[place]
                assert form is not None, "a number is a target's"
                if form.owning is owning and not (form.pinned and self._is_another(number, targets[place + 1])):
                    found.append(Named(source, form, place))
        return found

    def _is_another(self, number: int, uid: object) -> bool:
        """Of the resource that is there the uid is known, and it is not this one."""
        known = self._uids.get(number)
        if known is None:
            known = self._uid(number)
        return known not in (uid, "")

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

    def has_one_owner(self, number: int) -> bool:
        """It names one owner and no more."""
        return len(self._record(number).shape.owners) == 1

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
        """How many depend on these resources, transitively, up to `limit`; they themselves do not count.

        The longest walk of a decision, so it makes nothing on its way: whoever is seen already is passed by first.
        """
        seen = {*map(self.find, resources)} - {NOWHERE}
        queue, start, most = [*seen], len(seen), len(seen) + limit
        rows, indexes = self._rows, (self._links.users.each, self._links.children.each)
        looked_at: dict[int, list[Choosing]] = {}  # replicas share the list of those who select them
        for number in queue:  # grows while it is read
            for each in indexes:
                for source in each(number):
                    if source not in seen and self._means(source, number):
                        seen.add(source)
                        queue.append(source)
                        if len(seen) > most:
                            return Reach(limit, True)
            record = rows[number]
            choosing = self._selecting.alike(number, record) if record is not None else None
            if not choosing or id(choosing) in looked_at:
                continue
            looked_at[id(choosing)] = choosing
            for one in choosing:
                if one.selector.default and not self._selecting.may(one.selector, record):
                    del looked_at[id(choosing)]  # what it asks besides labels may be so of another
                    break
            for one in choosing if id(choosing) in looked_at else self.selecting(number):
                if one.source not in seen:
                    seen.add(one.source)
                    queue.append(one.source)
            if len(seen) > most:
                return Reach(limit, True)
        return Reach(len(seen) - start, False)

    def _means(self, source: int, number: int) -> bool:
        """It is to this very object, or to whatever has the name."""
        record = self._rows[source]
        assert record is not None, "who refers to something is there"
        targets = record.targets
        for place in record.shape.pinned:
            if targets[place] == number:
                uid = self._uid(number)
                return not uid or self._records.means(record, number, uid)
        return True

    def _record(self, number: int) -> Record:
        record = self._rows[number]
        assert record is not None, "who refers to something is there"
        return record
