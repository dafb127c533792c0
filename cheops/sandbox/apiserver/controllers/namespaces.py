"""Namespaces: a new one gets what every namespace has; one that is deleted is emptied, then removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.kinds import CollectionKey, Kind
from cheops.sandbox.apiserver.realm import Realm, now_text
from cheops.sandbox.apiserver.store import Change, Object, Stored

NAMESPACES = CollectionKey("", "namespaces")
FURNITURE = (
    (CollectionKey("", "serviceaccounts"), "default"),
    (CollectionKey("", "configmaps"), "kube-root-ca.crt"),
)
CERTIFICATE_NOTE = "Contains a CA bundle that can be used to verify the kube-apiserver"


class NamespaceController:
    """Always works: without it no namespace would ever end."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._hands = Hands(realm)
        self._kind = realm.kind("v1", "Namespace")

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        if collection == NAMESPACES:
            if change.type != "DELETED":
                yield collection, change.key
        elif change.key[0]:
            namespace = self._realm.store.get(NAMESPACES, "", change.key[0])
            lost = change.type == "DELETED" and (collection, change.key[1]) in FURNITURE
            if namespace is not None and (lost or "deletionTimestamp" in namespace.metadata):
                yield NAMESPACES, ("", change.key[0])

    def reconcile(self, key: Key) -> None:
        namespace = self._realm.store.get(*key[:1], *key[1])
        if namespace is None:
            return
        if "deletionTimestamp" in namespace.metadata:
            self._empty(namespace)
        else:
            self._furnish(namespace.metadata["name"])

    def _furnish(self, name: str) -> None:
        account, config = self._realm.kind("v1", "ServiceAccount"), self._realm.kind("v1", "ConfigMap")
        if self._realm.get(account, name, "default") is None:
            self._hands.create(account, {"metadata": {"name": "default", "namespace": name}})
        if self._realm.get(config, name, "kube-root-ca.crt") is None:
            annotations = {"kubernetes.io/description": CERTIFICATE_NOTE}
            metadata = {"name": "kube-root-ca.crt", "namespace": name, "annotations": annotations}
            self._hands.create(config, {"metadata": metadata, "data": {"ca.crt": "the sandbox speaks plain HTTP\n"}})

    def _empty(self, namespace: Stored) -> None:
        name = namespace.metadata["name"]
        for kind, stored in self._content(name):
            if "deletionTimestamp" not in stored.metadata:
                self._hands.delete(kind, stored)
        left = list(self._content(name))
        namespace = self._report(namespace, left)
        if not left and namespace.object["spec"].get("finalizers"):
            self._hands.update(self._kind, namespace, {**namespace.object, "spec": {}}, "finalize")

    def _content(self, namespace: str) -> Iterator[tuple[Kind, Stored]]:
        for collection in self._realm.store:
            kind = self._hands.stored_kind(collection.key)
            if kind is not None and kind.namespaced:
                for key, stored in list(collection.objects.items()):
                    if key[0] == namespace:
                        yield kind, stored

    def _report(self, namespace: Stored, left: list[tuple[Kind, Stored]]) -> Stored:
        """What keeps it from ending, where somebody would look for it."""
        kinds = Counter(f"{kind.plural}.{kind.group}" for kind, _ in left)
        finalizers = Counter(name for _, stored in left for name in stored.metadata.get("finalizers") or ())
        remaining = f"Some resources are remaining: {_counted(kinds, ' has ')}" if left else ""
        waiting = ""
        if finalizers:
            waiting = f"Some content in the namespace has finalizers remaining: {_counted(finalizers, ' in ')}"
        conditions = [
            _condition("NamespaceContentRemaining", "SomeResourcesRemain", "ContentRemoved", remaining),
            _condition("NamespaceFinalizersRemaining", "SomeFinalizersRemain", "ContentHasNoFinalizers", waiting),
        ]
        if not left:
            return namespace
        known = {one["type"]: one for one in namespace.object["status"].get("conditions", ())}
        for condition in conditions:
            before = known.get(condition["type"], {})
            same = before.get("status") == condition["status"]
            condition["lastTransitionTime"] = before["lastTransitionTime"] if same else now_text()
        status = {**namespace.object["status"], "conditions": conditions}
        return self._hands.set_status(self._kind, namespace, status)


def _counted(counts: Counter[str], word: str) -> str:
    return ", ".join(f"{name}{word}{count} resource instances" for name, count in sorted(counts.items()))


def _condition(kind: str, reason: str, otherwise: str, message: str) -> Object:
    status, why = ("True", reason) if message else ("False", otherwise)
    return {"type": kind, "status": status, "reason": why, "message": message or "All content successfully removed"}
