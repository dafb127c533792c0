"""Mistakes in a pod, or in the template of a workload, that show only when two fields are read together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cheops.forms.container_rules import amounts, confinement, hooks, mounts, ports, probes, whole
from cheops.forms.system_rules import system
from cheops.forms.volume_rules import claim_source, projected
from schemas.pods import TEMPLATES, pod_spec_of
from schemas.untyped import mapping_of, rows_of

Body = Mapping[str, Any]
CONTAINERS: Final = ("initContainers", "containers")


def pod_rules(body: Body) -> Iterator[str]:
    """Of a pod, or of the template of a workload."""
    spec, path = pod_spec_of(body) or {}, ".".join(TEMPLATES[str(body.get("kind"))])
    claims: dict[Any, Body] = {
        mapping_of(one.get("metadata")).get("name"): {"persistentVolumeClaim": {}}
        for one in rows_of(mapping_of(body.get("spec")).get("volumeClaimTemplates"))
    }
    volumes = {**{one.get("name"): one for one in rows_of(spec.get("volumes"))}, **claims}
    devices = frozenset(one.get("name") for one in rows_of(spec.get("resourceClaims")))
    names = []
    for field in CONTAINERS:
        for place, container in enumerate(rows_of(spec.get(field))):
            here = f"{path}.{field}[{place}]"
            names.append(container.get("name"))
            yield from mounts(here, container, volumes)
            yield from amounts(here, container, devices)
            yield from probes(here, container, field)
            yield from hooks(here, container, spec.get("terminationGracePeriodSeconds"))
            yield from confinement(f"{here}.securityContext", mapping_of(container.get("securityContext")))
            yield from ports(here, container, spec.get("hostNetwork") is True)
    twice = next((one for one in names if one and names.count(one) > 1), None)
    if twice is not None:
        yield f"{path}.containers: name {twice!r} stands twice"
    yield from _host_ports(path, spec, fills_in=body.get("kind") == "Pod")
    yield from whole(path, spec)
    yield from system(path, spec)
    yield from confinement(f"{path}.securityContext", mapping_of(spec.get("securityContext")))
    yield from _volumes(path, spec)
    yield from _placement(path, spec)
    if body.get("kind") == "Pod" and spec.get("schedulingGates") and spec.get("nodeName"):
        yield f"{path}.nodeName: not with schedulingGates"
    if spec.get("dnsPolicy") == "None" and not mapping_of(spec.get("dnsConfig")).get("nameservers"):
        yield f"{path}.dnsConfig.nameservers: missing (dnsPolicy is None)"


def _host_ports(path: str, spec: Body, *, fills_in: bool) -> Iterator[str]:
    """A port of the node is taken once, by what runs at one time; on the node's network a Pod's are (`fills_in`)."""
    fills_in = fills_in and spec.get("hostNetwork") is True
    for beside in (rows_of(spec.get("containers")), *([one] for one in rows_of(spec.get("initContainers")))):
        taken = [
            (number, port.get("protocol") or "TCP", port.get("hostIP") or "")
            for container in beside
            for port in rows_of(container.get("ports"))
            if (number := port.get("hostPort") or (port.get("containerPort") if fills_in else None))
        ]
        twice = next((one for one in taken if taken.count(one) > 1), None)
        if twice is not None:
            yield f"{path}: hostPort {twice[0]} {twice[1]} stands twice"


def _volumes(path: str, spec: Body) -> Iterator[str]:
    for place, volume in enumerate(rows_of(spec.get("volumes"))):
        said = [name for name, value in volume.items() if name != "name" and value is not None]
        if len(said) > 1:
            yield f"{path}.volumes[{place}]: {' and '.join(said)} exclude each other"
        yield from projected(f"{path}.volumes[{place}].projected", mapping_of(volume.get("projected")))
        template = mapping_of(mapping_of(volume.get("ephemeral")).get("volumeClaimTemplate"))
        yield from claim_source(
            f"{path}.volumes[{place}].ephemeral.volumeClaimTemplate.spec", mapping_of(template.get("spec"))
        )


def _placement(path: str, spec: Body) -> Iterator[str]:
    for place, one in enumerate(rows_of(spec.get("tolerations"))):
        yield from toleration(f"{path}.tolerations[{place}]", one)
    for place, one in enumerate(rows_of(spec.get("topologySpreadConstraints"))):
        if one.get("minDomains") is not None and one.get("whenUnsatisfiable") != "DoNotSchedule":
            yield f"{path}.topologySpreadConstraints[{place}].minDomains: only with whenUnsatisfiable DoNotSchedule"
    spread = [
        (one.get("topologyKey"), one.get("whenUnsatisfiable")) for one in rows_of(spec.get("topologySpreadConstraints"))
    ]
    twice = next((one for one in spread if spread.count(one) > 1), None)
    if twice is not None:
        yield f"{path}.topologySpreadConstraints: {' '.join(map(str, twice))} stands twice"
    if spec.get("shareProcessNamespace") is True and spec.get("hostPID") is True:
        yield f"{path}.shareProcessNamespace: not with hostPID"
    for affinity in ("podAffinity", "podAntiAffinity"):
        yield from _terms(f"{path}.affinity.{affinity}", mapping_of(mapping_of(spec.get("affinity")).get(affinity)))
    if spec.get("hostUsers") is False and any(spec.get(one) is True for one in ("hostNetwork", "hostPID", "hostIPC")):
        yield f"{path}.hostUsers: cannot be false beside hostNetwork, hostPID or hostIPC"


def _terms(path: str, affinity: Body) -> Iterator[str]:
    """Keys of labels are added to a selector, so there has to be one."""
    strict, wished = (f"{one}DuringSchedulingIgnoredDuringExecution" for one in ("required", "preferred"))
    rows = [(f"{strict}[{at}]", one) for at, one in enumerate(rows_of(affinity.get(strict)))]
    rows += [
        (f"{wished}[{at}].podAffinityTerm", mapping_of(one.get("podAffinityTerm")))
        for at, one in enumerate(rows_of(affinity.get(wished)))
    ]
    for place, term in rows:
        for field in ("matchLabelKeys", "mismatchLabelKeys"):
            if term.get(field) and term.get("labelSelector") is None:
                yield f"{path}.{place}.{field}: not without labelSelector"


def toleration(path: str, one: Body) -> Iterator[str]:
    """Of a pod or a RuntimeClass."""
    operator = one.get("operator") or "Equal"
    if not one.get("key") and operator != "Exists":
        yield f"{path}.operator: must be Exists without a key"
    if operator == "Exists" and one.get("value"):
        yield f"{path}.value: must be empty with operator Exists"
    if one.get("tolerationSeconds") is not None and one.get("effect") != "NoExecute":
        yield f"{path}.effect: must be NoExecute with tolerationSeconds"


def held_back(before: Body, now: Body) -> Iterator[str]:
    """A pod that is there may be let go and hurried, and neither be held back nor be given more time."""
    gates = [one.get("name") for one in rows_of(before.get("schedulingGates"))]
    added = next((one.get("name") for one in rows_of(now.get("schedulingGates")) if one.get("name") not in gates), None)
    if added is not None:
        yield f"spec.schedulingGates: only deletion is allowed, not {added}"
    old, new = before.get("activeDeadlineSeconds"), now.get("activeDeadlineSeconds")
    if isinstance(old, int) and not (isinstance(new, int) and new <= old):
        yield f"spec.activeDeadlineSeconds: must be less than or equal to {old}"
