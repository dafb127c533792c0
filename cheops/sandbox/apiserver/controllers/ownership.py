"""What workload controllers share: their children, found by owner uid, and how children are made from a template."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.kinds import CollectionKey, Kind
from cheops.sandbox.apiserver.realm import SUFFIX_LETTERS, Realm
from cheops.sandbox.apiserver.store import Change, Object, ObjectKey, Stored, copy_of

PODS = CollectionKey("", "pods")
HASH_LEN = 10


@dataclass(slots=True)
class Children:
    """Controlled objects of one resource, by the uid of their controller; and those that nobody controls."""

    realm: Realm
    collection: CollectionKey
    _keys: dict[str, set[ObjectKey]]
    _orphans: dict[str, set[ObjectKey]]  # by namespace

    @classmethod
    def of(cls, realm: Realm, collection: CollectionKey) -> Children:
        return cls(realm, collection, {}, {})

    def note(self, collection: CollectionKey, change: Change) -> Object | None:
        """Keep the index; gives the reference to the controller of a changed child."""
        if collection != self.collection:
            return None
        before = controller_of(change.previous.object) if change.previous is not None else None
        self._place(before, change.key).discard(change.key)
        owner = controller_of(change.now.object)
        if change.type != "DELETED":
            self._place(owner, change.key).add(change.key)
        return owner

    def living(self, owner_uid: str) -> list[Stored]:
        """In the order of their names; those that are ending do not count."""
        return [stored for stored in self.all(owner_uid) if "deletionTimestamp" not in stored.metadata]

    def all(self, owner_uid: str) -> list[Stored]:
        return self._found(self._keys.get(owner_uid, ()))

    def claim(self, hands: Hands, kind: Kind, owner: Stored, child_kind: Kind) -> None:
        """Let go of what the selector no longer selects; adopt what it selects and nobody controls."""
        selector = owner.object["spec"].get("selector") or {}
        if "deletionTimestamp" in owner.metadata or not selector:
            return
        for child in self.living(owner.metadata["uid"]):
            if not selects(selector, child.metadata.get("labels") or {}):
                references = child.metadata["ownerReferences"]
                left = [reference for reference in references if reference["uid"] != owner.metadata["uid"]]
                hands.set_metadata(child_kind, child, ownerReferences=left)
        for child in self._found(self._orphans.get(owner.metadata["namespace"], ())):
            ending = "deletionTimestamp" in child.metadata
            if not ending and selects(selector, child.metadata.get("labels") or {}):
                references = [*(child.metadata.get("ownerReferences") or ()), reference_to(kind, owner)]
                hands.set_metadata(child_kind, child, ownerReferences=references)

    def _place(self, owner: Object | None, key: ObjectKey) -> set[ObjectKey]:
        if owner is None:
            return self._orphans.setdefault(key[0], set())
        return self._keys.setdefault(owner["uid"], set())

    def _found(self, keys: Iterable[ObjectKey]) -> list[Stored]:
        found = (self.realm.store.get(self.collection, *key) for key in sorted(keys))
        return [stored for stored in found if stored is not None]


def selects(selector: Object, labels: Object) -> bool:
    """A label selector of a workload; a replication controller's is a plain map."""
    if not {"matchLabels", "matchExpressions"} & selector.keys():
        return selector.items() <= labels.items()
    if not (selector.get("matchLabels") or {}).items() <= labels.items():
        return False
    return all(_meets(expression, labels) for expression in selector.get("matchExpressions") or ())


def _meets(expression: Object, labels: Object) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
    return key not in labels


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
