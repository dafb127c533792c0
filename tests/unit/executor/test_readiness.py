"""Object → current, progressing, failed or terminating: one row per rule, and one per way to be nearly there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.kubernetes.readiness import assess

Body = dict[str, Any]


def thing(api_version: str, kind: str, spec: Body | None = None, status: Body | None = None, **metadata: Any) -> Body:
    """An object of a kind."""
    body: Body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "generation": 2, **metadata}}
    if spec is not None:
        body["spec"] = spec
    if status is not None:
        body["status"] = status
    return body


def conditions(*rows: tuple[str, str] | tuple[str, str, str]) -> list[Body]:
    """`("Ready", "True")`, or with a reason."""
    return [dict(zip(("type", "status", "reason"), row, strict=False)) for row in rows]


FULL = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "readyReplicas": 3, "observedGeneration": 2}
AVAILABLE = conditions(("Progressing", "True", "NewReplicaSetAvailable"), ("Available", "True"))
LATE = conditions(("Progressing", "False", "ProgressDeadlineExceeded"))
ON_ALL = {
    "observedGeneration": 2,
    "desiredNumberScheduled": 3,
    "currentNumberScheduled": 3,
    "updatedNumberScheduled": 3,
    "numberAvailable": 3,
    "numberReady": 3,
}
SETTLED = {
    "observedGeneration": 2,
    "replicas": 3,
    "readyReplicas": 3,
    "currentReplicas": 3,
    "updatedReplicas": 3,
    "currentRevision": "b",
    "updateRevision": "b",
}


def deployment(spec: Body | None = None, **status: Any) -> Body:
    return thing("apps/v1", "Deployment", {"replicas": 3, "progressDeadlineSeconds": 600} | (spec or {}), FULL | status)


def stateful(spec: Body | None = None, **status: Any) -> Body:
    return thing("apps/v1", "StatefulSet", {"replicas": 3} | (spec or {}), SETTLED | status)


def daemons(spec: Body | None = None, **status: Any) -> Body:
    return thing("apps/v1", "DaemonSet", spec or {}, ON_ALL | status)


def replicas(kind: str, **status: Any) -> Body:
    full = {"replicas": 2, "fullyLabeledReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
    return thing("v1" if kind == "ReplicationController" else "apps/v1", kind, {"replicas": 2}, full | status)


def pod(phase: str = "", **status: Any) -> Body:
    return thing("v1", "Pod", {}, {"phase": phase, **status})


def waiting(reason: str) -> list[Body]:
    return [{"name": "main", "state": {"waiting": {"reason": reason}}}]


def job(spec: Body | None = None, **status: Any) -> Body:
    return thing("batch/v1", "Job", spec or {}, status)


def definition(*rows: tuple[str, str]) -> Body:
    status = {"conditions": conditions(*rows)}
    return thing("apiextensions.k8s.io/v1", "CustomResourceDefinition", {}, status)


def custom(*rows: tuple[str, str], **status: Any) -> Body:
    return thing("shop.example/v1", "Widget", {}, {"conditions": conditions(*rows), **status})


CASES: list[tuple[str, Body, str, str]] = [
    ("a ConfigMap is what it is", thing("v1", "ConfigMap"), "current", ""),
    ("a deletion that waits", thing("v1", "ConfigMap", deletionTimestamp="2026"), "terminating", "being deleted"),
    (
        "a deletion names what holds it",
        thing("v1", "ConfigMap", deletionTimestamp="2026", finalizers=["a/b"]),
        "terminating",
        "a/b",
    ),
    ("a generation not seen yet", deployment(observedGeneration=1), "progressing", "generation 2"),
    ("a new Deployment", thing("apps/v1", "Deployment", {"replicas": 3}), "progressing", "0 of 3 replicas are made"),
    ("a Deployment that is ready", deployment(conditions=AVAILABLE), "current", ""),
    ("a Deployment is one replica by default", deployment({"replicas": None}), "progressing", "2 old replicas"),
    ("a Deployment with too few", deployment(replicas=1), "progressing", "1 of 3 replicas are made"),
    ("a Deployment half updated", deployment(updatedReplicas=2), "progressing", "2 of 3 replicas are updated"),
    ("a Deployment with old pods", deployment(replicas=4), "progressing", "1 old replica has to go"),
    ("a Deployment not available", deployment(availableReplicas=0), "progressing", "0 of 3 updated"),
    ("a Deployment not ready", deployment(readyReplicas=2), "progressing", "2 of 3 replicas are ready"),
    ("a paused Deployment", deployment({"paused": True}, updatedReplicas=0), "current", ""),
    ("a Deployment out of time", deployment(conditions=LATE), "failed", "ProgressDeadlineExceeded"),
    ("a Deployment whose ReplicaSet is new", deployment(), "progressing", "newest ReplicaSet"),
    (
        "a Deployment that reports no progress needs only to be available",
        deployment({"progressDeadlineSeconds": 2**31 - 1}, conditions=conditions(("Available", "True"))),
        "current",
        "",
    ),
    (
        "a Deployment that is not available says so",
        deployment(conditions=conditions(("Progressing", "True", "NewReplicaSetAvailable"), ("Available", "False"))),
        "progressing",
        "not available",
    ),
    (
        "a Deployment that may not make pods says why",
        deployment(replicas=0, conditions=conditions(("ReplicaFailure", "True", "FailedCreate"))),
        "progressing",
        "FailedCreate",
    ),
    ("a StatefulSet that is ready", stateful(), "current", ""),
    ("a new StatefulSet", thing("apps/v1", "StatefulSet", {"replicas": 3}), "progressing", "0 of 3"),
    ("a StatefulSet not ready", stateful(readyReplicas=2), "progressing", "2 of 3 replicas are ready"),
    ("a StatefulSet with too many", stateful(replicas=4), "progressing", "1 replica has to go"),
    ("a StatefulSet of two revisions", stateful(currentRevision="a"), "progressing", "older pods"),
    ("a StatefulSet with OnDelete", stateful({"updateStrategy": {"type": "OnDelete"}}, readyReplicas=0), "current", ""),
    (
        "a StatefulSet updated down to its partition",
        stateful({"updateStrategy": {"rollingUpdate": {"partition": 2}}}, updatedReplicas=1, currentRevision="a"),
        "current",
        "",
    ),
    (
        "a StatefulSet above its partition",
        stateful({"updateStrategy": {"rollingUpdate": {"partition": 1}}}, updatedReplicas=1),
        "progressing",
        "1 of 2 replicas are updated",
    ),
    ("a DaemonSet that is ready", daemons(), "current", ""),
    ("a new DaemonSet", thing("apps/v1", "DaemonSet", {}), "progressing", "not observed"),
    ("a DaemonSet not scheduled", daemons(currentNumberScheduled=1), "progressing", "1 of 3 pods are scheduled"),
    ("a DaemonSet not updated", daemons(updatedNumberScheduled=1), "progressing", "1 of 3 pods are updated"),
    ("a DaemonSet not available", daemons(numberAvailable=1), "progressing", "1 of 3 pods are available"),
    ("a DaemonSet not ready", daemons(numberReady=1), "progressing", "1 of 3 pods are ready"),
    (
        "a DaemonSet with OnDelete",
        daemons({"updateStrategy": {"type": "OnDelete"}}, updatedNumberScheduled=0),
        "current",
        "",
    ),
    (
        "a DaemonSet that no node wants",
        daemons(None, **dict.fromkeys(ON_ALL, 0) | {"observedGeneration": 2}),
        "current",
        "",
    ),
    ("a ReplicaSet that is ready", replicas("ReplicaSet"), "current", ""),
    ("a ReplicaSet with too few", replicas("ReplicaSet", fullyLabeledReplicas=1, replicas=1), "progressing", "1 of 2"),
    ("a ReplicaSet not available", replicas("ReplicaSet", availableReplicas=1), "progressing", "1 of 2"),
    ("a ReplicaSet with too many", replicas("ReplicaSet", replicas=3), "progressing", "1 replica has to go"),
    (
        "a ReplicaSet that may not make pods",
        replicas("ReplicaSet", conditions=conditions(("ReplicaFailure", "True", "FailedCreate"))),
        "progressing",
        "FailedCreate",
    ),
    ("a ReplicationController that is ready", replicas("ReplicationController"), "current", ""),
    ("a ReplicationController not ready", replicas("ReplicationController", readyReplicas=0), "progressing", "0 of 2"),
    ("a Job not started", job(), "progressing", "not started"),
    ("a Job that runs", job(startTime="2026"), "current", ""),
    ("a Job that is suspended", job({"suspend": True}), "current", ""),
    ("a Job that is over", job(conditions=conditions(("Complete", "True"))), "current", ""),
    ("a Job that failed", job(conditions=conditions(("Failed", "True", "BackoffLimitExceeded"))), "failed", "Backoff"),
    ("a CronJob", thing("batch/v1", "CronJob", {"schedule": "* * * * *"}, {}), "current", ""),
    ("a Pod that is ready", pod("Running", conditions=conditions(("Ready", "True"))), "current", ""),
    ("a Pod that runs, not ready", pod("Running", conditions=conditions(("Ready", "False"))), "progressing", "Running"),
    ("a Pod that is over and well", pod("Succeeded"), "current", ""),
    ("a Pod that failed", pod("Failed", reason="Evicted"), "failed", "Evicted"),
    ("a Pod that crashes", pod("Running", containerStatuses=waiting("CrashLoopBackOff")), "failed", "container main"),
    ("a Pod that pulls", pod("Pending", containerStatuses=waiting("ImagePullBackOff")), "progressing", "ImagePull"),
    (
        "a Pod without a node",
        pod("Pending", conditions=conditions(("PodScheduled", "False", "Unschedulable"))),
        "progressing",
        "Unschedulable",
    ),
    ("a Pod nobody has seen", thing("v1", "Pod", {}), "progressing", "not seen by a node"),
    ("a claim that waits", thing("v1", "PersistentVolumeClaim", {}, {"phase": "Pending"}), "progressing", "not bound"),
    ("a claim that is bound", thing("v1", "PersistentVolumeClaim", {}, {"phase": "Bound"}), "current", ""),
    ("a claim that lost its volume", thing("v1", "PersistentVolumeClaim", {}, {"phase": "Lost"}), "failed", "lost"),
    ("a Service", thing("v1", "Service", {"type": "ClusterIP"}), "current", ""),
    ("a load balancer without address", thing("v1", "Service", {"type": "LoadBalancer"}), "progressing", "cluster IP"),
    (
        "a load balancer with its inner address",
        thing("v1", "Service", {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}),
        "current",
        "",
    ),
    ("a new definition", definition(), "progressing", "not established"),
    ("a definition being installed", definition(("Established", "False")), "progressing", "Established is False"),
    ("a definition that is served", definition(("NamesAccepted", "True"), ("Established", "True")), "current", ""),
    ("a definition whose names are taken", definition(("NamesAccepted", "False")), "failed", "NamesAccepted"),
    ("a disruption budget", thing("policy/v1", "PodDisruptionBudget", {}, {"observedGeneration": 2}), "current", ""),
    ("a custom object without status", thing("shop.example/v1", "Widget"), "current", ""),
    ("a custom object that is ready", custom(("Ready", "True")), "current", ""),
    ("a custom object that is not", custom(("Ready", "False")), "progressing", "Ready is False"),
    ("a custom object that does not know", custom(("Ready", "Unknown")), "progressing", "Ready is Unknown"),
    ("a custom object that works on it", custom(("Ready", "True"), ("Reconciling", "True")), "progressing", "Reconc"),
    ("a custom object that is stuck", custom(("Ready", "True"), ("Stalled", "True")), "failed", "Stalled"),
    ("a custom object of an old generation", custom(("Ready", "True"), observedGeneration=1), "progressing", "gener"),
]


@pytest.mark.parametrize(("live", "state", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_readiness(live: Body, state: str, reason: str) -> None:
    found = assess(live)
    assert found.state == state, found.reason
    assert reason in found.reason


KINDS = sorted({(case[1]["apiVersion"], case[1]["kind"]) for case in CASES})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(kind=st.sampled_from(KINDS), spec=JSON, status=JSON, rows=JSON)
def test_no_object_however_odd_is_more_than_an_answer(kind: tuple[str, str], spec: Any, status: Any, rows: Any) -> None:
    odd = status | {"conditions": rows, "containerStatuses": rows} if isinstance(status, dict) else status
    found = assess({"apiVersion": kind[0], "kind": kind[1], "metadata": {}, "spec": spec, "status": odd})
    assert found.state in ("current", "progressing", "failed")
