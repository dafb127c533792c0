"""What a kubelet says about a pod: not placed, waiting, running, done."""

from __future__ import annotations

from typing import Any

from cheops.sandbox.apiserver.controllers.needs import Need
from cheops.sandbox.apiserver.realm import now_text
from cheops.sandbox.apiserver.store import Object, Stored

KUBELET_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
NODE_ADDRESS = "10.0.0.1"


def unplaced(pod: Stored, reason: str, message: str) -> Object:
    condition = _condition(pod, "PodScheduled", "False", reason, message)
    return {**_base(pod), "phase": "Pending", "conditions": [condition, *_of_others(pod, [condition])]}


def waiting(pod: Stored, need: Need) -> Object:
    """Placed, but something that it needs is missing."""
    what = need.kind.lower()
    if need.stage == "mounting":
        reason, message = "ContainerCreating", ""
    else:
        reason, message = "CreateContainerConfigError", f'{what} "{need.name}" not found'
    names = [container["name"] for container in pod.object["spec"]["containers"]]
    unready = f"containers with unready status: [{' '.join(names)}]"
    conditions = [
        _condition(pod, "Initialized", "True"),
        _condition(pod, "Ready", "False", "ContainersNotReady", unready),
        _condition(pod, "ContainersReady", "False", "ContainersNotReady", unready),
        _condition(pod, "PodScheduled", "True"),
    ]
    conditions += _of_others(pod, conditions)
    state: Object = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    statuses = _container_statuses(pod, state, ready=False)
    return {**_base(pod), **_started(pod), "phase": "Pending", "conditions": conditions, "containerStatuses": statuses}


def running(pod: Stored, address: str) -> Object:
    conditions = [_condition(pod, kind, "True") for kind in KUBELET_CONDITIONS]
    conditions += _of_others(pod, conditions)
    status = {**_base(pod), **_started(pod), "phase": "Running", "conditions": conditions}
    status |= {"podIP": address, "podIPs": [{"ip": address}]}
    done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now_text(), "finishedAt": now_text()}}
    if pod.object["spec"].get("initContainers"):
        status["initContainerStatuses"] = _container_statuses(pod, done, ready=True, which="initContainers")
    status["containerStatuses"] = _container_statuses(pod, {"running": {"startedAt": now_text()}}, ready=True)
    return status


def succeeded(pod: Stored, status: Object) -> Object:
    done = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now_text(), "finishedAt": now_text()}}
    conditions = [
        {**one, "status": "False", "reason": "PodCompleted"} if one["type"] in ("Ready", "ContainersReady") else one
        for one in status["conditions"]
    ]
    statuses = _container_statuses(pod, done, ready=False)
    return {**status, "phase": "Succeeded", "conditions": conditions, "containerStatuses": statuses}


def _of_others(pod: Stored, own: list[Object]) -> list[Object]:
    """Conditions that somebody else reports, readiness gates among them."""
    known = (pod.object.get("status") or {}).get("conditions") or ()
    mine = {*KUBELET_CONDITIONS, *(condition["type"] for condition in own)}
    return [condition for condition in known if condition["type"] not in mine]


def _base(pod: Stored) -> Object:
    known = pod.object.get("status") or {}
    return {
        "qosClass": known.get("qosClass", "BestEffort"),
        "observedGeneration": pod.metadata.get("generation", 1),
    }


def _started(pod: Stored) -> Object:
    known = pod.object.get("status") or {}
    start = known.get("startTime") or now_text()
    return {"startTime": start, "hostIP": NODE_ADDRESS, "hostIPs": [{"ip": NODE_ADDRESS}]}


def _container_statuses(pod: Stored, state: Object, *, ready: bool, which: str = "containers") -> list[Any]:
    return [
        {
            "name": container["name"],
            "image": container.get("image", ""),
            "imageID": "",
            "ready": ready,
            "started": "running" in state,
            "restartCount": 0,
            "state": state,
            "lastState": {},
        }
        for container in pod.object["spec"][which]
    ]


def _condition(pod: Stored, kind: str, status: str, reason: str = "", message: str = "") -> Object:
    """With the time at which it became so."""
    known = (pod.object.get("status") or {}).get("conditions") or ()
    before: Object = next((one for one in known if one["type"] == kind and one["status"] == status), {})
    condition: Object = {"type": kind, "status": status}
    condition["lastTransitionTime"] = before.get("lastTransitionTime") or now_text()
    condition["observedGeneration"] = pod.metadata.get("generation", 1)
    return {**condition, **({"reason": reason} if reason else {}), **({"message": message} if message else {})}
