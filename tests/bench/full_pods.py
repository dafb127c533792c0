"""A seed → Pods as clusters hold them, 7 kB each: defaults, a token, a sidecar, a status, and who manages which field.

Pods of fleet.py say as much to a graph in 1.1 kB. What an API server fills in beside that tells nothing, and has to be
read over all the same. Four replicas of each of as many Deployments as it takes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

from tests.bench.fleet import NODES, Body

REPLICAS: Final = 4
APPS: Final = 6  # in a namespace
LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"  # of names that are made up, as in k8s.io/apimachinery
NOW: Final = "2026-01-01T00:00:00Z"
CONDITIONS: Final = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def full_pods(count: int, seed: int = 7) -> Iterator[Body]:
    """Replica by replica."""
    chance = random.Random(seed)
    for place in range(0, count, REPLICAS):
        app, code = f"app-{place // REPLICAS % APPS}", f"{chance.getrandbits(40):010x}"
        namespace, owner = f"team-{place // REPLICAS // APPS:05d}", _uid(chance)
        for number in range(place, min(place + REPLICAS, count)):
            yield _pod(chance, namespace, app, {"name": f"{app}-{code}", "uid": owner}, 1_000_000 + number)


def _pod(chance: random.Random, namespace: str, app: str, owner: dict[str, str], version: int) -> Body:
    token, start = f"kube-api-access-{_tail(chance)}", f"{owner['name']}-"
    metadata = {
        "name": start + _tail(chance),
        "generateName": start,
        "namespace": namespace,
        "uid": _uid(chance),
        "resourceVersion": str(version),
        "creationTimestamp": NOW,
        "labels": {"app": app, "pod-template-hash": start.split("-")[2]},
        "annotations": {"prometheus.io/scrape": "true"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", **owner, "controller": True}],
        "managedFields": [_managed("kube-controller-manager", "f:spec"), _managed("kubelet", "f:status")],
    }
    spec = _spec(namespace, app, token, f"node-{chance.randrange(NODES):03d}")
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": _status(app)}


def _spec(namespace: str, app: str, token: str, node: str) -> Body:
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": _field("metadata.namespace")}]}},
    ]
    spread = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "kubernetes.io/hostname"}
    gone = [f"node.kubernetes.io/{why}" for why in ("not-ready", "unreachable")]
    return {
        "volumes": [
            {"name": "tls", "secret": {"secretName": f"{app}-tls", "defaultMode": 420}},
            {"name": "config", "configMap": {"name": f"{app}-config", "defaultMode": 420}},
            {"name": token, "projected": {"sources": sources, "defaultMode": 420}},
        ],
        "containers": [_main(namespace, app, token), _sidecar(token)],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": app,
        "serviceAccount": app,
        "nodeName": node,
        "securityContext": {"runAsUser": 1000, "fsGroup": 1000},
        "imagePullSecrets": [{"name": "registry"}],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": spread}]
            }
        },
        "schedulerName": "default-scheduler",
        "tolerations": [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for key in gone
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def _main(namespace: str, app: str, token: str) -> Body:
    env: list[Body] = [
        {"name": "DB_HOST", "value": f"postgres.{namespace}.svc.cluster.local"},
        {"name": "DB_PORT", "value": "5432"},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": f"{app}-credentials", "key": "password"}}},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": _field("metadata.name")}},
        {"name": "CACHE", "value": "redis://redis:6379/0"},
        {"name": "LOG", "value": "json"},
        {"name": "OTEL", "value": "http://collector.observability:4317"},
    ]
    return {
        **_container(app, ["--port=8080", "--log-level=info"], {"http": 8080, "metrics": 9090}, env, token),
        "envFrom": [{"configMapRef": {"name": f"{app}-settings"}}],
        "livenessProbe": _probe("/healthz"),
        "readinessProbe": _probe("/readyz"),
        "securityContext": {"capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True, "allowPrivilegeEscalation": False},
    }


def _sidecar(token: str) -> Body:
    env = [{"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": _field("metadata.namespace")}}]
    args = ["proxy", "sidecar", "--domain", "$(POD_NAMESPACE).svc.cluster.local"]
    return _container("proxy", args, {"http-envoy-prom": 15090}, env, token)


def _container(name: str, args: list[str], ports: dict[str, int], env: list[Body], token: str) -> Body:
    where = "/var/run/secrets/kubernetes.io/serviceaccount"
    return {
        "name": name,
        "image": f"registry.example.com/team/{name}:1.2.3",
        "args": args,
        "ports": [{"name": port, "containerPort": number, "protocol": "TCP"} for port, number in ports.items()],
        "env": env,
        "resources": {
            "limits": {"cpu": "500m", "memory": "512Mi"},
            "requests": {"cpu": "100m", "memory": "128Mi"},
        },
        "volumeMounts": [
            {"name": "tls", "readOnly": True, "mountPath": "/etc/tls"},
            {"name": "config", "mountPath": "/etc/app"},
            {"name": token, "readOnly": True, "mountPath": where},
        ],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def _status(app: str) -> Body:
    states = [
        {
            "name": name,
            "state": {"running": {"startedAt": NOW}},
            "lastState": {},
            "ready": True,
            "restartCount": 0,
            "image": f"registry.example.com/team/{name}:1.2.3",
            "imageID": f"registry.example.com/team/{name}@sha256:{'a' * 64}",
            "containerID": f"containerd://{'b' * 64}",
            "started": True,
        }
        for name in (app, "proxy")
    ]
    known: dict[str, Any] = {"status": "True", "lastProbeTime": None, "lastTransitionTime": NOW}
    return {
        "phase": "Running",
        "conditions": [{"type": one, **known} for one in CONDITIONS],
        "hostIP": "10.1.1.1",
        "podIP": "10.0.0.7",
        "podIPs": [{"ip": "10.0.0.7"}],
        "startTime": NOW,
        "containerStatuses": states,
        "qosClass": "Burstable",
    }


def _managed(manager: str, what: str) -> Body:
    names = [
        f'k:{{"name":"{name}"}}' for name in ("DB_HOST", "DB_PORT", "PASSWORD", "POD_NAME", "CACHE", "LOG", "OTEL")
    ]
    leaves = {name: {".": {}, "f:name": {}, "f:value": {}} for name in names}
    owned = {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}, what: {'k:{"name":"main"}': {".": {}, **leaves}}}
    head = {"manager": manager, "operation": "Update", "apiVersion": "v1", "time": NOW, "fieldsType": "FieldsV1"}
    return {**head, "fieldsV1": owned}


def _probe(path: str) -> Body:
    asked = {"path": path, "port": "http", "scheme": "HTTP"}
    return {"httpGet": asked, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def _field(path: str) -> Body:
    return {"apiVersion": "v1", "fieldPath": path}


def _tail(chance: random.Random) -> str:
    return "".join(chance.choices(LETTERS, k=5))


def _uid(chance: random.Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
