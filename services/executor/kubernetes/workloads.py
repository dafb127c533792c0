"""What each kind says of its own progress. Pure: object → (state, reason).

The rules are kstatus's, with some of ours: a suspended Job and a paused Deployment are where they should be; a
DaemonSet with OnDelete is not waited for to replace its pods, nor a claim that its class binds at its first use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from schemas.counting import are, counted
from services.executor.kubernetes.conditions import condition, count, mapping, said

State = Literal["current", "progressing", "failed"]
Assessed = tuple[State, str]
Live = Mapping[str, Any]
NO_DEADLINE_S: Final = 2**31 - 1  # progressDeadlineSeconds that means: never; such a Deployment reports no progress
CURRENT: Final[Assessed] = ("current", "")


def deployment(live: Live) -> Assessed:
    """Every replica is of the newest template, available and ready, and none of an older one is left."""
    spec, status = mapping(live, "spec"), mapping(live, "status")
    if spec.get("paused") is True:
        return CURRENT
    progressing = condition(live, "Progressing")
    if progressing is not None and progressing.get("reason") == "ProgressDeadlineExceeded":
        return "failed", said(progressing)
    wanted, made = count(spec, "replicas", 1), count(status, "replicas")
    updated, available = count(status, "updatedReplicas"), count(status, "availableReplicas")
    waiting = _first(
        (made < wanted, _short("replica", made, wanted, condition(live, "ReplicaFailure", "True"))),
        (updated < wanted, _of(updated, wanted, "replica", "updated")),
        (made > wanted, _surplus(made - wanted, "old replica")),
        (available < updated, _of(available, updated, "updated replica", "available")),
        (count(status, "readyReplicas") < wanted, _of(count(status, "readyReplicas"), wanted, "replica", "ready")),
    )
    if waiting:
        return "progressing", waiting
    reports = count(spec, "progressDeadlineSeconds", NO_DEADLINE_S) != NO_DEADLINE_S
    if reports and (progressing is None or progressing.get("reason") != "NewReplicaSetAvailable"):
        return "progressing", "the newest ReplicaSet is not available"
    if condition(live, "Available", "True") is None:
        return "progressing", "not available"
    return CURRENT


def stateful_set(live: Live) -> Assessed:
    """Every replica is ready and of the newest revision, down to the partition."""
    spec, status = mapping(live, "spec"), mapping(live, "status")
    if mapping(spec, "updateStrategy").get("type") == "OnDelete":
        return CURRENT
    wanted, made, ready = count(spec, "replicas", 1), count(status, "replicas"), count(status, "readyReplicas")
    partition = count(mapping(spec, "updateStrategy", "rollingUpdate"), "partition")
    updated = count(status, "updatedReplicas")
    waiting = _first(
        (made < wanted, _of(made, wanted, "replica", "made")),
        (ready < wanted, _of(ready, wanted, "replica", "ready")),
        (made > wanted, _surplus(made - wanted, "replica")),
        (partition > 0 and updated < wanted - partition, _of(updated, wanted - partition, "replica", "updated")),
    )
    if waiting:
        return "progressing", waiting
    if partition == 0 and status.get("currentRevision") != status.get("updateRevision"):
        return "progressing", "older pods have to be replaced"
    return CURRENT


def replica_set(live: Live) -> Assessed:
    """Also a ReplicationController: as many as wanted, all available."""
    wanted, status = count(mapping(live, "spec"), "replicas", 1), mapping(live, "status")
    failure = condition(live, "ReplicaFailure", "True")
    made = count(status, "replicas")
    available, ready = count(status, "availableReplicas"), count(status, "readyReplicas")
    waiting = _first(
        (failure is not None, said(failure or {})),
        (count(status, "fullyLabeledReplicas") < wanted, _short("replica", made, wanted, None)),
        (available < wanted, _of(available, wanted, "replica", "available")),
        (ready < wanted, _of(ready, wanted, "replica", "ready")),
        (made > wanted, _surplus(made - wanted, "replica")),
    )
    return ("progressing", waiting) if waiting else CURRENT


def daemon_set(live: Live) -> Assessed:
    """On every node that wants one: made, updated, available and ready."""
    status = mapping(live, "status")
    if "observedGeneration" not in status or "desiredNumberScheduled" not in status:
        return "progressing", "not observed yet"
    wanted = count(status, "desiredNumberScheduled")
    on_delete = mapping(live, "spec", "updateStrategy").get("type") == "OnDelete"
    for name, verb in (
        ("currentNumberScheduled", "scheduled"),
        ("updatedNumberScheduled", "updated"),
        ("numberAvailable", "available"),
        ("numberReady", "ready"),
    ):
        found = count(status, name)
        if found < wanted and not (on_delete and verb == "updated"):
            return "progressing", _of(found, wanted, "pod", verb)
    return CURRENT


def job(live: Live) -> Assessed:
    """Started is enough: how long it runs is its own affair. Failed is failed."""
    if (failure := condition(live, "Failed", "True")) is not None:
        return "failed", said(failure)
    if condition(live, "Complete", "True") is not None or mapping(live, "spec").get("suspend") is True:
        return CURRENT
    return CURRENT if mapping(live, "status").get("startTime") else ("progressing", "not started")


def pod(live: Live) -> Assessed:
    """Ready, or over and well."""
    status = mapping(live, "status")
    phase = status.get("phase")
    if phase == "Succeeded" or condition(live, "Ready", "True") is not None:
        return CURRENT
    if phase == "Failed":
        return "failed", str(status.get("message") or status.get("reason") or "the pod has failed")
    crashing = _waiting(status, "CrashLoopBackOff")
    if crashing:
        return "failed", crashing
    scheduled = condition(live, "PodScheduled", "False")
    if scheduled is not None:
        return "progressing", said(scheduled)
    return "progressing", _waiting(status) or f"{phase or 'not seen by a node'}, not ready"


def claim(live: Live) -> Assessed:
    """A PersistentVolumeClaim is there for somebody when it is bound."""
    phase = mapping(live, "status").get("phase")
    if phase == "Lost":
        return "failed", "its volume is lost"
    return CURRENT if phase == "Bound" else ("progressing", f"{phase or 'Pending'}, not bound")


def service(live: Live) -> Assessed:
    """A load balancer needs its address inside the cluster; whether an outside one comes is the cloud's affair."""
    spec = mapping(live, "spec")
    if spec.get("type") == "LoadBalancer" and not spec.get("clusterIP"):
        return "progressing", "no cluster IP yet"
    return CURRENT


