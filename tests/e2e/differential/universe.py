"""A small universe of names, in which random acts meet often; what they are in manifests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.contract.api.client import Content

NAMES: Final = ("one", "two")
KEYS: Final = ("a", "b")
Held = Literal["ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount", "PriorityClass"]
Runs = Literal["Deployment", "StatefulSet"]
How = Literal["env", "envFrom", "volume", "items", "projected"]
CLUSTER_WIDE: Final = ("PriorityClass", "PersistentVolume")


@dataclass(frozen=True)
class Use:
    """One reference of a pod template; a claim is always a volume, and never optional."""

    kind: Held
    name: str
    how: How = "volume"
    key: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Put:
    """Apply what pods use. A claim comes with the volume that it is bound to."""

    kind: Held
    name: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """Apply a workload. `cpu`: what its container asks for, "" nothing; `careful`: as the strictest level asks."""

    name: str
    uses: tuple[Use, ...]
    kind: Runs = "Deployment"
    account: str = ""
    priority: str = ""
    replicas: int = 1
    cpu: str = ""
    careful: bool = False
    with_needs: bool = False


@dataclass(frozen=True)
class Remove:
    """Delete whatever it is, perhaps with all that would break."""

    kind: Held | Runs | Literal["PersistentVolume", "Service"]
    name: str
    with_dependents: bool = False


@dataclass(frozen=True)
class Ground:
    """What a namespace holds its pods to."""

    level: str = ""
    hard: tuple[tuple[str, str], ...] = ()
    limits: tuple[tuple[str, str], ...] = ()


Act = Put | Run | Remove

names = st.sampled_from(NAMES)
maps = st.sampled_from(("ConfigMap", "Secret"))
hows = st.sampled_from(("env", "envFrom", "volume", "items", "projected"))
uses = st.one_of(
    st.builds(Use, maps, names, hows, st.sampled_from(KEYS), st.booleans()),
    st.builds(Use, maps, names, hows, st.sampled_from(KEYS), st.booleans()),
    st.builds(Use, st.just("PersistentVolumeClaim"), names),
)
puts = st.one_of(
    st.builds(Put, maps, names, st.sets(st.sampled_from(KEYS), min_size=1).map(lambda found: tuple(sorted(found)))),
    st.builds(Put, st.sampled_from(("PersistentVolumeClaim", "ServiceAccount", "PriorityClass")), names),
)
perhaps = st.sampled_from(("", "", *NAMES))
runs = st.builds(
    Run,
    names,
    st.lists(uses, max_size=3).map(tuple),
    st.sampled_from(("Deployment", "Deployment", "StatefulSet")),
    account=perhaps,
    priority=perhaps,
    replicas=st.sampled_from((1, 1, 0)),
    cpu=st.sampled_from(("", "50m", "200m")),
    careful=st.booleans(),
    with_needs=st.booleans(),
)
removed = ("ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount", "PriorityClass", "PersistentVolume")
kinds_removed = st.sampled_from((*removed, "Deployment", "StatefulSet", "Service"))
removes = st.builds(
    Remove,
    st.sampled_from((*removed, "Deployment", "StatefulSet", "Service")),
    names,
    st.sampled_from((False,) * 3 + (True,)),
)
acts = st.lists(st.one_of(puts, runs, removes, puts, runs, removes), min_size=6, max_size=10)
grounds = st.builds(
    Ground,
    st.sampled_from(("", "", "baseline", "restricted")),
    st.sampled_from(((), (), (("pods", "1"),), (("requests.cpu", "200m"),), (("secrets", "1"),), (("services", "0"),))),
    st.sampled_from(((), (), (("max", "100m"),), (("min", "100m"),), (("default", "50m"),))),
)


def always_the_same(examples: int) -> settings:
    """So many sequences of acts, the same in every run."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def called(kind: str, name: str, namespace: str) -> str:
    """Its name; what no namespace holds carries it in its own."""
    return f"{namespace}-{name}" if kind in CLUSTER_WIDE else name


def manifests(act: Put | Run, namespace: str) -> list[Content]:
    """What is applied; with what it needs, if it says so."""
    if isinstance(act, Put):
        return [*_held(act, namespace)]
    found = [] if act.kind == "Deployment" else [_service(act.name, namespace)]
    for need in _needs(act) if act.with_needs else ():
        found += manifests(need, namespace)
    unique = {(one["kind"], one["metadata"]["name"]): one for one in found}
    return [*unique.values(), _workload(act, namespace)]


