"""What a new or changed object claims for itself, although it is given away at the site. Pure.

A port of the nodes and an address of the cluster belong to one Service, and an address is of the cluster's ranges; a
pod's priority is its class's word, and one class is the default.
Online the API server says it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cheops.forms.words import is_outside
from schemas.identity import ResourceId
from services.resolver.judge.demand import mapping_of, rows_of

Body = Mapping[str, Any]
RANGES: Final = "networking.k8s.io/ServiceCIDR/"
CLASSES: Final = "scheduling.k8s.io/PriorityClass/"
SYSTEM: Final = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
PREEMPTS: Final = "PreemptLowerPriority"


def taken(resource: ResourceId, body: Body, bodies: Mapping[ResourceId, Body]) -> list[str]:
    """`path: reason` for each; `bodies`: what is at the site, or comes with the same bundle."""
    if resource.startswith(CLASSES):
        return list(_of_a_class(resource, body, bodies))
    if body.get("apiVersion") != "v1":
        return []
    if body.get("kind") == "Service":
        others = [one for name, one in bodies.items() if name != resource and name.startswith("Service/")]
        return [
            *_of_a_service(mapping_of(body.get("spec")), others),
            *_out_of_range(mapping_of(body.get("spec")), bodies),
        ]
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


def _out_of_range(spec: Body, bodies: Mapping[ResourceId, Body]) -> Iterator[str]:
    """An address that no ServiceCIDR has; where there is none, the ranges are not known."""
    said = [
        cidr
        for name, one in bodies.items()
        if name.startswith(RANGES) and isinstance(rows := mapping_of(one.get("spec")).get("cidrs"), list)
        for cidr in rows
    ]
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP")]
    for one in addresses if isinstance(addresses, list) and spec.get("type") != "ExternalName" else ():
        if is_outside(one, said):
            yield f"spec.clusterIP: {one} is in no range of a ServiceCIDR"


def _of_a_class(resource: ResourceId, body: Body, bodies: Mapping[ResourceId, Body]) -> Iterator[str]:
    for name, one in bodies.items() if body.get("globalDefault") is True else ():
        if name.startswith(CLASSES) and name != resource and one.get("globalDefault") is True:
            yield f"globalDefault: {name.removeprefix(CLASSES)} is the default already"


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
