"""ReplicaSets and ReplicationControllers: as many pods as there should be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.controllers.ownership import PODS, Children, child_of, is_ready, owner_key, phase
from cheops.sandbox.apiserver.kinds import CollectionKey, Kind
from cheops.sandbox.apiserver.realm import Realm, now_text
from cheops.sandbox.apiserver.statuses import StatusError
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
        self._pods.claim(self._hands, self._kind, owner, self._pod)
        pods = self._running(owner)
        if "deletionTimestamp" not in owner.metadata:
            try:
                pods = self._fit(owner, pods)
            except StatusError as error:
                self._report(owner, self._running(owner), str(error))
                raise
        self._report(owner, pods)

    def _running(self, owner: Stored) -> list[Stored]:
        return [pod for pod in self._pods.living(owner.metadata["uid"]) if phase(pod) not in FINISHED]

    def _fit(self, owner: Stored, pods: list[Stored]) -> list[Stored]:
        wanted, template = owner.object["spec"].get("replicas", 1), owner.object["spec"]["template"]
        for _ in range(wanted - len(pods)):
            content = child_of(self._kind, owner, template, {"generateName": f"{owner.metadata['name']}-"})
            pods.append(self._hands.create(self._pod, content))
        surplus = sorted(pods, key=lambda pod: (is_ready(pod), -pod.version))[: max(0, len(pods) - wanted)]
        for pod in surplus:  # those that do not serve first, then the youngest
            self._hands.delete(self._pod, pod)
        return [pod for pod in pods if pod not in surplus]

    def _report(self, owner: Stored, pods: list[Stored], failure: str = "") -> None:
        ready = sum(map(is_ready, pods))
        status: dict[str, Any] = {"replicas": len(pods)}
        if pods:
            status["fullyLabeledReplicas"] = len(pods)
        if ready:
            status |= {"readyReplicas": ready, "availableReplicas": ready}
        status["observedGeneration"] = owner.metadata.get("generation", 1)
        if failure:
            condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": failure}
            known = (owner.object.get("status") or {}).get("conditions") or [{}]
            since = known[0].get("lastTransitionTime") or now_text()
            status["conditions"] = [{**condition, "lastTransitionTime": since}]
        self._hands.set_status(self._kind, owner, status)
