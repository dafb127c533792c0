"""What workload controllers share: their children, found by owner uid, and how children are made from a template."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.kinds import CollectionKey, Kind
from cheops.sandbox.apiserver.realm import SUFFIX_LETTERS, Realm
from cheops.sandbox.apiserver.store import Change, Object, Stored, copy_of

PODS = CollectionKey("", "pods")
HASH_LEN = 10


@dataclass(slots=True)
class Children:
    """Controlled objects of one resource, by the uid of their controller."""

    realm: Realm
    collection: CollectionKey
    _keys: dict[str, set[tuple[str, str]]]

    @classmethod
    def of(cls, realm: Realm, collection: CollectionKey) -> Children:
        return cls(realm, collection, {})

    def note(self, collection: CollectionKey, change: Change) -> Object | None:
        """Keep the index; gives the reference to the controller of a changed child."""
        if collection != self.collection or (owner := controller_of(change.now.object)) is None:
            return None
        keys = self._keys.setdefault(owner["uid"], set())
        if change.type == "DELETED":
            keys.discard(change.key)
        else:
            keys.add(change.key)
        return owner

    def living(self, owner_uid: str) -> list[Stored]:
        """In the order of their names; those that are ending do not count."""
        return [stored for stored in self.all(owner_uid) if "deletionTimestamp" not in stored.metadata]

    def all(self, owner_uid: str) -> list[Stored]:
        found = (self.realm.store.get(self.collection, *key) for key in sorted(self._keys.get(owner_uid, ())))
        return [stored for stored in found if stored is not None]


def controller_of(content: Object) -> Object | None:
    references: list[Object] = content["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def owner_key(kind: Kind, change: Change, owner: Object | None) -> Iterator[Key]:
    """The controller of a child, when it is of this kind."""
    if owner is not None and owner["kind"] == kind.kind and owner["apiVersion"] == kind.api_version:
        yield kind.collection, (change.key[0], owner["name"])


def reference_to(kind: Kind, owner: Stored) -> Object:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": owner.metadata["name"],
        "uid": owner.metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def child_of(kind: Kind, owner: Stored, template: Object, metadata: Object) -> Object:
    """A pod, claim or replica set as the template says, controlled by the owner."""
    content: Object = copy_of(template)
    merged = content.setdefault("metadata", {})
    labels = {**(merged.get("labels") or {}), **metadata.pop("labels", {})}
    merged |= metadata
    merged["labels"] = labels
    merged["namespace"] = owner.metadata.get("namespace", "")
    merged["ownerReferences"] = [reference_to(kind, owner)]
    return content


def template_hash(template: Object) -> str:
    """The same for the same template, without a sequence that could be a word."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(SUFFIX_LETTERS[byte % len(SUFFIX_LETTERS)] for byte in digest[:HASH_LEN])


def is_ready(pod: Stored) -> bool:
    conditions = (pod.object.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def phase(pod: Stored) -> str:
    return str((pod.object.get("status") or {}).get("phase", ""))
