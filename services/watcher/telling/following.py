"""Observations of one kind → numbered facts. Pure: the ledger and the answers to a resync live here.

A first listing only fills the ledger: a watcher publishes no lists unasked. A resolver that doubts asks with its
digest: equal → `sync_same`; different → the kind is observed again and *announced*: sync_start, every resource,
sync_end. Later listings (410, an interrupted watch) publish differences only. Everything of one kind passes through
here in order, so changes that happen during a sync stay in order too.

The ledger is changed together with each event, so several events come one by one: whoever stops in the middle has
published exactly what the ledger says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from schemas.events import ResourceEvent, ResourceState, ServedKind, kind_digest
from schemas.identity import ResourceId
from services.watcher.source import Gone, Listed, Listing, Observation, Seen, Unreadable
from services.watcher.telling.ledger import Entry, KindLedger

EMPTY: Final = kind_digest([])  # what a receiver has of a kind that it does not mention
_EVERYTHING: Final = ""  # asked for: the next listing in full, whatever it contains
UNREADABLE_MAX = 1_000  # names kept per kind; beyond that the number alone says enough


class KindFollower:
    """One kind's ledger, the listing that is under way, and the question that is still open."""

    def __init__(self, served: ServedKind, *, announce: bool = False) -> None:
        self.served = served
        self.ledger = KindLedger()
        self.listed = False
        self.reread = False  # until the next listing ends: what is known may read differently now
        self.unreadable: dict[ResourceId, str] = {}
        self.version = ""  # everything up to here was observed
        self._is_listing = False
        self._announcing = False
        self._asked: str | None = _EVERYTHING if announce else None

    # ── the resolver's question ─────────────────────────────────────────────────────────────────────────────────────

    def ask(self, digest: str) -> None:
        """A receiver wants this kind confirmed and has `digest` of it.

        One that has nothing is told everything by the first listing; comparing at its end would cost a second one.
        """
        self._asked = _EVERYTHING if digest == EMPTY and not self.listed else digest

    def answer(self) -> Iterator[ResourceEvent]:
        """Answer the open question if that takes no listing."""
        if self._asked and self.listed and not self._is_listing and self._asked == self.ledger.digest():
            self._asked = None
            yield self._mark("sync_same")

    @property
    def needs_listing(self) -> bool:
        """The open question can only be answered by observing again from now on.

        Not while an announced listing runs: it is followed by another one, so that many questions cannot starve it.
        """
        if self._asked is None or self._announcing:
            return False
        if self._is_listing:
            return self._asked == _EVERYTHING  # a silent listing under way would have to be repeated
        return self.listed

    def announce(self) -> None:
        """The next listing is published in full."""
        self._asked = _EVERYTHING

    def wants(self, resource: ResourceId, uid: str, version: str) -> bool:
        """Whether the content of a resource at this version is needed: only what will be published is.

        A first listing that nobody asked for needs none: it is compared by versions, so a restart is cheap.
        """
        if self._silent:
            return False
        return self._announcing or self.reread or not self.ledger.has(resource, uid, version)

    # ── observations ────────────────────────────────────────────────────────────────────────────────────────────────

    def take(self, observation: Observation) -> Iterable[ResourceEvent]:
        """What the bus must be told because of an observation."""
        match observation:
            case ResourceState():
                return self._put(observation)
            case Seen():
                return self._see(observation)
            case Gone():
                return self._gone(observation)
            case Listing():
                return self._begin()
            case Listed():
                return self._end(observation.version)
            case Unreadable():
                self._note_unreadable(observation)
        return ()

    def refuse(self, unreadable: Unreadable) -> None:
        """A state that was just taken could not be told: it must not count as told."""
        self._note_unreadable(unreadable)

    def dissolve(self) -> Iterator[ResourceEvent]:
        """The kind is not served any more: its resources are gone with it."""
        for resource in list(self.ledger):
            yield self._delete(resource)
        self.listed = self._is_listing = self._announcing = False

    def _put(self, state: ResourceState) -> Iterable[ResourceEvent]:
        resource = state.resource
        self._reach(state.resource_version)
        if self.unreadable:
            self.unreadable.pop(resource, None)
        difference = self.ledger.put(state)
        if difference == "recreated":
            return self._recreate(state)
        if difference == "same" and not self._announcing and not self.reread:
            return ()  # what is read otherwise now has the same content
        return () if self._silent else (ResourceEvent("put", state),)

    def _recreate(self, state: ResourceState) -> Iterator[ResourceEvent]:
        """The old one is another object: say so before the new one takes its name."""
        yield self._delete(state.resource)
        self.ledger.put(state)
        if not self._silent:
            yield ResourceEvent("put", state)

    def _see(self, seen: Seen) -> Iterable[ResourceEvent]:
        """Known at this version, or not to be published: the version alone is kept."""
        self._reach(seen.resource_version)
        self.ledger.name(seen.resource)
        if self.ledger.has(seen.resource, seen.uid, seen.resource_version):
            return ()
        known = self.ledger.find(seen.resource)
        if known is not None and known.uid != seen.uid:
            return self._see_another(seen)
        self.ledger.note(seen.resource, Entry(seen.uid, seen.resource_version))
        return ()

    def _see_another(self, seen: Seen) -> Iterator[ResourceEvent]:
        yield self._delete(seen.resource)
        self.ledger.note(seen.resource, Entry(seen.uid, seen.resource_version))

    def _gone(self, gone: Gone) -> Iterable[ResourceEvent]:
        self._reach(gone.resource_version)
        self.unreadable.pop(gone.resource, None)
        known = self.ledger.find(gone.resource)
        if known is None or (gone.uid and known.uid != gone.uid):
            return ()  # a late word about a predecessor under the same name
        return (self._delete(gone.resource, gone.resource_version),)

    def _begin(self) -> Iterable[ResourceEvent]:
        self.ledger.begin()
        self._is_listing = True
        self.unreadable.clear()
        if not self._announcing and self._asked != _EVERYTHING:
            return ()
        self._announcing, self._asked = True, None
        return (ResourceEvent("sync_start", kind=self.served.kind),)

    def _end(self, version: str) -> Iterator[ResourceEvent]:
        while (gone := self.ledger.take_unnamed()) is not None:  # no list of them: the collector would walk over it
            yield _deletion(*gone)
        self._is_listing, self.listed, self.reread, self.version = False, True, False, version
        if self._announcing:
            self._announcing = False
            yield self._mark("sync_end")
        yield from self.answer()

    def _mark(self, op: Literal["sync_same", "sync_end"]) -> ResourceEvent:
        return ResourceEvent(op, kind=self.served.kind, resource_version=self.version)

    def _reach(self, version: str) -> None:
        """A change was observed. The objects of a listing come in no order: its end says how far it reaches."""
        if not self._is_listing:
            self.version = version

    def _delete(self, resource: ResourceId, version: str = "") -> ResourceEvent:
        return _deletion(resource, self.ledger.remove(resource) or Entry(""), version)

    def _note_unreadable(self, observation: Unreadable) -> None:
        self.ledger.note(observation.resource, Entry(observation.uid))  # not being understood is not being absent
        if len(self.unreadable) < UNREADABLE_MAX or observation.resource in self.unreadable:
            self.unreadable[observation.resource] = observation.reason

    @property
    def _silent(self) -> bool:
        return not self.listed and not self._announcing


def _deletion(resource: ResourceId, known: Entry, version: str = "") -> ResourceEvent:
    return ResourceEvent("delete", resource=resource, uid=known.uid, resource_version=version or known.version)
