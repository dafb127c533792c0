"""The Kubernetes objects of one server of a mesh and of its services, as any cluster takes them. Pure.

All run as nobody, under the restricted level of Pod Security, one pod each: a server has its disk, and of two services
of one role the later one replaces the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

Object = dict[str, Any]

NOBODY: Final = 65532
OWNER_AND_GROUP: Final = 0o440
PART: Final = "app.kubernetes.io"
REQUESTS: Final = {
    "server": {"cpu": "100m", "memory": "64Mi"},
    "watcher": {"cpu": "100m", "memory": "192Mi"},
    "resolver": {"cpu": "200m", "memory": "256Mi"},
    "executor": {"cpu": "100m", "memory": "192Mi"},
}


class Volume(Struct, frozen=True):
    """What a container sees at `path`: a Secret, with its keys as these files, a ConfigMap, or what a claim asks for.

    `files`: of a Secret, key → path below; () = each under its own name
    """

    name: str
    path: str
    secret: str = ""
    claim: str = ""
    config: str = ""
    files: tuple[tuple[str, str], ...] = ()

    @property
    def source(self) -> Object:
        """Where it comes from; nothing of a claim that a StatefulSet makes."""
        if self.claim:
            return {"name": self.name, "persistentVolumeClaim": {"claimName": self.claim}}
        if self.config:
            return {"name": self.name, "configMap": {"name": self.config}}
        items = {"items": [{"key": key, "path": path} for key, path in self.files]} if self.files else {}
        return {"name": self.name, "secret": {"secretName": self.secret, "defaultMode": OWNER_AND_GROUP, **items}}


class Naming:
    """The names and labels of what runs one site or one router."""

    def __init__(self, namespace: str, instance: str) -> None:
        self.namespace, self.instance = namespace, instance

    def labels(self, component: str) -> dict[str, str]:
        """Of one component; they select its pods."""
        return {f"{PART}/name": "cheops", f"{PART}/instance": self.instance, f"{PART}/component": component}

    def within(self, version: str, kind: str, name: str, component: str, **body: Any) -> Object:
        """An object in the namespace."""
        metadata = {"name": name, "namespace": self.namespace, "labels": self.labels(component)}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}

    def namespace_itself(self) -> Object:
        """Nothing that may do more than our pods gets in."""
        labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}}

    def secret(self, name: str, component: str, texts: Mapping[str, str]) -> Object:
        """Keys, certificates, a configuration."""
        return self.within("v1", "Secret", name, component, stringData=dict(texts))

    def service(
        self, name: str, ports: Mapping[str, int], reached: str = "ClusterIP", component: str = "server"
    ) -> Object:
        """Each port leads to the container's of the same name."""
        rows = [{"name": port, "port": number, "targetPort": port} for port, number in ports.items()]
        spec: Object = {"type": reached, "selector": self.labels(component), "ports": rows}
        return self.within("v1", "Service", name, component, spec=spec)

    def rights(self, name: str, component: str, rules: Iterable[Object]) -> list[Object]:
        """What the account of a service may do, wherever it is."""
        role = self.within("rbac.authorization.k8s.io/v1", "ClusterRole", name, component, rules=[*rules])
        subject = {"kind": "ServiceAccount", "name": name, "namespace": self.namespace}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        bound = {"subjects": [subject], "roleRef": reference}
        binding = self.within("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", name, component, **bound)
        for one in (role, binding):
            del one["metadata"]["namespace"]
        return [role, binding]

    def account(self, name: str, component: str) -> Object:
        """Its pods say themselves whether they use its token."""
        return self.within("v1", "ServiceAccount", name, component, automountServiceAccountToken=False)

    def deployment(self, name: str, component: str, pod: Object, texts: Mapping[str, str]) -> Object:
        """`texts`: what its Secrets hold; when that changes, it is started again."""
        spec = {"replicas": 1, "strategy": {"type": "Recreate"}, **self._template(component, pod, texts)}
        return self.within("apps/v1", "Deployment", name, component, spec=spec)

    def stateful(
        self, name: str, component: str, pod: Object, texts: Mapping[str, str], claims: list[Object]
    ) -> Object:
        """The same with disks of its own."""
        spec = {"replicas": 1, "serviceName": name, **self._template(component, pod, texts)}
        return self.within("apps/v1", "StatefulSet", name, component, spec={**spec, "volumeClaimTemplates": claims})

    def _template(self, component: str, pod: Object, texts: Mapping[str, str]) -> Object:
        digest = hashlib.sha256("\0".join(part for row in sorted(texts.items()) for part in row).encode()).hexdigest()
        metadata = {"labels": self.labels(component), "annotations": {"checksum/files": digest[:32]}}
        return {"selector": {"matchLabels": self.labels(component)}, "template": {"metadata": metadata, "spec": pod}}


def claim(storage: str, storage_class: str) -> Object:
    """The specification of a claim; `storage_class` "" = the cluster's default."""
    wanted: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
    return {**wanted, "storageClassName": storage_class} if storage_class else wanted


def pod_of(
    component: str, container: Object, volumes: Iterable[Volume], account: str = "", token: bool = False
) -> Object:
    """One container that may do nothing but what its account may. `token`: it speaks to the API server."""
    rows = [*volumes]
    within = {
        "name": component,
        **container,
        "resources": {"requests": REQUESTS[component]},
        "volumeMounts": [
            {"name": one.name, "mountPath": one.path, **({"readOnly": True} if one.secret or one.config else {})}
            for one in rows
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    user = {"runAsUser": NOBODY, "runAsGroup": NOBODY, "fsGroup": NOBODY, "fsGroupChangePolicy": "OnRootMismatch"}
    return {
        **({"serviceAccountName": account} if account else {}),
        "automountServiceAccountToken": token,
        "enableServiceLinks": False,  # the Service of the gate would set CHEOPS_GATE_PORT to an address
        "securityContext": {"runAsNonRoot": True, **user, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [within],
        "volumes": [one.source for one in rows if one.secret or one.claim or one.config],
    }
