"""Puts → the graph: those of a batch in one go, or one alone. Pure. (Compiled, quick.py does the first.)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.events import ResourceState
from services.resolver.graph.changed import Changed
from services.resolver.graph.columns import Columns
from services.resolver.graph.digests import Digests, Told
from services.resolver.graph.kept import Record, Same
from services.resolver.graph.linking import Linking
from services.resolver.graph.names import Names
from services.resolver.graph.reading import Read, Reading
from services.resolver.graph.records import Records
from services.resolver.graph.states import States
from services.resolver.graph.sweeping import Listings

Seen = list[tuple[int, Sequence[Changed]]]  # by their places: what may take something away, or tells a drift
Taken = tuple[int, Seen]  # how many are new


class Inside(NamedTuple):
    """What puts change in one graph."""

    names: Names
    records: Records
    reading: Reading
    linking: Linking
    digests: Digests
    listings: Listings
    states: States


class Taking:
    """Of one graph."""

    def __init__(self, inside: Inside) -> None:
        self._names, self._records, self._reading, self._linking, self._digests, self._listings, self._states = inside
        self._rows = self._records.rows

    def puts(self, batch: Read, puts: Columns, first: int) -> Taken:
        """Those of a batch which stand one after the other, from place `first` on."""
        numbers, records = self._reading.records(batch, puts)
        self.grow()
        told: list[Told] = []
        fresh: dict[Same, Record] = {}
        seen: Seen = []
        added = 0
        told_of = (puts.resource, puts.uid, puts.resource_version, puts.traits)
        each = enumerate(zip(numbers, records, *told_of, strict=True), first)
        for place, (number, new, resource, uid, version, traits) in each:
            old = self._rows[number]
            if self._listings.under_way:
                self._listings.name(self._names.kind(number), number)
            if old == new:
                continue
            told.append((number, uid, version, old is None))
            if old is not None and new.is_later(old) and traits not in batch.drifting:
                self._rows[number] = new  # found by all that the former one is found by
                self._states.forget(number)
                continue
            added += self._replace(number, old, new, fresh)
            if old is not None or traits in batch.drifting:
                change = Changed(resource, old, new, self._records)
                if traits in batch.drifting or change.may_take_away:
                    seen.append((place, (change,)))
        added += self._link(fresh)
        self._digests.put_all(told, self._names.place)
        return added, seen

    def put(self, states: Iterable[ResourceState]) -> tuple[int, list[Changed]]:
        """Plain ones: how many are new, and what changed."""
        told: list[Told] = []
        fresh: dict[Same, Record] = {}
        changed: list[Changed] = []
        added = 0
        for state in states:
            number = self._names.number(state.resource)
            new = self._records.pack(state)
            self.grow()
            if self._listings.under_way:
                self._listings.name(self._names.kind(number), number)
            old = self._rows[number]
            if old == new:
                continue
            told.append((number, state.uid, state.resource_version, old is None))
            added += self._replace(number, old, new, fresh)
            changed.append(Changed(state.resource, old, new, self._records))
        added += self._link(fresh)
        self._digests.put_all(told, self._names.place)
        return added, changed

    def _replace(self, number: Same, old: Record | None, new: Record, fresh: dict[Same, Record]) -> int:
        """`fresh`: what is there, and not linked yet."""
        added = self._link(fresh) if number in fresh else 0  # told twice in one batch
        self._rows[number] = new
        if old is None:
            fresh[number] = new
        else:
            self._states.forget(number)
            self._linking.relink(number, old, new)
        return added

    def _link(self, fresh: dict[Same, Record]) -> int:
        added = len(fresh)
        self._linking.link_all(fresh)
        fresh.clear()
        return added

    def grow(self) -> None:
        """A row for each number."""
        if more := len(self._names) - len(self._rows):
            self._rows.extend([None] * more)
            self._linking.links.grow(more)
