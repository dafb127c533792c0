"""Events → the live graph of one site; `apply`, and `take` for a whole batch, are the only mutations. Pure.

References to what is not there are edges to a missing node. A repeated event changes nothing, a deletion of another uid
changes nothing, and a put replaces what was known of the resource, so any shuffle or repetition of a log that keeps
each object's own order ends in the same graph. Ordering by sequence number is the caller's (evidence.py).

Inside, a resource is a number: `names` numbers it, `records` holds what is known of it, `edges` who names it,
`label_index` who selects it. States are made when they are asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import structs

from schemas.batches import Fact, event_of
from schemas.events import Reference, ResourceEvent, ResourceState
from schemas.identity import KindId, ResourceId, SiteName
from schemas.kinds import Surface
from services.resolver.graph.changed import Changed
from services.resolver.graph.columns import NO_COLUMNS, columns_of
from services.resolver.graph.digests import Digests
from services.resolver.graph.kept import Record
from services.resolver.graph.linking import Linking
from services.resolver.graph.names import NOWHERE, Names
from services.resolver.graph.numbers import Numbers
from services.resolver.graph.parts import Parts
from services.resolver.graph.quick import Quick
from services.resolver.graph.reading import Read, Reading
from services.resolver.graph.records import Records
from services.resolver.graph.relations import Relations
from services.resolver.graph.states import States
from services.resolver.graph.sweeping import Listings
from services.resolver.graph.taking import Inside, Taking
from services.resolver.graph.view import WALK_MAX, Dependents, Edge, Reach, Targets, Which, owner_by_references

UNUSED_MAX: Final = 8_192  # numbers that may wait to be forgotten
BELONGINGS: Final = (  # all that a graph has
    *("site", "surface", "resource_count", "keeps_numbers", "listings", "parts", "_names", "_records", "_record"),
    *("_reading", "_taking", "_quick", "_linking", "_links", "_selecting", "_states", "_digests", "_relations"),
)


class Graph:
    """The knowledge of one site (a `View`)."""

    def __init__(self, site: SiteName) -> None:
        self.site = site
        self.surface = Surface()
        self.resource_count = 0
        self._names = Names()
        self._records = Records(self._names)
        self._record = self._records.rows
        self._reading = Reading(self._names, self._records)
        self._linking = Linking(self._names, self._records)
        self._links, self._selecting = self._linking.links, self._linking.selecting
        self._states = States(self._names, self._records)
        self.listings = Listings()
        self._digests = Digests()
        self.parts = Parts(self._names, self._records, self._links, self._selecting, self._digests)
        own = (self._names, self._records, self._reading, self._linking, self._digests, self.listings, self._states)
        inside = Inside(*own)
        self._taking, self._quick = Taking(inside), Quick(inside)
        self._relations = Relations(self.parts)
        self.keeps_numbers = False  # somebody copies it: no number is handed out again meanwhile

    # ── mutation ────────────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, event: ResourceEvent) -> Sequence[Changed]:
        """Take one event in; says what changed, nothing when it said nothing new."""
        match event.op:
            case "put":
                assert event.state is not None, "a put carries a state"
                return self.put((event.state,))
            case "delete":
                self._make_room()
                return self._delete(event.resource, event.uid)
            case "surface":
                self.surface = Surface(event.surface)
            case "sync_start":
                self.listings.start(event.kind)
            case "sync_end":
                self.listings.end(event.kind, self._digests.count(event.kind), lambda: self._numbers_of(event.kind))
                return self.sweep()
            case "sync_same":
                self.listings.drop(event.kind)  # one that broke off is never ended
        return ()

    def read(self, payload: bytes) -> Read:
        """Bytes of a batch → what `take` takes, before anything else changes the graph. Raises MessageError."""
        if self._records.crowded or self._is_full(UNUSED_MAX):
            self._tidy()
        return self._quick.read(payload) or self._reading.read(payload)

    def take(self, batch: Read, facts: Sequence[Fact]) -> Iterator[tuple[int, Sequence[Changed]]]:
        """As `apply`, quicker; yields place and changes of what is no put, may take something away or tells a drift."""
        if batch.lines is not None and len(facts) != len(batch.events):
            batch = self._reading.read(batch.lines.payload)  # seen in part: taken in the plain way
        columns, others = NO_COLUMNS, batch.lines.others if batch.lines is not None else []
        if batch.lines is None:
            columns = batch.columns if len(facts) == len(batch.events) else columns_of(facts)
            others = [place for place, op in enumerate(columns.op) if op != "put"]
        first = 0
        for place in (*others, len(facts)):
            if batch.lines is not None:
                added, seen = self._quick.puts(batch, first, place)
            else:
                added, seen = self._taking.puts(batch, columns.between(first, place), first)
            self.resource_count += added
            yield from seen
            if place < len(facts):
                yield place, self.apply(event_of(facts[place]))
            first = place + 1

    def put(self, states: Iterable[ResourceState]) -> Sequence[Changed]:
        """As so many events would, quicker. (Dependents may be met in another order where one is told twice.)"""
        if self._records.crowded or self._is_full(UNUSED_MAX):
            self._tidy()  # also before what says nothing new: a listing names as many references as the first one
        added, changed = self._taking.put(states)
        self.resource_count += added
        return changed

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
        self.listings.forget(kind, number)
        self._states.forget(number)
        self.resource_count -= 1
        self._linking.unlink(number, old)
        return (Changed(resource, old, None, self._records),)

    def sweep(self) -> Sequence[Changed]:
        """Delete the next slice of what listings did not name, while there is any (`listings.swept`)."""
        self._make_room()
        gone = self.listings.gone(self._is_there)
        return [changed for number in gone for changed in self._delete(self._names.resource(number), "")]

    def _is_there(self, kind: KindId, number: int) -> bool:
        return self._record[number] is not None and self._names.kind(number) == kind

    def _numbers_of(self, kind: KindId) -> Iterator[int]:
        for numbers in self._names.members(kind):
            yield from numbers

    def _is_full(self, unused_max: int) -> bool:
        return len(self._linking.unused) > unused_max and not self.keeps_numbers

    def _tidy(self) -> None:
        """Forget what nobody uses, before something changes: `Changed.old` of what did before was looked at by then."""
        if self._records.tidy():
            self._reading.forget()
        self._forget_unused()

    def _make_room(self) -> None:
        """The same of numbers alone: in the midst of a batch its labels and shapes count as used."""
        if self._is_full(2 * UNUSED_MAX):
            self._forget_unused()

    def _forget_unused(self) -> None:
        if self.keeps_numbers:
            return
        self._records.forget_recent()
        self._reading.forget_numbers()
        unused, self._linking.unused = self._linking.unused, []
        for number in set(unused):
            if self._record[number] is None and not self._links.names(number):
                self._names.forget(number)

    def become(self, other: Graph) -> None:
        """What another graph is, which nobody uses any more: one that was restored."""
        for name in BELONGINGS:
            setattr(self, name, getattr(other, name))

    # ── questions ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def edge_count(self) -> int:
        """How many references there are."""
        return self._links.edge_count

    def missing(self) -> Iterator[int]:
        """Things that are needed by name and not there: how many, slice by slice (a walk over all that is known)."""
        return self._links.missing()

    def find(self, resource: ResourceId) -> ResourceState | None:
        """The state, or None."""
        return self._states.find(resource)

    def record(self, resource: ResourceId) -> Record | None:
        """What is kept of it: the very same as long as its state is."""
        number = self._names.find(resource)
        return None if number == NOWHERE else self._record[number]

    def _present(self, kind: KindId, namespace: str | None = None) -> Iterator[int]:
        for numbers in self._names.members(kind, namespace):
            for number in numbers:
                if self._record[number] is not None:
                    yield number

    def kinds(self) -> list[KindId]:
        """Kinds of which something is there."""
        return sorted(filter(self._digests.count, self._names.kinds()))

    def digest(self, kind: KindId) -> str:
        """What the watcher compares before a resync."""
        return self._digests.digest(kind)

    def members(self, kind: KindId, namespace: str | None = None) -> Iterator[ResourceId]:
        """Present resources of a kind."""
        yield from map(self._names.resource, self._present(kind, namespace))

    def identities(self, namespace: str | None = None) -> Iterator[ResourceId]:
        """Everything that is there, in one namespace or everywhere."""
        for kind in self.kinds():
            yield from self.members(kind, namespace)

    def bearing(self, fact: str) -> Iterator[list[ResourceState]]:
        """Resources of which this fact is known, slice by slice: some milliseconds between two of them."""
        for numbers in self._records.bearing(fact):
            yield [*filter(None, map(self.find, map(self._names.resource, numbers)))]

    def resources(self) -> Iterator[ResourceState]:
        """Everything that is there, with its state."""
        for number, record in enumerate(self._record):
            if record is not None:
                yield self._records.unpack(self._names.resource(number), record)

    def owner(self, resource: ResourceId) -> ResourceId | None:
        """See View."""
        return owner_by_references(self, resource)

    def held_by(self, resource: ResourceId) -> str | None:
        """Nothing is in flight in what was observed."""
        return None

    def targets(self, source: ResourceId, reference: Reference) -> Targets:
        """By name (and uid), or through the label index."""
        return self._relations.targets(reference)

    def selecting(self, state: ResourceState) -> list[Edge]:
        """The selector edges that would lead to it, were it there: who misses it when it is gone."""
        number = self._names.number(state.resource)
        record = self._records.pack(structs.replace(state, references=()))
        self._taking.grow()
        self._linking.unused.append(number)
        return [edge for _, edge in self._selecting.selecting(number, state.resource, record)]

    def numbers(self) -> Numbers:
        """The same graph by number, for one decision."""
        return Numbers(self._names, self._records, self._links, self._selecting)

    def dependents(self, resource: ResourceId, limit: int = WALK_MAX, which: Which = "all") -> Dependents:
        """Edges by name from the reverse indexes, edges by selector from the label index; counts are exact."""
        return self._relations.dependents(resource, limit, which)

    def needing(self, resource: ResourceId, granules: AbstractSet[str]) -> list[Edge]:
        """Every edge by name that needs one of these parts of a resource."""
        return self._relations.needing(resource, granules)

    def reach(self, resources: Collection[ResourceId], limit: int = WALK_MAX) -> Reach:
        """How many depend on these resources, transitively, up to `limit`."""
        return self.numbers().reach(resources, limit)
