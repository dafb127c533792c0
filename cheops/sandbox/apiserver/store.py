"""Objects with their history: put → next version → change → everybody who waits.

    Store ── one version counter ── Collection (per resource) ── Stored objects
                                              └── changes, the last `history_len_max`: watches read on from here

Watches hold a position in the history instead of a queue, so a slow one costs nothing and a lost one is told (410).
Stored objects are never changed: who writes brings a fresh one. Its bytes are made once, when somebody first asks.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, Literal

import msgspec

from cheops.sandbox.apiserver.kinds import CollectionKey

ObjectKey = tuple[str, str]  # namespace ("" for none), name
Object = dict[str, Any]
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]

encode = msgspec.json.Encoder().encode


class Stored:
    """One object at one version."""

    __slots__ = ("_bytes", "object", "version")

    def __init__(self, content: Object, version: int) -> None:
        self.object = content
        self.version = version
        self._bytes = b""

    @property
    def metadata(self) -> Object:
        metadata: Object = self.object["metadata"]
        return metadata

    @property
    def bytes(self) -> bytes:
        if not self._bytes:
            self._bytes = encode(self.object)
        return self._bytes


class Change:
    """What happened at one version. A deletion carries the object as it was, with the version of the deletion."""

    __slots__ = ("key", "now", "previous", "type", "version")

    def __init__(self, kind: ChangeType, key: ObjectKey, now: Stored, previous: Stored | None) -> None:
        self.type, self.key, self.now, self.previous = kind, key, now, previous
        self.version = now.version


class HistoryLostError(Exception):
    """The changes after the asked version are no longer all there. `first_version` still is."""

    def __init__(self, first_version: int) -> None:
        super().__init__(f"history begins after {first_version}")
        self.first_version = first_version


class Collection:
    """All objects of one resource."""

    def __init__(self, key: CollectionKey, history_len_max: int) -> None:
        self.key = key
        self.objects: dict[ObjectKey, Stored] = {}
        self.listeners: set[asyncio.Event] = set()
        self.lost_version = 0  # the last change that is no longer in the history
        self._changes: list[Change] = []
        self._first = 0  # position of the first change that is kept
        self._history_len_max = history_len_max

    def record(self, change: Change) -> None:
        if change.type == "DELETED":
            del self.objects[change.key]
        else:
            self.objects[change.key] = change.now
        self._changes.append(change)
        if len(self._changes) > 2 * self._history_len_max:  # halving seldom is cheaper than dropping one each time
            self.forget(self._history_len_max)
        for listener in self.listeners:
            listener.set()

    def forget(self, keep_len: int = 0) -> None:
        """Drop all but the last changes; older versions cannot be watched or listed any more."""
        dropped = len(self._changes) - keep_len
        if dropped > 0:
            self.lost_version = self._changes[dropped - 1].version
            self._first += dropped
            del self._changes[:dropped]

    def position_after(self, version: int) -> int:
        """Where a watch from `version` begins. Raises HistoryLostError."""
        if version < self.lost_version:
            raise HistoryLostError(self.lost_version)
        return self._first + bisect_right(self._changes, version, key=attrgetter("version"))

    @property
    def end(self) -> int:
        """The position after the last change."""
        return self._first + len(self._changes)

    def changes_from(self, position: int, len_max: int) -> list[Change]:
        """Raises HistoryLostError when the reader was too slow."""
        if position < self._first:
            raise HistoryLostError(self.lost_version)
        start = position - self._first
        return self._changes[start : start + len_max]

    def at(self, version: int) -> dict[ObjectKey, Stored]:
        """The objects as they were. Raises HistoryLostError."""
        start = self.position_after(version) - self._first
        objects = dict(self.objects)
        for change in reversed(self._changes[start:]):
            if change.previous is None:
                objects.pop(change.key, None)
            else:
                objects[change.key] = change.previous
        return objects

    def rewind(self, version: int) -> None:
        """Go back to `version` as if nothing had happened since."""
        self.objects = self.at(version)
        del self._changes[self.position_after(version) - self._first :]
        for listener in self.listeners:
            listener.set()


class Store:
    """All collections. `observers` hear every change at once, before the writer goes on."""

    def __init__(self, history_len_max: int) -> None:
        self.version = 1
        self.observers: list[Callable[[CollectionKey, Change], None]] = []
        self._history_len_max = history_len_max
        self._collections: dict[CollectionKey, Collection] = {}

    def __iter__(self) -> Iterator[Collection]:
        return iter(list(self._collections.values()))

    def collection(self, key: CollectionKey) -> Collection:
        if (found := self._collections.get(key)) is None:
            found = self._collections[key] = Collection(key, self._history_len_max)
        return found

    def get(self, key: CollectionKey, namespace: str, name: str) -> Stored | None:
        return self.collection(key).objects.get((namespace, name))

    def put(self, key: CollectionKey, content: Object) -> Stored:
        """Takes `content` over; it gets its resourceVersion here."""
        collection = self.collection(key)
        object_key = object_key_of(content)
        previous = collection.objects.get(object_key)
        stored = self._next(content)
        self._record(collection, Change("MODIFIED" if previous else "ADDED", object_key, stored, previous))
        return stored

    def remove(self, key: CollectionKey, namespace: str, name: str) -> Stored:
        collection = self.collection(key)
        previous = collection.objects[namespace, name]
        last = self._next({**previous.object, "metadata": dict(previous.metadata)})
        self._record(collection, Change("DELETED", (namespace, name), last, previous))
        return last

    def forget(self) -> None:
        """Drop all history, as a compaction does."""
        for collection in self:
            collection.forget()

    def rewind(self, version: int) -> None:
        """Go back in time, as after a failover to an old copy. Raises HistoryLostError, having changed nothing."""
        for collection in self:
            collection.position_after(version)
        for collection in self:
            collection.rewind(version)
        self.version = version

    def _next(self, content: Object) -> Stored:
        self.version += 1
        content["metadata"]["resourceVersion"] = str(self.version)
        return Stored(content, self.version)

    def _record(self, collection: Collection, change: Change) -> None:
        collection.record(change)
        for observer in self.observers:
            observer(collection.key, change)


def copy_of(value: Any) -> Any:
    """A deep copy of what JSON can hold, several times faster than copy.deepcopy."""
    if isinstance(value, dict):
        return {name: copy_of(below) for name, below in value.items()}
    if isinstance(value, list):
        return [copy_of(item) for item in value]
    return value


def object_key_of(content: Object) -> ObjectKey:
    metadata = content["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
