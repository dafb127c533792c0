"""Pods bear labels that no template says: who makes the pods that a selector means by such a label? Pure.

Source of the labels: Kubernetes, controllers of StatefulSets and of Jobs.
"""

from __future__ import annotations

from typing import Final

from schemas.events import Reference, ResourceState
from schemas.identity import resource_id
from schemas.relations.selector import matches
from services.resolver.graph.view import View
from services.resolver.judge.use import lives

NAME: Final = "statefulset.kubernetes.io/pod-name"
INDEX: Final = "apps.kubernetes.io/pod-index"
OF_JOBS: Final = ("batch.kubernetes.io/job-name", "job-name")


def maker_of_named(view: View, reference: Reference) -> ResourceState | None:
    """Of a selector that says the name of a pod, or of a Job: whose pods have all of its labels."""
    selector = reference.selector
    if selector is None or len(selector.namespaces) != 1:
        return None
    wanted = selector.labels.match_labels
    pod, job = wanted.get(NAME, ""), next((wanted[one] for one in OF_JOBS if one in wanted), "")
    name, _, ordinal = pod.rpartition("-")
    group, kind, owner = ("apps", "StatefulSet", name) if pod else ("batch", "Job", job)
    maker = view.find(resource_id(group, kind, selector.namespaces[0], owner)) if owner else None
    if maker is None or not lives(view, maker.resource) or (pod and not _has(maker, ordinal)):
        return None
    labels = {**(maker.template_labels or {}), **({NAME: pod, INDEX: ordinal} if pod else dict.fromkeys(OF_JOBS, job))}
    return maker if matches(selector.labels, labels) else None


def _has(maker: ResourceState, ordinal: str) -> bool:
    """A pod of this number; that numbers may begin with another than 0 (`ordinals`) is not known."""
    replicas = maker.facts.get("replicas", 1)
    return ordinal.isdecimal() and isinstance(replicas, int) and int(ordinal) < replicas
