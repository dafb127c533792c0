"""A seed and a size → the objects of a cluster, as an API server would list them. Deterministic, lazy.

    of 100 resources in an ordinary namespace: 30 Pods, 12 ReplicaSets, 6 Deployments, 6 Services, 6 EndpointSlices,
    13 Secrets, 8 ConfigMaps, 7 ServiceAccounts, 4 RoleBindings, 3 Ingresses, 3 claims, 1 disruption budget, 1 Namespace

One tenth of all resources are Pods of one large namespace, `farm`, that all mount one ConfigMap (the hub) and are made
by Deployments of 50: what a shared configuration looks like to a graph.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

from schemas.identity import ResourceId

HUB: Final = ResourceId("ConfigMap/farm/settings")
HUB_SHARE: Final = 0.1
FARM_REPLICAS: Final = 50
NAMESPACE_RESOURCES: Final = 100
APPS: Final = 6
NODES: Final = 200
WORDS: Final = ("api", "cart", "mail", "auth", "feed", "stock", "price", "ship", "rate", "search", "image", "audit")
Body = dict[str, Any]


class Fleet:
    """The objects of one cluster of about `size` resources."""

    def __init__(self, size: int, seed: int = 7) -> None:
        self.size = size
        self._random = random.Random(seed)
        self._version = 1_000_000

    def bodies(self) -> Iterator[Body]:
        """Every object, namespace by namespace."""
        farm = int(self.size * HUB_SHARE)
        yield from self.farm(farm)
        left = self.size - farm
        for place in range(max(1, left // NAMESPACE_RESOURCES)):
            yield from self.namespace(f"team-{place:05d}")

    def namespace(self, name: str) -> Iterator[Body]:
        """One hundred resources: a namespace with six applications."""
        yield self._made("v1", "Namespace", "", name, status={"phase": "Active"}, labels={"team": name})
        yield self._made("v1", "ServiceAccount", name, "default")
        yield self._made("v1", "ConfigMap", name, "kube-root-ca.crt", data={"ca.crt": "-"})
        yield self._made("v1", "ConfigMap", name, "flags", data={"flags.yaml": "-"})
        yield self._made("v1", "Secret", name, "registry", data={".dockerconfigjson": "-"}, type="kubernetes.io/docker")
        for place in range(APPS):
            yield from self._app(name, f"{self._random.choice(WORDS)}-{place}", place)
        spec = {"selector": {"matchLabels": {"app.kubernetes.io/part-of": name}}}
        yield self._made("policy/v1", "PodDisruptionBudget", name, "everything", spec=spec)

    def farm(self, pods: int) -> Iterator[Body]:
        """The large namespace: `pods` Pods that all mount the hub."""
        yield self._made("v1", "Namespace", "", "farm", status={"phase": "Active"})
        yield self._made("v1", "ServiceAccount", "farm", "default")
        yield self._made("v1", "ConfigMap", "farm", "settings", data={"settings.yaml": "-", "limits": "-"})
        pod = {
            "containers": [{"name": "work", "image": "work:1"}],
            "volumes": [{"name": "settings", "configMap": {"name": "settings"}}],
        }
        for place in range(0, pods, FARM_REPLICAS):
            app = f"worker-{place // FARM_REPLICAS:05d}"
            labels = {"app": app, "tier": "farm"}
            yield from self._workload("farm", app, labels, pod, min(FARM_REPLICAS, pods - place))

    def _app(self, namespace: str, app: str, place: int) -> Iterator[Body]:
        labels = {"app": app, "app.kubernetes.io/part-of": namespace, "tier": "web" if place % 2 else "data"}
        pod = {
            "serviceAccountName": app,
            "imagePullSecrets": [{"name": "registry"}],
            "containers": [
                {
                    "name": app,
                    "image": f"{app}:1.{place}",
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "env": [
                        _env("PASSWORD", "secretKeyRef", f"{app}-credentials", "password"),
                        {"name": "A", "value": "b"},
                    ],
                    "envFrom": [{"configMapRef": {"name": f"{app}-settings"}}],
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                }
            ],
            "volumes": [
                {"name": "tls", "secret": {"secretName": f"{app}-tls", "items": [{"key": "tls.crt", "path": "crt"}]}},
                {"name": "settings", "configMap": {"name": f"{app}-settings"}},
                *([{"name": "data", "persistentVolumeClaim": {"claimName": f"{app}-data"}}] if place < 3 else []),
            ],
        }
        yield self._made("v1", "ServiceAccount", namespace, app, labels=labels)
        yield self._made("v1", "ConfigMap", namespace, f"{app}-settings", labels=labels, data={"app.yaml": "-"})
        keys = {"username": "-", "password": "-"}
        yield self._made("v1", "Secret", namespace, f"{app}-credentials", labels=labels, data=keys, type="Opaque")
        tls = {"tls.crt": "-", "tls.key": "-"}
        yield self._made("v1", "Secret", namespace, f"{app}-tls", labels=labels, data=tls, type="kubernetes.io/tls")
        pods = yield from self._workload(namespace, app, labels, pod, 5, idle_sets=1)
        yield from self._network(namespace, app, labels, pods, exposed=place < 3)
        if place < 4:
            yield self._binding(namespace, app, labels)
        if place < 3:
            claim = {"storageClassName": "fast", "volumeName": f"pvc-{self._uid()}"}
            status = {"phase": "Bound"}
            yield self._made("v1", "PersistentVolumeClaim", namespace, f"{app}-data", labels, spec=claim, status=status)

    def _workload(
        self, namespace: str, app: str, labels: dict[str, str], pod: Body, replicas: int, idle_sets: int = 0
    ) -> Iterator[Body]:
        """A Deployment, its ReplicaSets and Pods; returns the Pods."""
        template = {"metadata": {"labels": labels}, "spec": pod}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        status = {"availableReplicas": replicas, "observedGeneration": 1}
        deployment = self._made("apps/v1", "Deployment", namespace, app, labels=labels, spec=spec, status=status)
        yield deployment
        pods: list[Body] = []
        for place in range(1 + idle_sets):
            size = 0 if place else replicas
            code = f"{self._random.getrandbits(40):010x}"
            own = {**labels, "pod-template-hash": code}
            inner = {"metadata": {"labels": own}, "spec": pod}
            made = {"replicas": size, "selector": {"matchLabels": own}, "template": inner}
            done = {"replicas": size, "readyReplicas": size, "observedGeneration": 1}
            replica_set = self._made("apps/v1", "ReplicaSet", namespace, f"{app}-{code}", own, made, done, deployment)
            yield replica_set
            for number in range(size):
                tail = f"{self._random.getrandbits(12):03x}{number:02x}"
                one = self._pod(namespace, f"{app}-{code}-{tail}", own, pod, replica_set)
                pods.append(one)
                yield one
        return pods

    def _pod(self, namespace: str, name: str, labels: dict[str, str], pod: Body, owner: Body) -> Body:
        node = f"node-{self._random.randrange(NODES):03d}"
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "podIP": "10.0.0.1"}
        return self._made("v1", "Pod", namespace, name, labels, {**pod, "nodeName": node}, status, owner)

    def _network(
        self, namespace: str, app: str, labels: dict[str, str], pods: list[Body], *, exposed: bool
    ) -> Iterator[Body]:
        ports = [{"name": "http", "port": 80}]
        spec = {"selector": {"app": app}, "ports": ports}
        service = self._made("v1", "Service", namespace, app, labels=labels, spec=spec)
        yield service
        endpoints = [
            {
                "addresses": ["10.0.0.1"],
                "nodeName": pod["spec"]["nodeName"],
                "targetRef": {
                    "kind": "Pod",
                    "name": pod["metadata"]["name"],
                    "namespace": namespace,
                    "uid": pod["metadata"]["uid"],
                },
            }
            for pod in pods
        ]
        mine = {**labels, "kubernetes.io/service-name": app}
        slice_ = self._made("discovery.k8s.io/v1", "EndpointSlice", namespace, f"{app}-x", mine, owner=service)
        yield {**slice_, "endpoints": endpoints, "ports": ports}
        if exposed:
            backend = {"service": {"name": app, "port": {"name": "http"}}}
            rules = [{"host": f"{app}.example", "http": {"paths": [{"path": "/", "backend": backend}]}}]
            tls = [{"secretName": f"{app}-tls", "hosts": [f"{app}.example"]}]
            made = {"ingressClassName": "nginx", "rules": rules, "tls": tls}
            yield self._made("networking.k8s.io/v1", "Ingress", namespace, app, labels=labels, spec=made)

    def _binding(self, namespace: str, app: str, labels: dict[str, str]) -> Body:
        body = self._made("rbac.authorization.k8s.io/v1", "RoleBinding", namespace, app, labels=labels)
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
        return {**body, "roleRef": role, "subjects": [{"kind": "ServiceAccount", "name": app, "namespace": namespace}]}

    def _made(
        self,
        api: str,
        kind: str,
        namespace: str,
        name: str,
        labels: dict[str, str] | None = None,
        spec: Body | None = None,
        status: Body | None = None,
        owner: Body | None = None,
        **rest: Any,
    ) -> Body:
        self._version += 1
        metadata: Body = {"name": name, "uid": self._uid(), "resourceVersion": str(self._version), "generation": 1}
        metadata["creationTimestamp"] = "2026-01-01T00:00:00Z"
        if namespace:
            metadata["namespace"] = namespace
        if labels:
            metadata["labels"] = labels
        if owner is not None:
            metadata["ownerReferences"] = [_owner(owner)]
        body: Body = {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}
        if spec is not None:
            body["spec"] = spec
        if status is not None:
            body["status"] = status
        return body

    def _uid(self) -> str:
        text = f"{self._random.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _env(name: str, kind: str, target: str, key: str) -> Body:
    return {"name": name, "valueFrom": {kind: {"name": target, "key": key}}}


def _owner(body: Body) -> Body:
    metadata = body["metadata"]
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
