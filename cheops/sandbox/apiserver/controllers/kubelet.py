"""Scheduler and kubelet in one: a pod is placed, gets what it needs, runs and is ready; one that is deleted ends.

As in the real cluster a pod whose claim is missing is not placed, one whose volume content is missing is being created,
one whose environment is missing cannot be configured; each starts when what it waits for appears. What runs keeps
running when it vanishes. Pods of jobs succeed at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.controllers.needs import Need, needs
from cheops.sandbox.apiserver.controllers.ownership import PODS, phase
from cheops.sandbox.apiserver.controllers.podstatus import running, succeeded, unplaced, waiting
from cheops.sandbox.apiserver.kinds import CollectionKey
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.store import Change, Stored

NODES = CollectionKey("", "nodes")
WAITED_FOR = (
    CollectionKey("", "secrets"),
    CollectionKey("", "configmaps"),
    CollectionKey("", "persistentvolumeclaims"),
    NODES,
)


class Kubelet:
    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._hands = Hands(realm, "kubelet")
        self._pod = realm.kind("v1", "Pod")
        self._waiting: set[tuple[str, str]] = set()  # pods that do not run yet
        self._last_address = 0

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        if collection == PODS:
            if change.type == "DELETED":
                self._waiting.discard(change.key)
            else:
                yield collection, change.key
        elif collection in WAITED_FOR:
            namespace = change.key[0]
            yield from ((PODS, key) for key in sorted(self._waiting) if namespace in ("", key[0]))

    def reconcile(self, key: Key) -> None:
        pod = self._realm.store.get(PODS, *key[1])
        if pod is None:
            return
        if "deletionTimestamp" in pod.metadata:
            if pod.metadata.get("deletionGracePeriodSeconds"):
                self._hands.delete(self._pod, pod, grace_s=0)
        elif phase(pod) == "Pending":
            self._start(pod)

    def _start(self, pod: Stored) -> None:
        missing = [need for need in needs(pod.object["spec"]) if not self._is_there(pod.metadata["namespace"], need)]
        placed = self._place(pod, missing)
        if placed is None:
            self._waiting.add((pod.metadata["namespace"], pod.metadata["name"]))
        elif blocking := [need for need in missing if need.stage != "placing"]:
            self._waiting.add((pod.metadata["namespace"], pod.metadata["name"]))
            self._hands.set_status(self._pod, placed, waiting(placed, blocking[0]))
        else:
            self._waiting.discard((pod.metadata["namespace"], pod.metadata["name"]))
            self._run(placed)

    def _place(self, pod: Stored, missing: list[Need]) -> Stored | None:
        """None when there is no node for it."""
        spec = pod.object["spec"]
        if spec.get("nodeName"):
            return pod
        if spec.get("schedulingGates"):
            self._hands.set_status(self._pod, pod, unplaced(pod, "SchedulingGated", "Scheduling is blocked"))
            return None
        claim = next((need for need in missing if need.stage == "placing"), None)
        node = self._node(spec.get("nodeSelector") or {})
        if claim is not None or node is None:
            why = "node(s) didn't match Pod's node affinity/selector"
            if claim is not None:
                why = f'persistentvolumeclaim "{claim.name}" not found'
            total = len(self._realm.store.collection(NODES).objects)
            self._hands.set_status(
                self._pod, pod, unplaced(pod, "Unschedulable", f"0/{total} nodes are available: {why}.")
            )
            return None
        return self._hands.update(self._pod, pod, {**pod.object, "spec": {**spec, "nodeName": node}})

    def _node(self, selector: dict[str, str]) -> str | None:
        for (_, name), node in sorted(self._realm.store.collection(NODES).objects.items()):
            usable = not (node.object.get("spec") or {}).get("unschedulable")
            if usable and selector.items() <= (node.metadata.get("labels") or {}).items():
                return name
        return None

    def _run(self, pod: Stored) -> None:
        self._last_address += 1
        address = f"10.244.{self._last_address >> 8 & 255}.{self._last_address & 255}"
        status = running(pod, address)
        if pod.object["spec"].get("restartPolicy") != "Always" and _is_of_job(pod):
            status = succeeded(pod, status)
        self._hands.set_status(self._pod, pod, status)

    def _is_there(self, namespace: str, need: Need) -> bool:
        found = self._realm.get(self._realm.kind("v1", need.kind), namespace, need.name)
        if found is None:
            return False
        if need.kind == "PersistentVolumeClaim":
            return bool((found.object.get("status") or {}).get("phase") == "Bound")
        fields = ("data",) if need.stage == "starting" else ("data", "binaryData")  # of a variable, and of a volume
        return set(need.keys) <= {key for field in fields for key in found.object.get(field) or ()}


def _is_of_job(pod: Stored) -> bool:
    return any(owner["kind"] == "Job" for owner in pod.metadata.get("ownerReferences") or ())
