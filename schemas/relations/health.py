"""Is an object as it should be? The rules of kstatus (notes of kubernetes-sigs/cli-utils), as facts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Health = Literal["current", "progressing", "failed", "terminating"]


def health(body: Mapping[str, Any], replicas: Any) -> Health:
    """terminating → progressing or failed by conditions and counts → current when nothing speaks against it.

    It looks at nothing of the body but its kind, its metadata and its status. `replicas`: how many are wanted.
    """
    metadata, status = _map(body.get("metadata")), _map(body.get("status"))
    if metadata.get("deletionTimestamp"):
        return "terminating"
    observed, generation = status.get("observedGeneration"), metadata.get("generation")
    if isinstance(observed, int) and isinstance(generation, int) and observed < generation:
        return "progressing"
    rows = status.get("conditions") or ()
    conditions = {row.get("type"): row.get("status") for row in rows if isinstance(row, (dict, Mapping))}
    if conditions.get("Stalled") == "True" or conditions.get("Failed") == "True":
        return "failed"
    if conditions.get("Reconciling") == "True":
        return "progressing"
    return _by_kind(str(body.get("kind")), replicas, status, conditions)


def _by_kind(kind: str, replicas: Any, status: Mapping[str, Any], conditions: Mapping[Any, Any]) -> Health:
    if kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        wanted = 1 if replicas is None else replicas  # as the API server fills it in
        ready = status.get("availableReplicas" if kind == "Deployment" else "readyReplicas") or 0
        return "current" if isinstance(wanted, int) and ready >= wanted else "progressing"
    if kind == "DaemonSet":
        wanted = status.get("desiredNumberScheduled") or 0
        return "current" if (status.get("numberReady") or 0) >= wanted else "progressing"
    if kind == "Pod":
        phase = status.get("phase")
        if phase == "Failed":
            return "failed"
        return "current" if phase == "Succeeded" or conditions.get("Ready") == "True" else "progressing"
    if kind == "PersistentVolumeClaim":
        phase = status.get("phase")
        return "current" if phase == "Bound" else "failed" if phase == "Lost" else "progressing"
    return "progressing" if conditions.get("Ready") == "False" else "current"


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, (dict, Mapping)) else {}  # a dict first: that is known at once
