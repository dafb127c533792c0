"""Kubernetes objects in few words, for tests: one function per kind, `shop` unless said otherwise.

What a test is about is an argument; the rest is the smallest object that an API server would take.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Manifest = dict[str, Any]
ENDING = "2026-01-01T00:00:00Z"  # a deletionTimestamp
API_VERSIONS: Mapping[str, str] = {
    "CronJob": "batch/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Deployment": "apps/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Ingress": "networking.k8s.io/v1",
    "Job": "batch/v1",
    "ReplicaSet": "apps/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "StatefulSet": "apps/v1",
    "StorageClass": "storage.k8s.io/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
}
CLUSTER_SCOPED = (
    "CustomResourceDefinition",
    "Namespace",
    "PersistentVolume",
    "StorageClass",
    "ValidatingWebhookConfiguration",
)


def thing(
    kind: str,
    name: str,
    *,
    namespace: str = "shop",
    labels: Mapping[str, str] | None = None,
    owners: tuple[Manifest, ...] = (),
    ending: bool = False,
    finalizers: tuple[str, ...] = (),
    uid: str = "",
    api: str = "",
    **rest: Any,
) -> Manifest:
    """Any object. `owners`: objects that made it; `ending`: it has a deletionTimestamp."""
    metadata: Manifest = {"name": name, "uid": uid or f"{kind}-{name}"}
    if kind not in CLUSTER_SCOPED:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    if owners:
        metadata["ownerReferences"] = [
            {"apiVersion": one["apiVersion"], "kind": one["kind"]}
            | {"name": one["metadata"]["name"], "uid": one["metadata"]["uid"]}
            for one in owners
        ]
    if ending:
        metadata["deletionTimestamp"] = ENDING
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    return {"apiVersion": api or API_VERSIONS.get(kind, "v1"), "kind": kind, "metadata": metadata, **rest}


def namespace(name: str = "shop", **how: Any) -> Manifest:
    return thing("Namespace", name, **how)


def secret(name: str = "ca", *keys: str, **how: Any) -> Manifest:
    """With these keys (`crt` when none is given)."""
    return thing("Secret", name, data=dict.fromkeys(keys or ("crt",), "eA=="), **how)


def settings(name: str = "settings", *keys: str, **how: Any) -> Manifest:
    """A ConfigMap with these keys (`mode`)."""
    return thing("ConfigMap", name, data=dict.fromkeys(keys or ("mode",), "x"), **how)


# ── what pods need ──────────────────────────────────────────────────────────────────────────────────────────────────


def mounts_secret(name: str = "ca", *keys: str, optional: bool = False) -> Manifest:
    """A pod's specification that mounts a Secret: needed at each start, and while it runs."""
    source: Manifest = {"secretName": name, "optional": optional}
    if keys:
        source["items"] = [{"key": key, "path": key} for key in keys]
    return {"volumes": [{"name": name, "secret": source}]}


def reads_secret(name: str = "ca", key: str = "crt", *, optional: bool = False) -> Manifest:
    """A pod's specification that reads a key at each start."""
    reference = {"name": name, "key": key, "optional": optional}
    return {"containers": [{"name": "main", "env": [{"name": "CA", "valueFrom": {"secretKeyRef": reference}}]}]}


def reads_all_of(name: str = "settings") -> Manifest:
    """A pod's specification that reads a whole ConfigMap at each start."""
    return {"containers": [{"name": "main", "envFrom": [{"configMapRef": {"name": name}}]}]}


def mounts_claim(name: str = "data") -> Manifest:
    return {"volumes": [{"name": name, "persistentVolumeClaim": {"claimName": name}}]}


# ── workloads ───────────────────────────────────────────────────────────────────────────────────────────────────────


def workload(
    kind: str, name: str = "web", pod: Manifest | None = None, *, app: str = "", replicas: int = 1, **how: Any
) -> Manifest:
    """A Deployment, ReplicaSet or StatefulSet. `app`: the label of its pods (its name)."""
    template = {"metadata": {"labels": {"app": app or name}}, "spec": pod or {}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": app or name}}, "template": template}
    return thing(kind, name, spec=spec, **how)


def deployment(name: str = "web", pod: Manifest | None = None, **how: Any) -> Manifest:
    return workload("Deployment", name, pod, **how)


def job(pod: Manifest, *, suspend: bool = False, completed: bool = False, **how: Any) -> Manifest:
    status = {"completionTime": ENDING} if completed else {}
    return thing("Job", "once", spec={"suspend": suspend, "template": {"spec": pod}}, status=status, **how)


def cronjob(pod: Manifest, *, suspend: bool = False, **how: Any) -> Manifest:
    spec = {"suspend": suspend, "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    return thing("CronJob", "nightly", spec=spec, **how)


def pod(
    name: str = "web-1", spec: Manifest | None = None, *, app: str = "web", phase: str = "Running", **how: Any
) -> Manifest:
    how.setdefault("labels", {"app": app})
    return thing("Pod", name, spec=spec or {}, status={"phase": phase}, **how)


# ── what stands before them ─────────────────────────────────────────────────────────────────────────────────────────


def service(name: str = "web", app: str = "web", *ports: int, **how: Any) -> Manifest:
    """It selects the pods with this label `app`."""
    rows = [{"name": f"p{port}", "port": port} for port in ports or (80,)]
    return thing("Service", name, spec={"selector": {"app": app}, "ports": rows}, **how)


def ingress(name: str = "shop", to: str = "web", port: int = 80, **how: Any) -> Manifest:
    backend = {"service": {"name": to, "port": {"number": port}}}
    return thing("Ingress", name, spec={"defaultBackend": backend}, **how)


def claim(name: str = "data", storage_class: str = "fast", *, volume: str = "", **how: Any) -> Manifest:
    """A claim, bound to `volume` when it is given."""
    spec = {"storageClassName": storage_class} | ({"volumeName": volume} if volume else {})
    return thing("PersistentVolumeClaim", name, spec=spec, status={"phase": "Bound" if volume else "Pending"}, **how)


def storage_class(name: str = "fast") -> Manifest:
    return thing("StorageClass", name, provisioner="example.com/disk")


def definition(group: str, kind: str, plural: str) -> Manifest:
    """Of a namespaced kind at v1, whose objects may say anything."""
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions},
    }


def without_uid(manifest: Manifest) -> Manifest:
    """As a person writes it."""
    metadata = {name: value for name, value in manifest["metadata"].items() if name != "uid"}
    return {**manifest, "metadata": metadata}
