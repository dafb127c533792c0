"""What a new or changed object claims for itself, although it is given away at the site. Pure.

A port of the nodes and an address of the cluster belong to one Service, and an address is of the cluster's ranges; a
pod's priority and what it takes beside its containers are its classes' word, and one class is the default. What holds
of a pod holds of those that a workload makes.
Online the API server says it of the pod itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cheops.forms.words import is_outside
from schemas.identity import ResourceId
from schemas.pods import pod_spec_of
from schemas.untyped import mapping_of, rows_of
from services.resolver.judge.demand import thousandths

Body = Mapping[str, Any]
RANGES: Final = "networking.k8s.io/ServiceCIDR/"
RUNTIMES: Final = "node.k8s.io/RuntimeClass/"
CLASSES: Final = "scheduling.k8s.io/PriorityClass/"
SYSTEM: Final = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
PREEMPTS: Final = "PreemptLowerPriority"


def taken(resource: ResourceId, body: Body, bodies: Mapping[ResourceId, Body]) -> list[str]:
    """`path: reason` for each; `bodies`: what is at the site, or comes with the same bundle."""
    if resource.startswith(CLASSES):
        return list(_of_a_class(resource, body, bodies))
    if (spec := pod_spec_of(body)) is not None and runs(body):
        whose = "" if body.get("kind") == "Pod" else "its pods: "
        return [f"{whose}{why}" for rule in (_priority, _runtime) for why in rule(spec, bodies)]
    if body.get("apiVersion") == "v1" and body.get("kind") == "Service":
        others = [one for name, one in bodies.items() if name != resource and name.startswith("Service/")]
        return [
            *_of_a_service(mapping_of(body.get("spec")), others),
            *_out_of_range(mapping_of(body.get("spec")), bodies),
        ]
    return []


def runs(body: Body) -> bool:
    """Whether pods come of it by themselves."""
    spec = mapping_of(body.get("spec"))
    return spec.get("replicas") != 0 and spec.get("suspend") is not True


def _of_a_service(spec: Body, others: list[Body]) -> Iterator[str]:
    address = spec.get("clusterIP")
    ports = [port for one in rows_of(spec.get("ports")) if (port := one.get("nodePort"))]
    for other in others:
        theirs = mapping_of(other.get("spec"))
        name = mapping_of(other.get("metadata")).get("name")
        if address not in (None, "", "None") and address == theirs.get("clusterIP"):
            yield f"spec.clusterIP: {address} is Service {name}'s"
        both = [port for one in rows_of(theirs.get("ports")) if (port := one.get("nodePort")) in ports]
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


def _priority(spec: Body, bodies: Mapping[ResourceId, Body]) -> Iterator[str]:
    known = _class_of(spec, bodies)
    if known is None:
        return  # whose absence is said elsewhere
    value, preempts = known.get("value"), known.get("preemptionPolicy") or PREEMPTS
    if spec.get("priority") not in (None, value):
        yield f"spec.priority: {spec['priority']} is not what its class says ({value})"
    if spec.get("preemptionPolicy") not in (None, "", preempts):
        yield f"spec.preemptionPolicy: {spec['preemptionPolicy']} is not what its class says ({preempts})"


def _runtime(spec: Body, bodies: Mapping[ResourceId, Body]) -> Iterator[str]:
    """What a class says that pods of it take, and where they run, nobody says otherwise."""
    name = str(spec.get("runtimeClassName") or "")
    known = bodies.get(ResourceId(f"{RUNTIMES}{name}")) if name else {}
    if known is None:
        return  # whose absence is said elsewhere
    mine, its = (_amounts(one) for one in (spec.get("overhead"), mapping_of(known.get("overhead")).get("podFixed")))
    if mine and mine != its:
        yield "spec.overhead: is not what its RuntimeClass says" if name else "spec.overhead: no RuntimeClass says it"
    wanted = mapping_of(mapping_of(known.get("scheduling")).get("nodeSelector"))
    chosen = mapping_of(spec.get("nodeSelector"))
    for label, value in wanted.items():
        if chosen.get(label, value) != value:
            yield f"spec.nodeSelector.{label}: {chosen[label]} is not what its RuntimeClass says ({value})"


def _amounts(value: Any) -> dict[str, int | None]:
    return {str(name): thousandths(one) for name, one in mapping_of(value).items()}


def _class_of(spec: Body, bodies: Mapping[ResourceId, Body]) -> Body | None:
    name = str(spec.get("priorityClassName") or "")
    if name in SYSTEM:
        return {"value": SYSTEM[name]}
    if name:
        return bodies.get(ResourceId(f"{CLASSES}{name}"))
    defaults = (one for name, one in bodies.items() if name.startswith(CLASSES) and one.get("globalDefault") is True)
    return max(defaults, key=lambda one: int(one.get("value") or 0), default={"value": 0})
