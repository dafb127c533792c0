"""Events → the live graph of one site; `apply` is the only mutation. Pure.

References to what is not there are edges to a missing node. A repeated event changes nothing, a deletion of another uid
changes nothing, and a put replaces what was known of the resource, so any shuffle or repetition of a log that keeps
each object's own order ends in the same graph. Ordering by sequence number is the caller's (evidence.py).

Inside, a resource is a number: `names` numbers it, `records` holds what is known of it, `edges` who names it,
`label_index` who selects it. States are made when they are asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice

from msgspec import structs

from schemas.events import Reference, ResourceEvent, ResourceState
from schemas.identity import KindId, ResourceId, SiteName
from schemas.kinds import Surface
from services.resolver.graph.changed import Changed
from services.resolver.graph.digests import Digests
from services.resolver.graph.links import Links
from services.resolver.graph.names import NOWHERE, Names
from services.resolver.graph.numbers import Numbers
from services.resolver.graph.parts import Parts
from services.resolver.graph.records import Record, Records
from services.resolver.graph.selecting import Selecting
from services.resolver.graph.view import WALK_MAX, Dependents, Edge, Reach, Targets, Which

STATES_MAX = 1_024  # states that were asked for lately: a decision asks for the same ones again and again
UNUSED_MAX = 8_192  # numbers that may wait to be forgotten


class Graph:
    """The knowledge of one site (a `View`)."""

    def __init__(self, site: SiteName) -> None:
        self.site = site
        self.surface = Surface()
        self.edge_count = 0
        self.resource_count = 0
        self._names = Names()
        self._records = Records(self._names)
        self._record = self._records.rows
        self._links = Links(self._names, self._records)
        self._selecting = Selecting(self._names, self._records)
        self._labels = self._selecting.labels
        self._states: dict[int, ResourceState] = {}
        self._unused: list[int] = []
        self._marks: dict[KindId, set[int]] = {}
        self._digests = Digests()
        self.parts = Parts(self._names, self._records, self._links, self._selecting, self._digests)
        self.keeps_numbers = False  # somebody copies it: no number is handed out again meanwhile

    # ── mutation ────────────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, event: ResourceEvent) -> Sequence[Changed]:
        """Take one event in; says what changed, nothing when it said nothing new."""
        match event.op:
            case "put":
                assert event.state is not None, "a put carries a state"
                return self._put(event.state)
            case "delete":
                return self._delete(event.resource, event.uid)
            case "surface":
                self.surface = Surface(event.surface)
            case "sync_start":
                self._marks[event.kind] = set()
            case "sync_end":
                return self._sweep(event.kind)
            case "sync_same":
                self._marks.pop(event.kind, None)  # a listing that broke off is never ended
        return ()

    def _put(self, state: ResourceState) -> Sequence[Changed]:
        number = self._names.number(state.resource)
        new = self._records.pack(state)
        self._grow()
        if self._marks:
            mark = self._marks.get(self._names.kind(number))
            if mark is not None:
                mark.add(number)
        old = self._record[number]
        changed = old != new
        if changed:
            self._replace(number, old, new, state)
        if self._records.crowded or (len(self._unused) > UNUSED_MAX and not self.keeps_numbers):
            self._tidy()  # also after what said nothing new: a listing names as many references as the first one
        return (Changed(state.resource, state, old, new, self._records),) if changed else ()

    def _replace(self, number: int, old: Record | None, new: Record, state: ResourceState) -> None:
        self._record[number] = new
        kind = self._names.kind(number)
        self._digests.put(number, kind, state.uid, state.resource_version, new=old is None)
        if old is None:
            self._selecting.changed()
            self.resource_count += 1
            self._link(number, new)
        else:
            self._states.pop(number, None)
            self._relink(number, old, new)

    def _grow(self) -> None:
        more = len(self._names) - len(self._record)
        if more:
            self._record.extend([None] * more)
            self._links.grow(more)

    def _delete(self, resource: ResourceId, uid: str) -> Sequence[Changed]:
        number = self._names.find(resource)
        old = None if number == NOWHERE else self._record[number]
        if old is None:
            return ()
        known = self._records.version(old)[0]
        if uid and known and uid != known:
            return ()
        self._record[number] = None
        kind = self._names.kind(number)
        self._digests.remove(number, kind)
        if kind in self._marks:
            self._marks[kind].discard(number)
        self._selecting.changed()
        self._states.pop(number, None)
        self.resource_count -= 1
        self._unlink(number, old)
        self._unused.append(number)
        if len(self._unused) > 2 * UNUSED_MAX and not self.keeps_numbers:
            self._tidy()
        return (Changed(resource, None, old, None, self._records),)

    def _sweep(self, kind: KindId) -> Sequence[Changed]:
        mark = self._marks.pop(kind, None)
        if mark is None or len(mark) == self._digests.count(kind):
            return ()  # all that is there was named, which is the rule: no walk over it
        gone = [number for number in self._present(kind) if number not in mark]
        return [changed for number in gone for changed in self._delete(self._names.resource(number), "")]

    def _link(self, number: int, record: Record) -> None:
        place = self._names.place[number]
        self._labels.add(place.kind, place.namespace, number, record)
        self._link_references(number, record, place.kind)

    def _link_references(self, number: int, record: Record, kind: KindId) -> None:
        self._links.add(number, record, kind)
        self.edge_count += len(record.shape.forms)
        if record.shape.selects:
            for selector, _ in self._records.selecting(record):
                self._selecting.index(selector.kind)
                self._labels.add_selector(number, selector)

    def _relink(self, number: int, old: Record, new: Record) -> None:
        """Most changes leave labels and references as they were."""
        place = self._names.place[number]
        if old.labels is not new.labels or old.template_labels is not new.template_labels:
            self._selecting.changed()
            self._labels.remove(place.kind, place.namespace, number, old)
            self._labels.add(place.kind, place.namespace, number, new)
        if old.targets != new.targets or old.shape is not new.shape:
            self._selecting.changed()
            self._unlink_references(number, old, place.kind)
            self._link_references(number, new, place.kind)

    def _unlink(self, number: int, record: Record) -> None:
        place = self._names.place[number]
        self._labels.remove(place.kind, place.namespace, number, record)
        self._unlink_references(number, record, place.kind)

    def _unlink_references(self, number: int, record: Record, kind: KindId) -> None:
        self._unused += self._links.remove(number, record, kind)
        self.edge_count -= len(record.shape.forms)
        if record.shape.selects:
            for selector, _ in self._records.selecting(record):
                self._labels.remove_selector(number, selector)

    def _tidy(self) -> None:
        """Forget what nobody uses. Numbers wait for this, too: recent references and `Changed.old` rely on them."""
        self._records.tidy()
        if self.keeps_numbers:
            return
        for number in set(self._unused):
            if self._record[number] is None and not self._links.names(number):
                self._names.forget(number)
        self._unused.clear()

    def become(self, other: Graph) -> None:
        """What another graph is, which nobody uses any more: one that was restored."""
        vars(self).update(vars(other))

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def missing_count(self) -> int:
        """Things that are needed by name and not there (a walk over the named targets: for status only)."""
        return self._links.missing_count()

    @property
    def listing(self) -> bool:
        """A kind is being listed: what was not named yet may be gone."""
        return bool(self._marks)

    @property
    def numbers_len(self) -> int:
        """How many numbers were handed out at most at one time."""
        return len(self._names)

    def find(self, resource: ResourceId) -> ResourceState | None:
        """The state, or None."""
        number = self._names.find(resource)
        return None if number == NOWHERE else self._state(number, resource)

    def _state(self, number: int, resource: ResourceId) -> ResourceState | None:
        found = self._states.get(number)
        if found is None:
            record = self._record[number]
            if record is None:
                return None
            if len(self._states) >= STATES_MAX:
                self._states.clear()
            found = self._states[number] = self._records.unpack(resource, record)
        return found

    def _present(self, kind: KindId, namespace: str | None = None) -> Iterator[int]:
        for place in self._names.places(kind, namespace):
            for number in place.members.values():
                if self._record[number] is not None:
                    yield number

    def kinds(self) -> list[KindId]:
        """Kinds of which something is there."""
        return sorted(kind for kind in self._names.kinds() if any(True for _ in self._present(kind)))

    def digest(self, kind: KindId) -> str:
        """What the watcher compares before a resync."""
        return self._digests.digest(kind)

    def members(self, kind: KindId, namespace: str | None = None) -> Iterator[ResourceId]:
        """Present resources of a kind."""
        yield from map(self._names.resource, self._present(kind, namespace))

    def identities(self, namespace: str | None = None) -> Iterator[ResourceId]:
        """Everything that is there, in one namespace or everywhere."""
        for kind in self._names.kinds():
            yield from self.members(kind, namespace)

    def resources(self) -> Iterator[ResourceState]:
        """Everything that is there, with its state."""
        for number, record in enumerate(self._record):
            if record is not None:
                yield self._records.unpack(self._names.resource(number), record)

    def held_by(self, resource: ResourceId) -> str | None:
        """Nothing is in flight in what was observed."""
        return None

    def targets(self, source: ResourceId, reference: Reference) -> Targets:
        """By name (and uid), or through the label index."""
        if reference.selector is not None:
            present = self._selecting.selected(reference.selector)
            return Targets(tuple(map(self._names.resource, islice(present, WALK_MAX))), len(present))
        number = self._names.find(reference.target)
        record = None if number == NOWHERE else self._record[number]
        if record is None:
            return Targets()
        if reference.uid and self._records.version(record)[0] not in ("", reference.uid):
            return Targets()
        return Targets((reference.target,), 1)

    def selecting(self, state: ResourceState) -> list[Edge]:
        """The selector edges that would lead to it, were it there: who misses it when it is gone."""
        number = self._names.number(state.resource)
        record = self._records.pack(structs.replace(state, references=()))
        self._grow()
        self._unused.append(number)
        return [edge for _, edge in self._selecting.selecting(number, state.resource, record)]

    def numbers(self) -> Numbers:
        """The same graph by number, for one decision."""
        return Numbers(self._names, self._records, self._links, self._selecting)

    def dependents(self, resource: ResourceId, limit: int = WALK_MAX, which: Which = "all") -> Dependents:
        """Edges by name from the reverse indexes, edges by selector from the label index; counts are exact."""
        number = self._names.find(resource)
        if number == NOWHERE:
            return Dependents()
        record = self._record[number]
        named = self._links.names(number)
        if not named and (record is None or which == "children"):
            return Dependents()
        uid = self._records.version(record)[0] if named and record is not None else ""
        edges = self._links.edges(number, resource, uid, limit, which) if named else []
        count, by_kind = self._links.count(number, which)
        if record is not None and which != "children":
            selecting = self._selecting.selecting(number, resource, record)
            edges += [edge for _, edge in selecting[: max(0, limit - len(edges))]]
            for source in dict.fromkeys(source for source, _ in selecting):
                if not self._links.contains(number, source, which):
                    count += 1
                    kind = self._names.kind(source)
                    by_kind[kind] = by_kind.get(kind, 0) + 1
        return Dependents(edges, count, by_kind)

    def needing(self, resource: ResourceId, granules: AbstractSet[str]) -> list[Edge]:
        """Every edge by name that needs one of these parts of a resource."""
        number = self._names.find(resource)
        record = None if number == NOWHERE else self._record[number]
        uid = "" if record is None else self._records.version(record)[0]
        return [] if number == NOWHERE else self._links.needing(number, resource, uid, granules)

    def reach(self, resources: Collection[ResourceId], limit: int = WALK_MAX) -> Reach:
        """How many depend on these resources, transitively, up to `limit`; they themselves do not count."""
        return self.numbers().reach(resources, limit)
