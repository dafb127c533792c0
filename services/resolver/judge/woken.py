"""Who is started by somebody who is no person: a workload at zero that an autoscaler may start. Pure.

KEDA starts what it scales when a trigger fires; a HorizontalPodAutoscaler leaves alone what is at zero, unless its own
minimum is zero. Which of them does, and is not paused, the catalogue says (`recurs`).
"""

from __future__ import annotations

from typing import Final

from schemas.events import Reference, ResourceState
from schemas.identity import KindId
from services.resolver.graph.view import View

WAKERS: Final = frozenset(map(KindId, ("autoscaling/HorizontalPodAutoscaler", "keda.sh/ScaledObject")))
WAKES: Final = frozenset(("autoscaler.target", "scaledobject.target"))  # their rules


def is_woken(view: View, workload: ResourceState) -> bool:
    """Whether its pods may come back by themselves, though it makes none now."""
    if workload.template_labels is None or workload.deleting or workload.facts.get("recurs") is not False:
        return False
    scalers = (
        view.find(one.source)
        for one in view.dependents(workload.resource, which="users").edges
        if one.reference.rule in WAKES
    )
    return any(one is not None and not one.deleting and one.facts.get("recurs") is True for one in scalers)


def is_read_by_pods(reference: Reference) -> bool:
    """Whether pods that come back need it; what was needed once, they do not."""
    return not reference.once and bool(set(reference.phases) & {"A", "S", "L"})
