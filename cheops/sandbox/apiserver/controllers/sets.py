"""StatefulSets and DaemonSets: pods with a place of their own — a number, or a node."""

from __future__ import annotations

from collections.abc import Iterable

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.controllers.ownership import (
    PODS,
    Children,
    child_of,
    is_ready,
    owner_key,
    template_hash,
)
from cheops.sandbox.apiserver.kinds import CollectionKey, Kind
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.store import Change, Object, Stored

REVISION_LABEL = "controller-revision-hash"
NODES = CollectionKey("", "nodes")


class _SetController:
    """What both have in common: a revision per template, kept as a ControllerRevision."""

    def __init__(self, realm: Realm, kind: Kind) -> None:
        self._realm, self._kind = realm, kind
        self._hands = Hands(realm)
        self._pods = Children.of(realm, PODS)
        self._pod, self._revision = realm.kind("v1", "Pod"), realm.kind("apps/v1", "ControllerRevision")

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        if collection == self._kind.collection and change.type != "DELETED":
            yield collection, change.key
        yield from owner_key(self._kind, change, self._pods.note(collection, change))

    def _living(self, key: Key) -> Stored | None:
        owner = self._realm.store.get(key[0], *key[1])
        if owner is None or "deletionTimestamp" in owner.metadata:
            return None
        self._pods.claim(self._hands, self._kind, owner, self._pod)
        return owner

    def _note_revision(self, owner: Stored) -> str:
        """Its name."""
        template = owner.object["spec"]["template"]
        name = f"{owner.metadata['name']}-{template_hash(template)}"
        if self._realm.get(self._revision, owner.metadata["namespace"], name) is None:
            content = child_of(self._kind, owner, {}, {"name": name, "labels": template["metadata"].get("labels", {})})
            self._hands.create(self._revision, {**content, "data": {"spec": {"template": template}}, "revision": 1})
        return name

    def _of_revision(self, pod: Stored, revision: str) -> bool:
        return (pod.metadata.get("labels") or {}).get(REVISION_LABEL) == revision


class StatefulSetController(_SetController):
    """Pods from 0 up, the next one when the one before is ready; each with its claims."""

    def __init__(self, realm: Realm) -> None:
        super().__init__(realm, realm.kind("apps/v1", "StatefulSet"))
        self._claim = realm.kind("v1", "PersistentVolumeClaim")

    def reconcile(self, key: Key) -> None:
        if (owner := self._living(key)) is None:
            return
        revision = self._note_revision(owner)
        name, spec = owner.metadata["name"], owner.object["spec"]
        wanted = [f"{name}-{number}" for number in range(spec.get("replicas", 1))]
        pods = {pod.metadata["name"]: pod for pod in self._pods.all(owner.metadata["uid"])}
        for surplus in sorted(set(pods) - set(wanted), reverse=True)[:1]:
            self._hands.delete(self._pod, pods[surplus])
        ordered = spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        for number, pod_name in enumerate(wanted):
            if pod_name not in pods:
                self._create(owner, number, pod_name, revision)
            elif is_ready(pods[pod_name]):
                continue
            if ordered:
                break
        else:
            self._replace_one(wanted, pods, revision)
        self._report(owner, revision)

    def _create(self, owner: Stored, number: int, name: str, revision: str) -> None:
        spec = owner.object["spec"]
        labels = {
            REVISION_LABEL: revision,
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(number),
        }
        content = child_of(self._kind, owner, spec["template"], {"name": name, "labels": labels})
        pod_spec = content["spec"]
        pod_spec |= {"hostname": name, "subdomain": spec.get("serviceName", "")}
        own = {}
        for template in spec.get("volumeClaimTemplates") or ():
            claim = f"{template['metadata']['name']}-{name}"
            own[template["metadata"]["name"]] = {"persistentVolumeClaim": {"claimName": claim}}
            self._create_claim(owner, template, claim)
        kept = [volume for volume in pod_spec.get("volumes") or () if volume["name"] not in own]
        pod_spec["volumes"] = [*kept, *({"name": volume, **source} for volume, source in own.items())]
        self._hands.create(self._pod, content)

    def _create_claim(self, owner: Stored, template: Object, name: str) -> None:
        namespace = owner.metadata["namespace"]
        if self._realm.get(self._claim, namespace, name) is not None:
            return
        labels = {
            **(template["metadata"].get("labels") or {}),
            **owner.object["spec"]["selector"].get("matchLabels", {}),
        }
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        self._hands.create(self._claim, {"metadata": metadata, "spec": dict(template["spec"])})

    def _replace_one(self, wanted: list[str], pods: dict[str, Stored], revision: str) -> None:
        """All are ready: the last one of an old template makes room."""
        outdated = [name for name in wanted if not self._of_revision(pods[name], revision)]
        if outdated:
            self._hands.delete(self._pod, pods[outdated[-1]])

    def _report(self, owner: Stored, revision: str) -> None:
        pods = self._pods.living(owner.metadata["uid"])
        ready, updated = sum(map(is_ready, pods)), sum(self._of_revision(pod, revision) for pod in pods)
        known = owner.object.get("status") or {}
        finished = updated == owner.object["spec"].get("replicas", 1) and ready == updated
        current = revision if finished else known.get("currentRevision") or revision
        status: Object = {
            "observedGeneration": owner.metadata["generation"],
            "replicas": len(pods),
            "availableReplicas": ready,
            "currentRevision": current,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        counts = {"readyReplicas": ready, "updatedReplicas": updated}
        counts["currentReplicas"] = sum(self._of_revision(pod, current) for pod in pods)
        self._hands.set_status(self._kind, owner, status | {name: count for name, count in counts.items() if count})


class DaemonSetController(_SetController):
    """One pod on each node."""

    def __init__(self, realm: Realm) -> None:
        super().__init__(realm, realm.kind("apps/v1", "DaemonSet"))

    def reconcile(self, key: Key) -> None:
        if (owner := self._living(key)) is None:
            return
        revision = self._note_revision(owner)
        mark = revision.removeprefix(f"{owner.metadata['name']}-")
        nodes = [name for _, name in self._realm.store.collection(NODES).objects]
        pods = {(pod.object["spec"].get("nodeName") or ""): pod for pod in self._pods.living(owner.metadata["uid"])}
        for node, pod in list(pods.items()):
            if node not in nodes or not self._of_revision(pod, mark):
                self._hands.delete(self._pod, pod)
                del pods[node]
        for node in nodes:
            if node not in pods:
                metadata = {"generateName": f"{owner.metadata['name']}-", "labels": {REVISION_LABEL: mark}}
                content = child_of(self._kind, owner, owner.object["spec"]["template"], metadata)
                content["spec"]["nodeName"] = node
                self._hands.create(self._pod, content)
        self._report(owner, len(nodes), mark)

    def _report(self, owner: Stored, nodes: int, mark: str) -> None:
        pods = self._pods.living(owner.metadata["uid"])
        ready, updated = sum(map(is_ready, pods)), sum(self._of_revision(pod, mark) for pod in pods)
        status: Object = {
            "currentNumberScheduled": len(pods),
            "numberMisscheduled": 0,
            "desiredNumberScheduled": nodes,
            "numberReady": ready,
            "observedGeneration": owner.metadata["generation"],
        }
        counts = {"updatedNumberScheduled": updated, "numberAvailable": ready, "numberUnavailable": nodes - ready}
        self._hands.set_status(self._kind, owner, status | {name: count for name, count in counts.items() if count})
