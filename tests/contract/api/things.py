"""Objects that the tests use, and where they live."""

from __future__ import annotations

from typing import Any

Content = dict[str, Any]


def configmaps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def secrets(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets"


def pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


def services(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/services"


def deployments(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


def replicasets(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/replicasets"


def configmap(name: str, data: dict[str, str] | None = None, **metadata: Any) -> Content:
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return {**head, "data": data} if data is not None else head


def deployment(name: str, replicas: int = 1, **pod_spec: Any) -> Content:
    labels = {"app": name}
    containers = [{"name": "main", "image": "example/web:1"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, **pod_spec}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def pod(name: str, **spec: Any) -> Content:
    containers = [{"name": "main", "image": "example/web:1"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": containers, "terminationGracePeriodSeconds": 1, **spec},
    }


def owned_by(owner: Content, *, blocks: bool = False) -> Content:
    """A reference to an object that was answered by the server."""
    metadata = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    reference |= {"name": metadata["name"], "uid": metadata["uid"]}
    return {**reference, "blockOwnerDeletion": True} if blocks else reference


def condition(content: Content | None, kind: str) -> str:
    """The status of a condition, empty when there is none."""
    conditions = ((content or {}).get("status") or {}).get("conditions") or ()
    return next((one["status"] for one in conditions if one["type"] == kind), "")
