"""What a new or changed object claims for itself, although it is given away at the site. Pure.

A port of the nodes and an address of the cluster belong to one Service; a pod's priority is its class's word.
Online the API server says it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.identity import ResourceId
from services.resolver.judge.demand import mapping_of, rows_of

Body = Mapping[str, Any]
CLASSES: Final = "scheduling.k8s.io/PriorityClass/"
SYSTEM: Final = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
PREEMPTS: Final = "PreemptLowerPriority"


def taken(resource: ResourceId, body: Body, bodies: Mapping[ResourceId, Body]) -> list[str]:
    """`path: reason` for each; `bodies`: what is at the site, or comes with the same bundle."""
    if body.get("apiVersion") != "v1":
        return []
    if body.get("kind") == "Service":
        others = [one for name, one in bodies.items() if name != resource and name.startswith("Service/")]
        return list(_of_a_service(mapping_of(body.get("spec")), others))
    return list(_of_a_pod(mapping_of(body.get("spec")), bodies)) if body.get("kind") == "Pod" else []


def _of_a_service(spec: Body, others: list[Body]) -> Iterator[str]:
    address = spec.get("clusterIP")
    ports = {one.get("nodePort") for one in rows_of(spec.get("ports"))} - {None, 0}
    for other in others:
        theirs = mapping_of(other.get("spec"))
        name = mapping_of(other.get("metadata")).get("name")
        if address not in (None, "", "None") and address == theirs.get("clusterIP"):
            yield f"spec.clusterIP: {address} is Service {name}'s"
        both = ports & {one.get("nodePort") for one in rows_of(theirs.get("ports"))}
        yield from (f"spec.ports: nodePort {one} is Service {name}'s" for one in sorted(both, key=str))


def _of_a_pod(spec: Body, bodies: Mapping[ResourceId, Body]) -> Iterator[str]:
    known = _class_of(spec, bodies)
    if known is None:
        return  # whose absence is said elsewhere
    value, preempts = known.get("value"), known.get("preemptionPolicy") or PREEMPTS
    if spec.get("priority") not in (None, value):
        yield f"spec.priority: {spec['priority']} is not what its class says ({value})"
    if spec.get("preemptionPolicy") not in (None, "", preempts):
        yield f"spec.preemptionPolicy: {spec['preemptionPolicy']} is not what its class says ({preempts})"


def _class_of(spec: Body, bodies: Mapping[ResourceId, Body]) -> Body | None:
    name = str(spec.get("priorityClassName") or "")
    if name in SYSTEM:
        return {"value": SYSTEM[name]}
    if name:
        return bodies.get(ResourceId(f"{CLASSES}{name}"))
    defaults = (one for name, one in bodies.items() if name.startswith(CLASSES) and one.get("globalDefault") is True)
    return max(defaults, key=lambda one: int(one.get("value") or 0), default={"value": 0})
