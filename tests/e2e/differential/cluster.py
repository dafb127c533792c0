"""The judge: writes at the real API server, and a rolling restart of everything that runs."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final

from tests.contract.api.client import STRATEGIC, Api, Content
from tests.kit.waiting import lasting

COMES_UP_S: Final = 45.0  # a second or two on an idle machine
RECOUNTED: Final = "exceeded quota"  # a quota counts a pod that is gone for a moment more; its set tries again
WORKLOADS: Final = ("deployments", "statefulsets")
ROOTS: Final = {
    "Namespace": "/api/v1/namespaces",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
}
PLURALS: Final = {
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
}
_restarts = itertools.count()


def collection(kind: str, namespace: str) -> str:
    """The path of its collection."""
    if kind in ROOTS:
        return ROOTS[kind]
    if kind in PLURALS:
        return f"/api/v1/namespaces/{namespace}/{PLURALS[kind]}"
    return f"/apis/apps/v1/namespaces/{namespace}/{kind.lower()}s"


async def write(api: Api, manifest: Content, namespace: str) -> str:
    """Apply it; what the API server says when it refuses. A claim is bound afterwards."""
    path = collection(manifest["kind"], namespace)
    name = manifest["metadata"]["name"]
    made = await api.apply(f"{path}/{name}", manifest, manager="cheops", force=True)
    if made.status not in (200, 201):
        return f"{manifest['kind']} {name}: {made.status} {made.message}"
    if manifest["kind"] == "PersistentVolumeClaim":
        await api.until(path, name, lambda found: (found or {}).get("status", {}).get("phase") == "Bound")
    return ""


async def remove(api: Api, kind: str, name: str, namespace: str) -> None:
    """Delete it, and wait until it is gone."""
    path = collection(kind, namespace)
    await api.delete(f"{path}/{name}", {"propagationPolicy": "Foreground"})
    await api.until_gone(path, name)


async def restarted(api: Api, namespace: str) -> str:
    """`kubectl rollout restart` of every workload; what keeps one from coming up."""
    stamp = {"spec": {"template": {"metadata": {"annotations": {"restarted": str(next(_restarts))}}}}}
    for kind in WORKLOADS:
        path = f"/apis/apps/v1/namespaces/{namespace}/{kind}"
        for one in (await api.get(path)).content["items"]:
            await api.patch(f"{path}/{one['metadata']['name']}", stamp, STRATEGIC)
    loop = asyncio.get_running_loop()
    end_s = loop.time() + COMES_UP_S
    while not await _all_up(api, namespace):
        refused = await _complaints(api, namespace)
        if any(RECOUNTED not in one for one in refused) or loop.time() >= end_s:
            return "; ".join(refused) or f"not up after {COMES_UP_S:g} s"
        await lasting(0.1)  # what it waits for may end in a complaint, which is no error here
    return ""


async def _all_up(api: Api, namespace: str) -> bool:
    for kind in WORKLOADS:
        found = await api.get(f"/apis/apps/v1/namespaces/{namespace}/{kind}")
        if not all(map(_is_up, found.content["items"])):
            return False
    return True


def _is_up(workload: Content) -> bool:
    wanted, status = workload["spec"]["replicas"], workload.get("status", {})
    seen = status.get("observedGeneration", 0) >= workload["metadata"]["generation"]
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    return seen and counts == [wanted] * 3


async def _complaints(api: Api, namespace: str) -> list[str]:
    """What a kubelet or an admission plugin refuses and will go on refusing."""
    found: list[str] = []
    for pod in (await api.get(f"/api/v1/namespaces/{namespace}/pods")).content["items"]:
        if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") == "Pending":
            states: list[Any] = pod["status"].get("containerStatuses") or []
            found += [one["state"]["waiting"]["message"] for one in states if "waiting" in one["state"]]
    for rows in (await api.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets")).content["items"]:
        conditions = rows.get("status", {}).get("conditions") or []
        if rows["spec"]["replicas"]:
            found += [one["message"] for one in conditions if one["type"] == "ReplicaFailure"]
    return found
