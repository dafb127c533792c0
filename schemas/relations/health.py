"""Is an object as it should be? The rules of kstatus (notes of kubernetes-sigs/cli-utils), as facts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

Health = Literal["current", "progressing", "failed", "terminating"]
Map = dict[Any, Any]  # which compiled code looks into without asking what it is
ByKind = Callable[[Any, Map, Map], Health]  # how many replicas are wanted, status, its conditions → health
_NOTHING: Final[Map] = {}
# All that is looked at in a status here.
LOOKED_AT: Final = (
    "observedGeneration",
    "conditions",
    "availableReplicas",
    "readyReplicas",
    "desiredNumberScheduled",
    "numberReady",
    "phase",
)
# Conditions that are true of what does its work: of nodes, issuers, workloads, API services, gateways, definitions.
WELL: Final = ("Ready", "Available", "Accepted", "Programmed", "Established")


def health(kind: str, replicas: Any, metadata: Mapping[Any, Any], status: Any) -> Health:
    """terminating → progressing or failed by conditions and counts → current when nothing speaks against it.

    replicas   how many are wanted; None: one, as the API server fills it in
    """
    if metadata.get("deletionTimestamp"):
        return "terminating"
    said = _map_of(status)
    observed = said.get("observedGeneration")
    if isinstance(observed, int):
        generation = metadata.get("generation")
        if isinstance(generation, int) and observed < generation:
            return "progressing"
    conditions = _conditions(said.get("conditions"))
    if conditions:
        if conditions.get("Stalled") == "True" or conditions.get("Failed") == "True":
            return "failed"
        if conditions.get("Reconciling") == "True":
            return "progressing"
    by_kind = BY_KIND.get(kind)
    if by_kind is not None:
        return by_kind(1 if replicas is None else replicas, said, conditions)
    return "progressing" if conditions.get("Ready") == "False" else "current"


def is_unwell(kind: str, status: Any) -> bool:
    """One of its conditions says that nobody should build on it; a pod that is not ready yet is nothing unusual."""
    if kind == "Pod":
        return False
    rows = _map_of(status).get("conditions")
    if not rows:
        return False
    conditions = _conditions(rows)
    if kind == "Node" and conditions.get("Ready") == "Unknown":
        return True
    return any(conditions.get(one) == "False" for one in WELL)


def _map_of(value: Any) -> Map:
    if isinstance(value, dict):
        return value
    return {**value} if isinstance(value, Mapping) else _NOTHING


def _conditions(rows: Any) -> Map:
    if not isinstance(rows, list):
        return _NOTHING
    found: Map = {}
    for row in rows:
        if isinstance(row, dict):
            name = row.get("type")
            found[name if isinstance(name, str) else str(name)] = row.get("status")
        elif isinstance(row, Mapping):
            found[str(row.get("type"))] = row.get("status")
    return found


def _deployment(replicas: Any, status: Map, conditions: Map) -> Health:
    if conditions.get("Progressing") == "False":
        return "failed"  # its deadline is over
    ready = status.get("availableReplicas") or 0
    return "current" if isinstance(replicas, int) and ready >= replicas else "progressing"


def _replicated(replicas: Any, status: Map, conditions: Map) -> Health:
    ready = status.get("readyReplicas") or 0
    return "current" if isinstance(replicas, int) and ready >= replicas else "progressing"


def _on_each_node(replicas: Any, status: Map, conditions: Map) -> Health:
    wanted = status.get("desiredNumberScheduled") or 0
    return "current" if (status.get("numberReady") or 0) >= wanted else "progressing"


def _pod(replicas: Any, status: Map, conditions: Map) -> Health:
    phase = status.get("phase")
    if phase == "Failed":
        return "failed"
    return "current" if phase == "Succeeded" or conditions.get("Ready") == "True" else "progressing"


def _claim(replicas: Any, status: Map, conditions: Map) -> Health:
    phase = status.get("phase")
    return "current" if phase == "Bound" else "failed" if phase == "Lost" else "progressing"


BY_KIND: Final[Mapping[str, ByKind]] = {
    "Deployment": _deployment,
    "StatefulSet": _replicated,
    "ReplicaSet": _replicated,
    "DaemonSet": _on_each_node,
    "Pod": _pod,
    "PersistentVolumeClaim": _claim,
}