def definition(live: Live) -> Assessed:
    """A CustomResourceDefinition is there when its kind is served."""
    if (refused := condition(live, "NamesAccepted", "False")) is not None:
        return "failed", said(refused)
    if condition(live, "Established", "True") is not None:
        return CURRENT
    pending = condition(live, "Established")
    return "progressing", said(pending) if pending else "not established"


def api_service(live: Live) -> Assessed:
    """Whoever serves the group answers."""
    if condition(live, "Available", "True") is not None:
        return CURRENT
    pending = condition(live, "Available")
    return "progressing", said(pending) if pending else "not available"


def always(_: Live) -> Assessed:
    """Nothing to wait for once its controller has seen it."""
    return CURRENT


RULES: Final[dict[str, Callable[[Live], Assessed]]] = {
    "apps/Deployment": deployment,
    "apps/StatefulSet": stateful_set,
    "apps/ReplicaSet": replica_set,
    "ReplicationController": replica_set,
    "apps/DaemonSet": daemon_set,
    "batch/Job": job,
    "batch/CronJob": always,
    "Pod": pod,
    "PersistentVolumeClaim": claim,
    "Service": service,
    "policy/PodDisruptionBudget": always,
    "apiextensions.k8s.io/CustomResourceDefinition": definition,
    "apiregistration.k8s.io/APIService": api_service,
}


def _first(*checks: tuple[bool, str]) -> str:
    return next((reason for waiting, reason in checks if waiting), "")


def _of(found: int, wanted: int, what: str, state: str) -> str:
    return f"{found} of {counted(wanted, what)} {are(wanted)} {state}"


def _surplus(number: int, what: str) -> str:
    return f"{counted(number, what)} {'has' if number == 1 else 'have'} to go"


def _short(what: str, found: int, wanted: int, failure: Live | None) -> str:
    text = _of(found, wanted, what, "made")
    return f"{text} ({said(failure)})" if failure is not None else text


def _waiting(status: Live, reason: str = "") -> str:
    """The first container that waits (for this reason), in its own words."""
    for name in ("initContainerStatuses", "containerStatuses"):
        rows = status.get(name)
        for row in rows if isinstance(rows, list) else ():
            waits = mapping(row, "state", "waiting") if isinstance(row, Mapping) else {}
            if waits and reason in ("", waits.get("reason")):
                return f"container {row.get('name')}: {waits.get('message') or waits.get('reason') or 'waiting'}"
    return ""
