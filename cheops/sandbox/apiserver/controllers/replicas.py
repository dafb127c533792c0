"""ReplicaSets and ReplicationControllers: as many pods as there should be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.controllers.ownership import PODS, Children, child_of, is_ready, owner_key, phase
from cheops.sandbox.apiserver.kinds import CollectionKey, Kind
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.store import Change, Stored

FINISHED = ("Succeeded", "Failed")


class ReplicaController:
    """Of one of the two kinds."""

    def __init__(self, realm: Realm, kind: Kind) -> None:
        self._realm, self._kind = realm, kind
        self._hands = Hands(realm)
        self._pods = Children.of(realm, PODS)
        self._pod = realm.kind("v1", "Pod")

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        if collection == self._kind.collection and change.type != "DELETED":
            yield collection, change.key
        yield from owner_key(self._kind, change, self._pods.note(collection, change))

    def reconcile(self, key: Key) -> None:
        owner = self._realm.store.get(key[0], *key[1])
        if owner is None:
            return
        pods = [pod for pod in self._pods.living(owner.metadata["uid"]) if phase(pod) not in FINISHED]
        if "deletionTimestamp" not in owner.metadata:
            pods = self._fit(owner, pods)
        self._report(owner, pods)

    def _fit(self, owner: Stored, pods: list[Stored]) -> list[Stored]:
        wanted, template = owner.object["spec"].get("replicas", 1), owner.object["spec"]["template"]
        for _ in range(wanted - len(pods)):
            content = child_of(self._kind, owner, template, {"generateName": f"{owner.metadata['name']}-"})
            pods.append(self._hands.create(self._pod, content))
        surplus = sorted(pods, key=lambda pod: (is_ready(pod), -pod.version))[: max(0, len(pods) - wanted)]
        for pod in surplus:  # those that do not serve first, then the youngest
            self._hands.delete(self._pod, pod)
        return [pod for pod in pods if pod not in surplus]

    def _report(self, owner: Stored, pods: list[Stored]) -> None:
        ready = sum(map(is_ready, pods))
        status: dict[str, Any] = {"replicas": len(pods)}
        if pods:
            status["fullyLabeledReplicas"] = len(pods)
        if ready:
            status |= {"readyReplicas": ready, "availableReplicas": ready}
        status["observedGeneration"] = owner.metadata.get("generation", 1)
        self._hands.set_status(self._kind, owner, status)
