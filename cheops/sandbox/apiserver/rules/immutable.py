"""What an update may not change. Not everything that the real server guards, but what people and tools run into."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cheops.forms.pod_rules import held_back
from cheops.forms.workload_rules import is_elastic
from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.statuses import Cause
from cheops.sandbox.apiserver.store import Object
from services.resolver.judge.demand import thousandths

INVALID, FORBIDDEN = "FieldValueInvalid", "FieldValueForbidden"

FIELDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Secret"): ("type",),
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("batch", "Job"): (
        *("spec.completions", "spec.selector", "spec.template", "spec.podFailurePolicy", "spec.successPolicy"),
        *("spec.backoffLimitPerIndex", "spec.managedBy"),
    ),
    ("discovery.k8s.io", "EndpointSlice"): ("addressType",),
    ("scheduling.k8s.io", "PriorityClass"): ("preemptionPolicy",),
    ("storage.k8s.io", "CSIDriver"): ("spec.attachRequired", "spec.volumeLifecycleModes"),
}
ROLE_BINDINGS = ("RoleBinding", "ClusterRoleBinding")
STATEFULSET_FIELDS = (
    *("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit"),
    *("persistentVolumeClaimRetentionPolicy", "minReadySeconds"),
)
STATEFULSET = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
    "forbidden"
)
POD = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
POD_FIELDS = ("activeDeadlineSeconds", "tolerations", "nodeName", "schedulingGates")
TOLERATIONS = "Forbidden: existing toleration can not be modified except its tolerationSeconds"
CLAIM = (
    "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
    "claims"
)
SHRINKS = "Forbidden: field can not be less than status.capacity"
VOLUME = "Forbidden: spec.persistentvolumesource is immutable after creation"
VOLUME_FIELDS = (
    *("capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName", "mountOptions"),
    *("volumeMode", "nodeAffinity", "volumeAttributesClassName"),
)
STORAGE_CLASS_FIELDS = ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode")


def check_unchanged(kind: Kind, before: Object, after: Object) -> list[Cause]:
    return [*_finalizers(before, after), *(() if kind.custom else _of_kind(kind, before, after))]


def _of_kind(kind: Kind, before: Object, after: Object) -> Iterator[Cause]:
    for path in FIELDS.get((kind.group, kind.kind), ()):
        if _at(before, path) != (value := _at(after, path)) and not is_elastic(path, before, after):
            yield Cause(path, INVALID, f"Invalid value: {_shown(value)}: field is immutable")
    if kind.kind == "PriorityClass" and before.get("value") != after.get("value"):
        yield Cause("value", FORBIDDEN, "Forbidden: may not be changed in an update.")
    if kind.kind in ROLE_BINDINGS and before.get("roleRef") != after.get("roleRef"):
        yield Cause("roleRef", INVALID, f"Invalid value: {_shown(after.get('roleRef'))}: cannot change roleRef")
    if kind.kind in ("ConfigMap", "Secret") and before.get("immutable"):
        yield from _sealed(before, after)
    old, new = before.get("spec") or {}, after.get("spec") or {}
    if kind.kind == "StatefulSet" and _other(old, STATEFULSET_FIELDS) != _other(new, STATEFULSET_FIELDS):
        yield Cause("spec", FORBIDDEN, STATEFULSET)
    if kind.kind in ("Pod", "PersistentVolumeClaim", "PersistentVolume") and not kind.group:
        yield from _of_pods_and_volumes(kind, before, old, new)
    if kind.kind in ("Service", "ServiceCIDR"):
        yield from _of_networks(kind, old, new)
    if kind.kind == "StorageClass":
        for name in STORAGE_CLASS_FIELDS:
            if before.get(name) != after.get(name):
                yield Cause(name, FORBIDDEN, f"Forbidden: updates to {name} are forbidden.")


def _of_networks(kind: Kind, old: Object, new: Object) -> Iterator[Cause]:
    if kind.kind == "Service":
        yield from _service(old, new)
        return
    for place, (was, said) in enumerate(zip(old["cidrs"], new["cidrs"], strict=False)):
        if was != said:
            yield Cause(f"spec.cidrs[{place}]", INVALID, f"Invalid value: {_shown(said)}: field is immutable")


def _service(old: Object, new: Object) -> Iterator[Cause]:
    """An address stays while there is one; a balancer stays with its class."""
    if old.get("clusterIP") and new.get("clusterIP") != old["clusterIP"] and new.get("type") != "ExternalName":
        why = f"Invalid value: {_shown(new.get('clusterIPs'))}: may not change once set"
        yield Cause("spec.clusterIPs[0]", INVALID, why)
    if old.get("type") == new.get("type") == "LoadBalancer":
        said = new.get("loadBalancerClass")
        if old.get("loadBalancerClass") != said:
            yield Cause("spec.loadBalancerClass", INVALID, f"Invalid value: {_shown(said)}: may not change once set")


def _of_pods_and_volumes(kind: Kind, before: Object, old: Object, new: Object) -> Iterator[Cause]:
    if kind.kind == "PersistentVolumeClaim":
        yield from _claim_update(before, old, new)
    elif kind.kind == "PersistentVolume":
        if _other(old, VOLUME_FIELDS) != _other(new, VOLUME_FIELDS):
            yield Cause("spec.persistentvolumesource", FORBIDDEN, VOLUME)
    else:
        if _pod(old) != _pod(new):
            yield Cause("spec", FORBIDDEN, POD)
        for wrong in held_back(old, new):
            path, _, why = wrong.partition(": ")
            yield Cause(path, INVALID, f"Invalid value: {why}")
        kept = new.get("tolerations") or []
        if any(one not in kept for one in old.get("tolerations") or []):
            yield Cause("spec.tolerations", FORBIDDEN, TOLERATIONS)


def _finalizers(before: Object, after: Object) -> Iterator[Cause]:
    """What is being deleted gets no new ones: it would never end."""
    if "deletionTimestamp" not in before["metadata"]:
        return
    known = before["metadata"].get("finalizers") or []
    new = [name for name in after["metadata"].get("finalizers") or [] if name not in known]
    if new:
        listed = ", ".join(f'"{name}"' for name in new)
        why = (
            f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
        )
        yield Cause("metadata.finalizers", FORBIDDEN, f"Forbidden: {why}")


def _sealed(before: Object, after: Object) -> Iterator[Cause]:
    if not after.get("immutable"):
        yield Cause("immutable", FORBIDDEN, "Forbidden: field is immutable when `immutable` is set")
    for name in ("data", "binaryData"):
        if before.get(name) != after.get(name):
            yield Cause(name, FORBIDDEN, "Forbidden: field is immutable when `immutable` is set")


def _claim_update(before: Object, old: Object, new: Object) -> Iterator[Cause]:
    """Its size grows once it is bound, and never shrinks."""
    was, wanted = (((one.get("resources") or {}).get("requests") or {}).get("storage") for one in (old, new))
    is_bound = (before.get("status") or {}).get("phase") == "Bound"
    is_limited = (old.get("resources") or {}).get("limits") != (new.get("resources") or {}).get("limits")
    if (
        is_limited
        or _claim(old) != _claim({**new, **_kept_class(old, new)})
        or (not is_bound and thousandths(was) != thousandths(wanted))
    ):
        yield Cause("spec", FORBIDDEN, CLAIM)
    elif (thousandths(wanted) or 0) < (thousandths(was) or 0):
        yield Cause("spec.resources.requests.storage", FORBIDDEN, SHRINKS)


def _kept_class(old: Object, new: Object) -> Object:
    """A claim that left its class open may get one."""
    return {} if "storageClassName" in old else dict.fromkeys({"storageClassName"} & new.keys())


def _pod(spec: Object) -> Object:
    kept = _other(spec, POD_FIELDS)
    for name in ("containers", "initContainers"):
        if name in kept:
            kept[name] = [_other(container, ("image",)) for container in kept[name]]
    return kept


def _claim(spec: Object) -> Object:
    kept = _other(spec, ("resources", "volumeAttributesClassName", "volumeName"))  # the last is set once
    return {name: value for name, value in kept.items() if value is not None}


def _other(content: Object, names: tuple[str, ...]) -> Object:
    return {name: value for name, value in content.items() if name not in names}


def _at(content: Any, path: str) -> Any:
    for name in path.split("."):
        content = (content or {}).get(name)
    return content


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
