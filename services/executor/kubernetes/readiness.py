"""Object → is it what it should be? By the rules of kstatus. Pure: the object is all that is looked at.

deletionTimestamp ──▶ terminating         generation not observed ──▶ progressing
Reconciling ──▶ progressing               Stalled ──▶ failed
what its kind says of itself (workloads.py), else its Ready condition, else current
"""

from __future__ import annotations

from typing import Final

from services.executor.kubernetes import manifests
from services.executor.kubernetes.conditions import condition, mapping, said
from services.executor.kubernetes.manifests import Object
from services.executor.kubernetes.workloads import RULES
from services.executor.target import Progress, ProgressState

_NODE: Final = "volume.kubernetes.io/selected-node"


def assess(live: Object) -> Progress:
    """How far this object is on its way to what its spec says."""
    version = manifests.version_of(live)
    state, reason = _assess(live)
    return Progress(state, reason, version)


def class_of_waiting_claim(live: Object) -> str:
    """The StorageClass of a claim that is not bound and has no node; "" of anything else.

    If it binds when a pod uses the claim (see `binds_at_first_use`), there is nothing to wait for.
    """
    annotations = mapping(live, "metadata", "annotations")
    waits = _kind(live) == "PersistentVolumeClaim" and mapping(live, "status").get("phase") in (None, "Pending")
    return str(mapping(live, "spec").get("storageClassName") or "") if waits and _NODE not in annotations else ""


def binds_at_first_use(storage_class: Object) -> bool:
    """A volume is found or made when a pod that uses the claim was given a node."""
    return storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"


def _assess(live: Object) -> tuple[ProgressState, str]:
    if manifests.is_terminating(live):
        held = manifests.finalizers_of(live)
        return "terminating", f"held by {', '.join(held)}" if held else "being deleted"
    observed = mapping(live, "status").get("observedGeneration")
    generation = mapping(live, "metadata").get("generation")
    if observed is not None and generation is not None and observed != generation:
        return "progressing", f"generation {generation} is not observed yet ({observed} is)"
    if (reconciling := condition(live, "Reconciling", "True")) is not None:
        return "progressing", said(reconciling)
    if (stalled := condition(live, "Stalled", "True")) is not None:
        return "failed", said(stalled)
    rule = RULES.get(_kind(live))
    return rule(live) if rule is not None else _by_ready_condition(live)


def _by_ready_condition(live: Object) -> tuple[ProgressState, str]:
    ready = condition(live, "Ready")
    if ready is None or ready.get("status") == "True":
        return "current", ""
    return "progressing", said(ready)


def _kind(live: Object) -> str:
    group, slash, _ = str(live.get("apiVersion", "")).rpartition("/")
    return f"{group}{slash}{live.get('kind')}"
