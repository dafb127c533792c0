"""Pods and pod templates: what defaults cannot say as it depends on the rest, and what admission adds."""

from __future__ import annotations

from typing import Any

from cheops.sandbox.apiserver.realm import Realm, name_suffix
from cheops.sandbox.apiserver.statuses import forbidden
from cheops.sandbox.apiserver.store import Object

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_EXPIRATION_S = 3607
NODE_TROUBLES = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
TOLERATED_S = 300


def derive_pod_spec(spec: Object) -> None:
    """Of a pod or a template."""
    for name in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(name) or ():
            if "image" in container:
                container.setdefault("imagePullPolicy", _pull_policy(container["image"]))
    if account := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    if spec.get("hostNetwork"):
        for container in spec.get("containers") or ():
            for port in container.get("ports") or ():
                port.setdefault("hostPort", port["containerPort"])


def admit_pod(realm: Realm, content: Object, before: Object | None) -> None:
    """Raises StatusError 403 when the service account or the priority class is missing."""
    spec = content.get("spec")
    if spec is None:
        return
    _give_tolerations(spec)
    if before is not None:
        return
    spec.setdefault("enableServiceLinks", True)
    _give_account(realm, content, spec)
    _give_priority(realm, content, spec)
    content["status"] = {"phase": "Pending", "qosClass": _quality(spec)}


def _give_tolerations(spec: Object) -> None:
    """Of a node in trouble, for a while; at each write, since who applies a list of his own says nothing of these."""
    tolerations = spec.setdefault("tolerations", [])
    for key in NODE_TROUBLES:
        if not any(toleration.get("key") in (None, key) for toleration in tolerations):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": TOLERATED_S}
            )


def _pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "Always" if tag in ("", "latest") and "@" not in image else "IfNotPresent"


def _give_account(realm: Realm, content: Object, spec: Object) -> None:
    account = spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = account
    namespace, name = content["metadata"].get("namespace", ""), _asked_name(content)
    found = realm.get(realm.kind("v1", "ServiceAccount"), namespace, account)
    if found is None:
        why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise forbidden(realm.kind("v1", "Pod"), name, why)
    mounts = spec.get("automountServiceAccountToken", found.object.get("automountServiceAccountToken", True))
    if found.object.get("imagePullSecrets"):
        spec.setdefault("imagePullSecrets", [dict(secret) for secret in found.object["imagePullSecrets"]])
    if mounts:
        _mount_token(spec)


def _mount_token(spec: Object) -> None:
    volume = f"kube-api-access-{name_suffix()}"
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    without = [one for one in containers if not _mounts_at(one, TOKEN_PATH)]
    if not without:
        return
    for container in without:
        mount = {"name": volume, "readOnly": True, "mountPath": TOKEN_PATH}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
    sources: list[Any] = [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_EXPIRATION_S, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
            }
        },
    ]
    projected = {"sources": sources, "defaultMode": 420}
    spec["volumes"] = [*(spec.get("volumes") or ()), {"name": volume, "projected": projected}]


def _mounts_at(container: Object, path: str) -> bool:
    return any(mount.get("mountPath") == path for mount in container.get("volumeMounts") or ())


def _give_priority(realm: Realm, content: Object, spec: Object) -> None:
    value, policy = 0, "PreemptLowerPriority"
    if name := spec.get("priorityClassName"):
        found = realm.get(realm.kind("scheduling.k8s.io/v1", "PriorityClass"), "", name)
        if found is None:
            why = f"no PriorityClass with name {name} was found"
            raise forbidden(realm.kind("v1", "Pod"), _asked_name(content), why)
        value, policy = found.object["value"], found.object.get("preemptionPolicy", policy)
    for field, words, computed in (
        ("priority", "integer value of priority", value),
        ("preemptionPolicy", "string value of PreemptionPolicy", policy),
    ):
        if spec.setdefault(field, computed) != computed:
            why = (
                f"the {words} ({spec[field]}) must not be provided in pod spec; "
                f"priority admission controller computed {computed} from the given PriorityClass name"
            )
            raise forbidden(realm.kind("v1", "Pod"), _asked_name(content), why)


def _asked_name(content: Object) -> str:
    """As the client knows it: not the one that was just generated, which differs at each attempt."""
    metadata = content["metadata"]
    return str(metadata.get("generateName") or metadata["name"])


def _quality(spec: Object) -> str:
    resources = [container.get("resources") or {} for container in spec.get("containers") or ()]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    fixed = all(
        {"cpu", "memory"} <= set(one.get("limits") or ()) and one.get("requests", one["limits"]) == one["limits"]
        for one in resources
    )
    return "Guaranteed" if fixed else "Burstable"
