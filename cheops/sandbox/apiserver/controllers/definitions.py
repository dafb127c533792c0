"""Custom resource definitions: served at once, established, cleaned up when they go.

Serving is not left to the loop: who created a definition may use it in the very next request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.kinds import ALL_VERBS, CollectionKey, Kind
from cheops.sandbox.apiserver.realm import Realm, now_text
from cheops.sandbox.apiserver.schema.custom import shape_of_schema
from cheops.sandbox.apiserver.store import Change, Object, Stored
from cheops.sandbox.apiserver.writing.delete import CLEANUP_FINALIZER

DEFINITIONS = CollectionKey("apiextensions.k8s.io", "customresourcedefinitions")


class DefinitionController:
    """Always works."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._hands = Hands(realm, "kube-apiserver")
        self._kind = realm.kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        if collection == DEFINITIONS:
            self._serve(change)
            if change.type != "DELETED":
                yield collection, change.key
        elif change.type == "DELETED" and "." in collection.group:
            yield DEFINITIONS, ("", f"{collection.plural}.{collection.group}")

    def reconcile(self, key: Key) -> None:
        definition = self._realm.store.get(key[0], *key[1])
        if definition is None:
            return
        if "deletionTimestamp" in definition.metadata:
            self._clean_up(definition)
        else:
            self._hands.set_status(self._kind, definition, _established(definition.object))

    def _serve(self, change: Change) -> None:
        spec = change.now.object["spec"]
        self._realm.stop_serving(spec["group"], spec["names"]["plural"])
        if change.type != "DELETED":
            for kind, schema in _kinds(change.now.object):
                self._realm.serve(kind, shape_of_schema(kind.kind, schema))

    def _clean_up(self, definition: Stored) -> None:
        spec = definition.object["spec"]
        collection = CollectionKey(spec["group"], spec["names"]["plural"])
        kind = self._hands.stored_kind(collection)
        objects = self._realm.store.collection(collection).objects
        if objects:
            definition = self._hands.set_status(self._kind, definition, _terminating(definition.object))
        if kind is not None:
            for stored in list(objects.values()):
                if "deletionTimestamp" not in stored.metadata:
                    self._hands.delete(kind, stored)
        finalizers = definition.metadata.get("finalizers") or []
        if not objects and CLEANUP_FINALIZER in finalizers:
            left = [name for name in finalizers if name != CLEANUP_FINALIZER]
            self._hands.set_metadata(self._kind, definition, finalizers=left)


def _kinds(definition: Object) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """The served versions, the one that the real server prefers first, with their schemas."""
    spec, names = definition["spec"], definition["spec"]["names"]
    storage = next((version["name"] for version in spec["versions"] if version.get("storage")), "")
    ending = "deletionTimestamp" in definition["metadata"]
    for version in sorted(spec["versions"], key=lambda version: _preference(version["name"])):
        if not version.get("served"):
            continue
        subresources = version.get("subresources") or {}
        kind = Kind(
            group=spec["group"],
            version=version["name"],
            plural=names["plural"],
            kind=names["kind"],
            singular=names.get("singular") or names["kind"].lower(),
            namespaced=spec.get("scope") != "Cluster",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources=tuple(name for name in ("status", "scale") if name in subresources),
            verbs=tuple(verb for verb in ALL_VERBS if not (ending and verb == "create")),
            has_generation=True,
            returns_deleted=False,
            needs_version=True,
            stored_as=f"{spec['group']}/{storage}",
            custom=True,
            columns=tuple(
                (column["name"], column["type"], column["jsonPath"], column.get("priority", 0))
                for column in version.get("additionalPrinterColumns") or ()
            ),
        )
        yield kind, (version.get("schema") or {}).get("openAPIV3Schema") or {}


def _preference(version: str) -> tuple[int, int, int, str]:
    """v2 before v1 before v1beta2 before v1alpha1 before anything else."""
    for stage, word in enumerate(("", "beta", "alpha")):
        major, found, minor = version[1:].partition(word) if word else (version[1:], "", "0")
        if version[:1] == "v" and major.isdecimal() and minor.isdecimal() and (found or not word):
            return stage, -int(major), -int(minor), ""
    return 3, 0, 0, version


def _established(definition: Object) -> Object:
    spec = definition["spec"]
    known = definition.get("status") or {}
    if known.get("conditions") and known.get("acceptedNames") == spec["names"]:
        return known
    storage = [version["name"] for version in spec["versions"] if version.get("storage")]
    conditions = [
        _condition("NamesAccepted", "NoConflicts", "no conflicts found"),
        _condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ]
    return {"acceptedNames": spec["names"], "conditions": conditions, "storedVersions": storage}


def _terminating(definition: Object) -> Object:
    known = definition.get("status") or {}
    conditions = known.get("conditions") or []
    if any(one["type"] == "Terminating" for one in conditions):
        return known
    condition = _condition("Terminating", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
    return {**known, "conditions": [*conditions, condition]}


def _condition(kind: str, reason: str, message: str) -> Object:
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now_text()}
