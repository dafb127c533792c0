"""Garbage collection by owner: what all of whose owners are gone goes too.

    background   the owner goes, then its dependents
    foreground   dependents that block it go first (finalizer foregroundDeletion)
    orphan       dependents lose the reference, then the owner goes (finalizer orphan)

Owners are meant by uid: one of the same name that came later is another one.
"""

from __future__ import annotations

from collections.abc import Iterable

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.kinds import CollectionKey, Kind
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.store import Change, Object, Stored

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


class GarbageCollector:
    """Always works: without it, deleting means something else."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._hands = Hands(realm)
        self._dependents: dict[str, dict[Key, None]] = {}  # owner's uid → what refers to it
        self._present: dict[str, Key] = {}

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        key, metadata = (collection, change.key), change.now.metadata
        self._index(key, change)
        owners = metadata.get("ownerReferences") or ()
        if change.type == "DELETED":
            yield from self._dependents.get(metadata["uid"], ())
            yield from (self._present[owner["uid"]] for owner in owners if owner["uid"] in self._present)
        elif owners or "deletionTimestamp" in metadata:
            yield key
            if FOREGROUND in (metadata.get("finalizers") or ()):
                yield from self._dependents.get(metadata["uid"], ())

    def reconcile(self, key: Key) -> None:
        collection, (namespace, name) = key
        stored, kind = self._realm.store.get(collection, namespace, name), self._hands.stored_kind(collection)
        if stored is None or kind is None:
            return
        finalizers = stored.metadata.get("finalizers") or []
        if "deletionTimestamp" in stored.metadata:
            if ORPHAN in finalizers:
                self._orphan(kind, stored)
            elif FOREGROUND in finalizers:
                self._end_when_free(kind, stored)
            return
        self._collect(kind, stored)

    def _collect(self, kind: Kind, stored: Stored) -> None:
        """Delete it when no owner is left; drop references to those that are gone."""
        owners = stored.metadata.get("ownerReferences") or []
        left = [owner for owner in owners if owner["uid"] in self._present]
        solid = [owner for owner in left if not self._is_waiting(owner["uid"])]
        if not owners or len(solid) == len(owners):
            return
        if solid:
            self._hands.set_metadata(kind, stored, ownerReferences=solid)
        elif left and self._dependents.get(stored.metadata["uid"]):
            self._hands.delete(kind, stored, "Foreground")
        else:
            self._hands.delete(kind, stored, "Background")

    def _orphan(self, kind: Kind, owner: Stored) -> None:
        uid = owner.metadata["uid"]
        for dependent_kind, dependent in self._found(uid):
            references = dependent.metadata.get("ownerReferences") or ()
            left = [reference for reference in references if reference["uid"] != uid]
            self._hands.set_metadata(dependent_kind, dependent, ownerReferences=left)
        self._drop_finalizer(kind, owner, ORPHAN)

    def _end_when_free(self, kind: Kind, owner: Stored) -> None:
        uid = owner.metadata["uid"]
        blocking = [dependent for _, dependent in self._found(uid) if _blocks(dependent.object, uid)]
        if not blocking:
            self._drop_finalizer(kind, owner, FOREGROUND)

    def _drop_finalizer(self, kind: Kind, stored: Stored, finalizer: str) -> None:
        left = [name for name in stored.metadata["finalizers"] if name != finalizer]
        self._hands.set_metadata(kind, stored, finalizers=left)

    def _is_waiting(self, uid: str) -> bool:
        """Whether the owner waits for its dependents to go."""
        collection, (namespace, name) = self._present[uid]
        stored = self._realm.store.get(collection, namespace, name)
        if stored is None or "deletionTimestamp" not in stored.metadata:
            return False
        return FOREGROUND in (stored.metadata.get("finalizers") or ())

    def _found(self, owner_uid: str) -> list[tuple[Kind, Stored]]:
        found = []
        for collection, (namespace, name) in list(self._dependents.get(owner_uid, ())):
            stored = self._realm.store.get(collection, namespace, name)
            kind = self._hands.stored_kind(collection)
            if stored is not None and kind is not None:
                found.append((kind, stored))
        return found

    def _index(self, key: Key, change: Change) -> None:
        before = _owner_uids(change.previous.object) if change.previous else ()
        now = _owner_uids(change.now.object) if change.type != "DELETED" else ()
        for uid in before:
            if uid not in now and key in (known := self._dependents.get(uid, {})):
                del known[key]
                if not known:
                    del self._dependents[uid]
        for uid in now:
            self._dependents.setdefault(uid, {})[key] = None
        if change.type == "DELETED":
            self._present.pop(change.now.metadata["uid"], None)
        elif change.type == "ADDED":
            self._present[change.now.metadata["uid"]] = key


def _owner_uids(content: Object) -> tuple[str, ...]:
    references = content["metadata"].get("ownerReferences")
    return tuple(reference["uid"] for reference in references) if references else ()


def _blocks(content: Object, owner_uid: str) -> bool:
    references = content["metadata"].get("ownerReferences") or ()
    return any(reference["uid"] == owner_uid and reference.get("blockOwnerDeletion") for reference in references)