def ground(of: Ground, namespace: str) -> list[Content]:
    """The namespace, and what it is held to."""
    labels = {"labels": {"pod-security.kubernetes.io/enforce": of.level}} if of.level else {}
    found: list[Content] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, **labels}}]
    if of.hard:
        found.append(_object("ResourceQuota", "bound", namespace, spec={"hard": dict(of.hard)}))
    for how, cpu in of.limits:
        rows = [{"type": "Container", how: {"cpu": cpu}}]
        found.append(_object("LimitRange", "bound", namespace, spec={"limits": rows}))
    return found


def _needs(act: Run) -> Iterator[Put]:
    yield from (Put(use.kind, use.name, KEYS) for use in act.uses)
    if act.account:
        yield Put("ServiceAccount", act.account)
    if act.priority:
        yield Put("PriorityClass", act.priority)


def _object(kind: str, name: str, namespace: str, version: str = "v1", **body: object) -> Content:
    place = {} if kind in CLUSTER_WIDE else {"namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": called(kind, name, namespace), **place}, **body}


def _held(act: Put, namespace: str) -> Iterator[Content]:
    if act.kind == "PriorityClass":
        yield _object(act.kind, act.name, namespace, "scheduling.k8s.io/v1", value=10)
    elif act.kind == "PersistentVolumeClaim":
        common = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
        volume = {
            **common,
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/kept"},
            "claimRef": {"apiVersion": "v1", "kind": act.kind, "namespace": namespace, "name": act.name},
        }
        yield _object("PersistentVolume", act.name, namespace, spec=volume)
        asked = {"requests": {"storage": "1Gi"}}
        bound = called("PersistentVolume", act.name, namespace)
        yield _object(act.kind, act.name, namespace, spec={**common, "volumeName": bound, "resources": asked})
    else:
        data = {} if act.kind == "ServiceAccount" else {"data": dict.fromkeys(act.keys, "eA==")}
        yield _object(act.kind, act.name, namespace, **data)


def _service(name: str, namespace: str) -> Content:
    return _object("Service", name, namespace, spec={"selector": {"app": name}, "ports": [{"port": 80}]})


def _workload(act: Run, namespace: str) -> Content:
    labels = {"app": act.name}
    spec: Content = {
        "replicas": act.replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": _pod(act, namespace)},
    }
    own = {"strategy": {"type": "Recreate"}} if act.kind == "Deployment" else {"serviceName": act.name}
    return _object(act.kind, act.name, namespace, "apps/v1", spec={**spec, **own})


def _pod(act: Run, namespace: str) -> Content:
    container: Content = {"name": "main", "image": "x", "env": [], "envFrom": []}
    volumes: list[Content] = []
    for place, use in enumerate(act.uses):
        _point(use, place, container, volumes)
    container["volumeMounts"] = [{"name": one["name"], "mountPath": f"/{one['name']}"} for one in volumes]
    if act.cpu:
        container["resources"] = {"requests": {"cpu": act.cpu}, "limits": {"cpu": act.cpu}}
    if act.careful:
        container["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    pod: Content = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}
    if act.account:
        pod["serviceAccountName"] = act.account
    if act.priority:
        pod["priorityClassName"] = called("PriorityClass", act.priority, namespace)
    return pod


def _point(use: Use, place: int, container: Content, volumes: list[Content]) -> None:
    """From the container, or from a volume of the pod."""
    flag = {"optional": True} if use.optional else {}
    short = "secret" if use.kind == "Secret" else "configMap"
    if use.kind == "PersistentVolumeClaim":
        volumes.append({"name": f"v{place}", "persistentVolumeClaim": {"claimName": use.name}})
    elif use.how == "env":
        source = {f"{short}KeyRef": {"name": use.name, "key": use.key, **flag}}
        container["env"].append({"name": f"E{place}", "valueFrom": source})
    elif use.how == "envFrom":
        container["envFrom"].append({f"{short}Ref": {"name": use.name, **flag}})
    elif use.how == "projected":
        volumes.append({"name": f"v{place}", "projected": {"sources": [{short: {"name": use.name, **flag}}]}})
    else:
        body: Content = {("secretName" if short == "secret" else "name"): use.name, **flag}
        if use.how == "items":
            body["items"] = [{"key": use.key, "path": "p"}]
        volumes.append({"name": f"v{place}", short: body})
