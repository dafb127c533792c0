"""A stand-in kubelet for a real API server: it runs nothing, and refuses to start what a real one would refuse.

A pod starts when every Secret, ConfigMap, key and claim that it names is there (unless optional), for its environment
and for its volumes; until then it stays Pending with the reason that a kubelet gives. It starts each new pod anew, so a
rolling restart asks again. Written from the Kubernetes documentation, not from our catalogue: it is the judge's judge.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from tests.contract.api.client import STRATEGIC, Api, Content
from tests.kit.waiting import lasting

if TYPE_CHECKING:
    from cheops.sandbox.controlplane import ControlPlane

NODE: Final = "stand-in"
LOOK_AGAIN_S: Final = 0.1
ALIVE_EVERY_S: Final = 10.0  # the node controller takes a node for lost after 40 s of silence
_CAPACITY: Final = {"cpu": "64", "memory": "256Gi", "pods": "1000"}


@dataclass(frozen=True, slots=True)
class _Need:
    """`kind` is the plural of its path; `keys` are those that must be in one of its `fields`."""

    kind: str
    name: str
    keys: tuple[str, ...] = ()
    fields: tuple[str, ...] = ("data", "binaryData")


@asynccontextmanager
async def api_of(plane: ControlPlane) -> AsyncIterator[Api]:
    """The API server as its admin."""
    trust = ssl.create_default_context(cafile=str(plane.ca_file))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield Api(session, plane.server_url, trust, plane.token)


@asynccontextmanager
async def kubelet(api: Api) -> AsyncIterator[None]:
    """Runs one node until the block ends."""
    await api.post("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_keep_alive(api)), tasks.create_task(_run_pods(api))]
        try:
            yield
        finally:
            for task in running:
                task.cancel()


async def _keep_alive(api: Api) -> None:
    while True:
        ready = {"type": "Ready", "status": "True", "reason": "StandIn", "lastHeartbeatTime": _now()}
        status = {"capacity": _CAPACITY, "allocatable": _CAPACITY, "conditions": [ready]}
        await api.patch(f"/api/v1/nodes/{NODE}/status", {"status": status}, STRATEGIC)
        await lasting(ALIVE_EVERY_S)


async def _run_pods(api: Api) -> None:
    while True:
        for pod in (await api.get("/api/v1/pods")).content["items"]:
            await _tend(api, pod)
        await lasting(LOOK_AGAIN_S)


async def _tend(api: Api, pod: Content) -> None:
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    if "deletionTimestamp" in metadata:
        await api.delete(path, {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}})
    elif not pod["spec"].get("nodeName"):
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": metadata["name"]}, "target": target}
        await api.post(f"{path}/binding", binding)
    elif pod["status"].get("phase") == "Pending":
        refused = await _refused(api, pod)
        status = _waiting(pod, refused) if refused else _running(pod)
        if status["phase"] == "Running" or not pod["status"].get("containerStatuses"):
            await api.patch(f"{path}/status", {"status": status}, STRATEGIC)


async def _refused(api: Api, pod: Content) -> str:
    """The first thing that is missing, as a kubelet names it; "" when the pod may start."""
    base = f"/api/v1/namespaces/{pod['metadata']['namespace']}"
    for need in _needs(pod["spec"]):
        found = await api.get(f"{base}/{need.kind}/{need.name}")
        if found.status != 200:
            return f"{need.kind} {need.name!r} not found"
        held = {key for field in need.fields for key in found.content.get(field) or ()}
        for key in need.keys:
            if key not in held:
                return f"couldn't find key {key} in {need.kind} {need.name!r}"
        if need.kind == "persistentvolumeclaims" and found.content.get("status", {}).get("phase") != "Bound":
            return f"claim {need.name!r} is not bound"
    return ""


def _needs(spec: Content) -> Iterator[_Need]:
    for volume in spec.get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            yield _Need("persistentvolumeclaims", volume["persistentVolumeClaim"]["claimName"])
        if "secret" in volume:
            yield from _content("secrets", volume["secret"].get("secretName"), volume["secret"])
        if "configMap" in volume:
            yield from _content("configmaps", volume["configMap"].get("name"), volume["configMap"])
        for source in (volume.get("projected") or {}).get("sources") or ():
            for field, kind in (("secret", "secrets"), ("configMap", "configmaps")):
                if field in source:
                    yield from _content(kind, source[field].get("name"), source[field])
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        for one in container.get("envFrom") or ():
            for field, kind in (("secretRef", "secrets"), ("configMapRef", "configmaps")):
                if field in one and not one[field].get("optional"):
                    yield _Need(kind, one[field]["name"])
        for one in container.get("env") or ():
            for field, kind in (("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps")):
                reference = (one.get("valueFrom") or {}).get(field)
                if reference and not reference.get("optional"):
                    yield _Need(kind, reference["name"], (reference["key"],), ("data",))


def _content(kind: str, name: Any, source: Content) -> Iterator[_Need]:
    if not source.get("optional"):
        yield _Need(kind, name, tuple(item["key"] for item in source.get("items") or ()))


def _running(pod: Content) -> Content:
    statuses = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": container["image"],
            "containerID": f"stand-in://{pod['metadata']['uid']}/{container['name']}",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": _now()}},
        }
        for container in pod["spec"]["containers"]
    ]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": _now()}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    return {
        "phase": "Running",
        "conditions": conditions,
        "containerStatuses": statuses,
        "startTime": _now(),
        "podIP": "10.1.0.1",
        "podIPs": [{"ip": "10.1.0.1"}],
    }


def _waiting(pod: Content, reason: str) -> Content:
    statuses = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"waiting": {"reason": "CreateContainerConfigError", "message": reason}},
        }
        for container in pod["spec"]["containers"]
    ]
    return {"phase": "Pending", "containerStatuses": statuses}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
