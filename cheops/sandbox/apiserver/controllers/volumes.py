"""Claims and volumes: a claim of a known class gets a volume made for it; what is in use does not go.

claim Pending → volume pvc-<uid> → both Bound     claim deleted → when no pod uses it → volume deleted or Released
"""

from __future__ import annotations

from collections.abc import Iterable

from cheops.sandbox.apiserver.controllers.hands import Hands
from cheops.sandbox.apiserver.controllers.loop import Key
from cheops.sandbox.apiserver.controllers.needs import needs
from cheops.sandbox.apiserver.controllers.ownership import PODS
from cheops.sandbox.apiserver.kinds import CollectionKey
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.store import Change, Object, Stored

CLAIMS, VOLUMES = CollectionKey("", "persistentvolumeclaims"), CollectionKey("", "persistentvolumes")
CLASSES = CollectionKey("storage.k8s.io", "storageclasses")
CLAIM_PROTECTION, VOLUME_PROTECTION = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"


class VolumeController:
    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._hands = Hands(realm)
        self._claim = realm.kind("v1", "PersistentVolumeClaim")
        self._volume = realm.kind("v1", "PersistentVolume")

    def concerns(self, collection: CollectionKey, change: Change) -> Iterable[Key]:
        if collection in (CLAIMS, VOLUMES) and change.type != "DELETED":
            yield collection, change.key
        if collection == CLAIMS and (name := change.now.object["spec"].get("volumeName")):
            yield VOLUMES, ("", name)
        elif collection == PODS and change.type == "DELETED":
            for need in needs(change.now.object.get("spec") or {}):
                if need.kind == "PersistentVolumeClaim":
                    yield CLAIMS, (change.key[0], need.name)
        elif collection in (CLASSES, VOLUMES) and change.type == "ADDED":
            yield from ((CLAIMS, key) for key in self._realm.store.collection(CLAIMS).objects)

    def reconcile(self, key: Key) -> None:
        stored = self._realm.store.get(key[0], *key[1])
        if stored is None:
            return
        if key[0] == CLAIMS:
            self._reconcile_claim(stored)
        else:
            self._reconcile_volume(stored)

    def _reconcile_claim(self, claim: Stored) -> None:
        if "deletionTimestamp" in claim.metadata:
            if not self._is_used(claim):
                self._drop(self._claim, claim, CLAIM_PROTECTION)
        elif (claim.object.get("status") or {}).get("phase") != "Bound" and (volume := self._volume_for(claim)):
            spec = {**claim.object["spec"], "volumeName": volume.metadata["name"]}
            claim = self._hands.update(self._claim, claim, {**claim.object, "spec": spec})
            status = {"phase": "Bound", "accessModes": spec.get("accessModes", [])}
            self._hands.set_status(self._claim, claim, status | {"capacity": volume.object["spec"].get("capacity", {})})

    def _volume_for(self, claim: Stored) -> Stored | None:
        spec = claim.object["spec"]
        if name := spec.get("volumeName"):
            return self._realm.get(self._volume, "", name)
        class_name = spec.get("storageClassName", "")
        storage_class = self._realm.store.get(CLASSES, "", class_name)
        if storage_class is not None:
            return self._make_volume(claim, storage_class)
        volumes = self._realm.store.collection(VOLUMES).objects.values()
        free = (
            one
            for one in volumes
            if one.object["spec"].get("storageClassName", "") == class_name and "claimRef" not in one.object["spec"]
        )
        return next(free, None)

    def _make_volume(self, claim: Stored, storage_class: Stored) -> Stored:
        name, spec = f"pvc-{claim.metadata['uid']}", claim.object["spec"]
        if (found := self._realm.get(self._volume, "", name)) is not None:
            return found
        content: Object = {
            "accessModes": spec.get("accessModes", []),
            "capacity": dict((spec.get("resources") or {}).get("requests") or {}),
            "claimRef": self._reference(claim),
            "hostPath": {"path": f"/var/cheops/{name}"},
            "persistentVolumeReclaimPolicy": storage_class.object.get("reclaimPolicy", "Delete"),
            "storageClassName": storage_class.metadata["name"],
        }
        return self._hands.create(self._volume, {"metadata": {"name": name}, "spec": content})

    def _reconcile_volume(self, volume: Stored) -> None:
        if "deletionTimestamp" in volume.metadata:
            if (volume.object.get("status") or {}).get("phase") != "Bound" or self._claim_of(volume) is None:
                self._drop(self._volume, volume, VOLUME_PROTECTION)
            return
        spec, claim = volume.object["spec"], self._claim_of(volume)
        if claim is None and "claimRef" in spec and "uid" in spec["claimRef"]:
            if spec.get("persistentVolumeReclaimPolicy") == "Delete":
                self._hands.delete(self._volume, volume)
            else:
                self._hands.set_status(self._volume, volume, {"phase": "Released"})
            return
        if claim is not None and "uid" not in spec.get("claimRef", {}):
            spec = {**spec, "claimRef": self._reference(claim)}
            volume = self._hands.update(self._volume, volume, {**volume.object, "spec": spec})
        self._hands.set_status(self._volume, volume, {"phase": "Bound" if claim else "Available"})

    def _claim_of(self, volume: Stored) -> Stored | None:
        """The claim that it is bound to, or that asked for it by name."""
        reference = volume.object["spec"].get("claimRef")
        if reference is None:
            claims = self._realm.store.collection(CLAIMS).objects.values()
            wanted = volume.metadata["name"]
            return next((one for one in claims if one.object["spec"].get("volumeName") == wanted), None)
        found = self._realm.get(self._claim, reference.get("namespace", ""), reference.get("name", ""))
        return found if found is not None and reference.get("uid") in (None, found.metadata["uid"]) else None

    def _reference(self, claim: Stored) -> Object:
        metadata = claim.metadata
        reference = {name: metadata[name] for name in ("namespace", "name", "uid", "resourceVersion")}
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **reference}

    def _is_used(self, claim: Stored) -> bool:
        namespace, name = claim.metadata["namespace"], claim.metadata["name"]
        pods = self._realm.store.collection(PODS).objects.items()
        return any(
            need.kind == "PersistentVolumeClaim" and need.name == name
            for key, pod in pods
            if key[0] == namespace
            for need in needs(pod.object.get("spec") or {})
        )

    def _drop(self, kind: object, stored: Stored, finalizer: str) -> None:
        finalizers = stored.metadata.get("finalizers") or []
        if finalizer in finalizers:
            left = [name for name in finalizers if name != finalizer]
            self._hands.set_metadata(self._claim if kind is self._claim else self._volume, stored, finalizers=left)
