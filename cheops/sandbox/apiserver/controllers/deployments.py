"""Deployments: one replica set per template; the old ones end when the new one is ready."""

from __future__ import annotations

from collections.abc import Iterable

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.controllers.ownership import Children, child_of, owner_key, template_hash
from cheops.sandbox.apiserver.kinds import CollectionKey
from cheops.sandbox.apiserver.realm import Realm, now_text
from cheops.sandbox.apiserver.store import Change, Object, Stored

REPLICA_SETS = CollectionKey("apps", "replicasets")
HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"


class DeploymentController:
    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._hands = Hands(realm)
        self._kind, self._set_kind = realm.kind("apps/v1", "Deployment"), realm.kind("apps/v1", "ReplicaSet")
        self._sets = Children.of(realm, REPLICA_SETS)

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        if collection == self._kind.collection and change.type != "DELETED":
            yield collection, change.key
        yield from owner_key(self._kind, change, self._sets.note(collection, change))

    def reconcile(self, key: Key) -> None:
        deployment = self._realm.store.get(key[0], *key[1])
        if deployment is None or "deletionTimestamp" in deployment.metadata:
            return
        self._sets.claim(self._hands, self._kind, deployment, self._set_kind)
        sets = self._sets.living(deployment.metadata["uid"])
        mark = template_hash(deployment.object["spec"]["template"])
        current = next((one for one in sets if one.metadata["labels"].get(HASH_LABEL) == mark), None)
        old = [one for one in sets if one is not current]
        if not deployment.object["spec"].get("paused"):
            current = self._roll(deployment, current, old, mark)
            deployment = self._note_revision(deployment, current)
        self._report(deployment, current, self._sets.living(deployment.metadata["uid"]))

    def _roll(self, deployment: Stored, current: Stored | None, old: list[Stored], mark: str) -> Stored:
        spec = deployment.object["spec"]
        recreates = spec.get("strategy", {}).get("type") == "Recreate"
        busy = recreates and any(_count(one, "replicas") for one in old)
        wanted = 0 if busy else spec.get("replicas", 1)
        if current is None:
            current = self._hands.create(self._set_kind, self._new_set(deployment, old, mark, wanted))
        current = self._scale(current, wanted)
        if recreates or _count(current, "readyReplicas") >= wanted:
            for one in old:
                self._scale(one, 0)
            self._forget_oldest(spec.get("revisionHistoryLimit", 10), old)
        return current

    def _new_set(self, deployment: Stored, old: list[Stored], mark: str, replicas: int) -> Object:
        spec, name = deployment.object["spec"], deployment.metadata["name"]
        revision = max((_revision(one) for one in old), default=0) + 1
        template = child_of(self._kind, deployment, spec["template"], {"labels": {HASH_LABEL: mark}})
        labels = template["metadata"]["labels"]
        selector = {**spec["selector"], "matchLabels": {**spec["selector"].get("matchLabels", {}), HASH_LABEL: mark}}
        annotations = {REVISION: str(revision), DESIRED: str(spec.get("replicas", 1))}
        metadata = {"name": f"{name}-{mark}", "labels": dict(labels), "annotations": annotations}
        content = child_of(self._kind, deployment, {}, metadata)
        for part in ("namespace", "ownerReferences"):  # of the set, not of its template
            del template["metadata"][part]
        content["spec"] = {"replicas": replicas, "selector": selector, "template": template}
        return content

    def _scale(self, one: Stored, replicas: int) -> Stored:
        spec = one.object["spec"]
        if spec.get("replicas") == replicas:
            return one
        return self._hands.update(self._set_kind, one, {**one.object, "spec": {**spec, "replicas": replicas}})

    def _forget_oldest(self, keep: int, old: list[Stored]) -> None:
        ended = sorted((one for one in old if not _count(one, "replicas")), key=_revision)
        for one in ended[: max(0, len(ended) - keep)]:
            self._hands.delete(self._set_kind, one)

    def _note_revision(self, deployment: Stored, current: Stored) -> Stored:
        revision = (current.metadata.get("annotations") or {}).get(REVISION, "1")
        annotations = deployment.metadata.get("annotations") or {}
        if annotations.get(REVISION) == revision:
            return deployment
        return self._hands.set_metadata(self._kind, deployment, annotations={**annotations, REVISION: revision})

    def _report(self, deployment: Stored, current: Stored | None, sets: list[Stored]) -> None:
        wanted = deployment.object["spec"].get("replicas", 1)
        total = sum(_count(one, "replicas") for one in sets)
        ready = sum(_count(one, "readyReplicas") for one in sets)
        updated = _count(current, "replicas") if current else 0
        counts = {
            "replicas": total,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, max(wanted, total) - ready),
        }
        done = current is not None and updated == wanted == total and _count(current, "readyReplicas") >= wanted
        status: Object = {"observedGeneration": deployment.metadata["generation"]}
        status |= {name: count for name, count in counts.items() if count}
        known = {one["type"]: one for one in (deployment.object.get("status") or {}).get("conditions") or ()}
        status["conditions"] = [
            _condition(known, "Available", ready >= wanted, *_AVAILABLE[ready >= wanted]),
            _condition(known, "Progressing", True, *_PROGRESSING[done]),
        ]
        self._hands.set_status(self._kind, deployment, status)


_AVAILABLE = {
    True: ("MinimumReplicasAvailable", "Deployment has minimum availability."),
    False: ("MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
}
_PROGRESSING = {
    True: ("NewReplicaSetAvailable", "ReplicaSet has successfully progressed."),
    False: ("ReplicaSetUpdated", "ReplicaSet is progressing."),
}


def _condition(known: dict[str, Object], kind: str, holds: bool, reason: str, message: str) -> Object:
    new = {"type": kind, "status": "True" if holds else "False", "reason": reason, "message": message}
    before = known.get(kind, {})
    if {name: before.get(name) for name in new} == new:
        return before
    same = before.get("status") == new["status"]
    return {
        **new,
        "lastUpdateTime": now_text(),
        "lastTransitionTime": before["lastTransitionTime"] if same else now_text(),
    }


def _count(one: Stored, name: str) -> int:
    return int((one.object.get("status") or {}).get(name, 0))


def _revision(one: Stored) -> int:
    return int((one.metadata.get("annotations") or {}).get(REVISION, 0))
