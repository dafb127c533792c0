"""Operations, permits and objects for the executor's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.identity import ResourceId, SiteName
from schemas.operations import Operation, Propagation
from schemas.verdicts import Action, Preconditions

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def operation(
    action: Action = "apply",
    manifest: dict[str, Any] | None = None,
    *,
    resource: str = "",
    id: str = "",
    intent: str = "i1",
    revision: int = 1,
    step: str = "s1",
    uid: str = "",
    resource_version: str = "",
    absent: bool = False,
    ready_timeout_s: float = 30.0,
    propagation: Propagation = "background",
    issued_at: datetime | None = None,
    expires_in_s: float = 3_600.0,
) -> Operation:
    """An operation at lyon; the resource is read off the manifest unless it is named."""
    issued = issued_at or datetime.now(UTC)
    return Operation(
        id=id or f"{intent}.{revision}.{step}",
        intent=intent,
        revision=revision,
        step=step,
        site=SiteName("lyon"),
        action=action,
        resource=ResourceId(resource or resource_of(manifest or {})),
        version=version_of(manifest or {}),
        manifest=manifest,
        preconditions=Preconditions(uid=uid, resource_version=resource_version, absent=absent),
        propagation=propagation,
        ready_timeout_s=ready_timeout_s,
        issued_at=issued,
        expires_at=issued + timedelta(seconds=expires_in_s),
    )


def resource_of(manifest: dict[str, Any]) -> str:
    """The identity that a manifest names."""
    group = str(manifest["apiVersion"]).rpartition("/")[0]
    metadata = manifest["metadata"]
    parts = (group, manifest["kind"], metadata.get("namespace", ""), metadata["name"])
    return "/".join(part for part in parts if part)


def version_of(manifest: dict[str, Any]) -> str:
    """`v1` of `apps/v1`."""
    return str(manifest.get("apiVersion", "v1")).rpartition("/")[2]


def config_map(namespace: str, name: str = "settings", **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"colour": "blue"}}


def secret(namespace: str, name: str = "token", **values: Any) -> dict[str, Any]:
    """A Secret with plain values."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def deployment(namespace: str, name: str = "web", replicas: int = 1) -> dict[str, Any]:
    """A Deployment that nobody runs where there is no kubelet."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "registry.example/web:1"}]},
            },
        },
    }


def pod(namespace: str, name: str = "lonely") -> dict[str, Any]:
    """A Pod that no scheduler looks at: it becomes ready when a test says so."""
    spec = {"schedulerName": "nobody", "containers": [{"name": "main", "image": "registry.example/web:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
