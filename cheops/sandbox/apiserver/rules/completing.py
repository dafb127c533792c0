"""What the server adds to particular kinds when they are written. Plain defaults are data (schema/builtin.yaml).

derive     what follows from the rest of the object; whoever wrote the object owns it
allocate   what the cluster gives: addresses, accounts, finalizers, the first status; nobody owns it
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.rules.pods import admit_pod, derive_pod_spec
from cheops.sandbox.apiserver.rules.services import allocate_service, derive_service
from cheops.sandbox.apiserver.statuses import forbidden
from cheops.sandbox.apiserver.store import Object
from services.resolver.judge.demand import thousandths

INITIAL_STATUS: dict[str, Object] = {
    "DaemonSet": {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    "Ingress": {"loadBalancer": {}},
    "Namespace": {"phase": "Active"},
    "PersistentVolume": {"phase": "Pending"},
    "PersistentVolumeClaim": {"phase": "Pending"},
    "Pod": {"phase": "Pending"},
    "ReplicaSet": {"replicas": 0},
    "Service": {"loadBalancer": {}},
    "StatefulSet": {"replicas": 0, "availableReplicas": 0},
}
JOB_UID = "batch.kubernetes.io/controller-uid"


def derive(kind: Kind, content: Object, before: Object | None) -> None:
    """In place. `before` is None for a create."""
    if not kind.custom and (found := _DERIVING.get((kind.group, kind.kind))) is not None:
        found(content, before)


def allocate(realm: Realm, kind: Kind, content: Object, before: Object | None) -> None:
    """In place. Raises StatusError 403 for what admission refuses."""
    if kind.custom:
        return
    if before is None and kind.has_status:
        content.setdefault("status", dict(INITIAL_STATUS.get(kind.kind, {})))
    if (found := _ALLOCATING.get((kind.group, kind.kind))) is not None:
        found(realm, content, before)


def _secret(content: Object, before: Object | None) -> None:
    data = content.get("data") or {}
    for name, text in (content.pop("stringData", None) or {}).items():
        data[name] = base64.b64encode(text.encode()).decode()
    if data:
        content["data"] = data


def _namespace(content: Object, before: Object | None) -> None:
    metadata = content["metadata"]
    metadata["labels"] = {**metadata.get("labels", {}), "kubernetes.io/metadata.name": metadata["name"]}


def _pod(content: Object, before: Object | None) -> None:
    derive_pod_spec(content.get("spec") or {})


def _template(content: Object, before: Object | None) -> None:
    spec = content.get("spec") or {}
    derive_pod_spec((spec.get("template") or {}).get("spec") or {})


def _deployment(content: Object, before: Object | None) -> None:
    strategy = (content.get("spec") or {}).get("strategy") or {}
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", "25%")
        rolling.setdefault("maxUnavailable", "25%")
    _template(content, before)


def _statefulset(content: Object, before: Object | None) -> None:
    for claim in (content.get("spec") or {}).get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")
        claim.setdefault("status", {"phase": "Pending"})
    _template(content, before)


def _job(content: Object, before: Object | None) -> None:
    spec, metadata = content.get("spec") or {}, content["metadata"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    template = spec.get("template")
    if before is None and template and not spec.get("manualSelector") and "selector" not in spec:
        labels = {JOB_UID: metadata["uid"], "batch.kubernetes.io/job-name": metadata["name"]}
        labels |= {"controller-uid": metadata["uid"], "job-name": metadata["name"]}
        inner = template.setdefault("metadata", {})
        inner["labels"] = {**labels, **inner.get("labels", {})}  # what is said and wrong is refused
        spec["selector"] = {"matchLabels": {JOB_UID: metadata["uid"]}}
    _template(content, before)


def _cronjob(content: Object, before: Object | None) -> None:
    job = ((content.get("spec") or {}).get("jobTemplate") or {}).get("spec") or {}
    derive_pod_spec((job.get("template") or {}).get("spec") or {})


def _definition(content: Object, before: Object | None) -> None:
    names = (content.get("spec") or {}).get("names") or {}
    names.setdefault("singular", names.get("kind", "").lower())
    names.setdefault("listKind", f"{names.get('kind', '')}List")


def _give_stored_versions(realm: Realm, content: Object, before: Object | None) -> None:
    if before is None:
        stored = [version["name"] for version in content["spec"]["versions"] if version.get("storage")]
        content["status"] = {
            "conditions": None,
            "acceptedNames": {"plural": "", "kind": ""},
            "storedVersions": stored,
        }


def _give_finalizer(realm: Realm, content: Object, before: Object | None) -> None:
    """Only the subresource `finalize` may change it later."""
    content["spec"] = {"finalizers": ["kubernetes"]} if before is None else before["spec"]


def _claim(realm: Realm, content: Object, before: Object | None) -> None:
    spec = content.setdefault("spec", {})
    if before is not None:
        _check_growth(realm, content, before)
        return
    if "storageClassName" not in spec and (default := _default_class(realm)):
        spec["storageClassName"] = default
    _protect(realm, content, "kubernetes.io/pvc-protection")


def _check_growth(realm: Realm, content: Object, before: Object) -> None:
    was, wanted = (_requested(one) for one in (before, content))
    if (wanted or 0) <= (was or 0) or (before.get("status") or {}).get("phase") != "Bound":
        return
    name = content["spec"].get("storageClassName") or ""
    found = realm.get(realm.kind("storage.k8s.io/v1", "StorageClass"), "", name) if name else None
    if found is None or not found.object.get("allowVolumeExpansion"):
        why = (
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support"
        )
        raise forbidden(realm.kind("v1", "PersistentVolumeClaim"), content["metadata"]["name"], f"{why} resize")


def _requested(claim: Object) -> int | None:
    return thousandths(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage"))


def _volume(realm: Realm, content: Object, before: Object | None) -> None:
    if before is None:
        _protect(realm, content, "kubernetes.io/pv-protection")


def _one_default(realm: Realm, content: Object, before: Object | None) -> None:
    """Raises StatusError 403 when another class of priorities is the default."""
    kind, name = realm.kind("scheduling.k8s.io/v1", "PriorityClass"), content["metadata"]["name"]
    others = realm.store.collection(kind.collection).objects.values() if content.get("globalDefault") else ()
    for one in others:
        if one.object.get("globalDefault") and one.metadata["name"] != name:
            why = f"PriorityClass {one.metadata['name']} is already marked as default. Only one default can exist"
            raise forbidden(kind, name, why)


def _protect(realm: Realm, content: Object, finalizer: str) -> None:
    """Only where somebody takes it away again."""
    if realm.protects_volumes and finalizer not in (finalizers := content["metadata"].setdefault("finalizers", [])):
        finalizers.append(finalizer)


def _default_class(realm: Realm) -> str:
    classes = realm.store.collection(realm.kind("storage.k8s.io/v1", "StorageClass").collection)
    mark = "storageclass.kubernetes.io/is-default-class"
    found = (one.metadata for one in classes.objects.values() if _annotation(one.metadata, mark) == "true")
    return next((metadata["name"] for metadata in found), "")


def _annotation(metadata: Any, name: str) -> str:
    return str((metadata.get("annotations") or {}).get(name, ""))


_DERIVING: dict[tuple[str, str], Callable[[Object, Object | None], None]] = {
    ("", "Secret"): _secret,
    ("", "Namespace"): _namespace,
    ("", "Service"): derive_service,
    ("", "Pod"): _pod,
    ("", "ReplicationController"): _template,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _template,
    ("apps", "StatefulSet"): _statefulset,
    ("apps", "DaemonSet"): _template,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _cronjob,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
_ALLOCATING: dict[tuple[str, str], Callable[[Realm, Object, Object | None], None]] = {
    ("", "Namespace"): _give_finalizer,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _give_stored_versions,
    ("", "Service"): allocate_service,
    ("", "Pod"): admit_pod,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "PersistentVolume"): _volume,
    ("scheduling.k8s.io", "PriorityClass"): _one_default,
}
