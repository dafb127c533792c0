"""Mistakes in a Service that show only when two fields are read together. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cheops.forms.words import is_subdomain
from schemas.untyped import mapping_of, rows_of

Body = Mapping[str, Any]
HEADLESS: Final = "None"
FAMILIES: Final = {"IPv4": 4, "IPv6": 6}
NODE_PORTS: Final = range(30_000, 32_768)  # the API server's default, --service-node-port-range
ONLY_OF_BALANCERS: Final = ("loadBalancerClass", "allocateLoadBalancerNodePorts", "loadBalancerSourceRanges")
WITH_NODE_PORTS: Final = ("NodePort", "LoadBalancer")
NOT_OF_NAMES: Final = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def of_its_type(before: Body, now: Body) -> dict[str, Any]:
    """The spec without what another type had brought: who changes the type need not take it away field by field."""
    made, sort = dict(now), now.get("type") or "ClusterIP"
    goes = [] if sort == "LoadBalancer" else list(ONLY_OF_BALANCERS)
    goes += [] if sort in WITH_NODE_PORTS else ["externalTrafficPolicy", "healthCheckNodePort"]
    goes += list(NOT_OF_NAMES) if sort == "ExternalName" else []
    for field in goes:
        if field in made and made[field] == before.get(field):
            del made[field]
    if sort not in WITH_NODE_PORTS and isinstance(ports := made.get("ports"), list):
        given = [one.get("nodePort") for one in rows_of(before.get("ports"))]
        made["ports"] = [_without_given(one, given) for one in ports]
    return made


def _without_given(port: Any, given: list[Any]) -> Any:
    if not isinstance(port, Mapping) or port.get("nodePort") not in given:
        return port
    return {name: value for name, value in port.items() if name != "nodePort"}


def service_rules(body: Body) -> Iterator[str]:
    """What a type permits, and what ports and addresses must not share."""
    spec = mapping_of(body.get("spec"))
    sort = spec.get("type") or "ClusterIP"
    if sort == "ExternalName":
        yield from _a_name(spec)
    else:
        yield from _addresses(spec, str(sort))
    yield from _balancer(spec, sort == "LoadBalancer")
    yield from _ports(spec, str(sort))
    local = spec.get("externalTrafficPolicy")
    if local and sort not in ("NodePort", "LoadBalancer") and not spec.get("externalIPs"):
        yield f"spec.externalTrafficPolicy: {local!r} is for what can be reached from outside"
    families = spec.get("ipFamilies")
    if spec.get("ipFamilyPolicy") == "SingleStack" and isinstance(families, list) and len(families) > 1:
        yield "spec.ipFamilyPolicy: cannot be SingleStack with two families"


def _a_name(spec: Body) -> Iterator[str]:
    name = str(spec.get("externalName") or "").removesuffix(".")
    if not name:
        yield "spec.externalName: missing (type is ExternalName)"
    elif not is_subdomain(name):
        yield f"spec.externalName: {name!r:.80} is no subdomain"
    for field in NOT_OF_NAMES:
        if spec.get(field):
            yield f"spec.{field}: not with type ExternalName"


def _addresses(spec: Body, sort: str) -> Iterator[str]:
    first, every = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if not isinstance(every, list):
        return
    if every and every[0] != first:
        yield f"spec.clusterIPs: must begin with clusterIP ({first or 'which is empty'})"
    if HEADLESS in every and every != [HEADLESS]:
        yield "spec.clusterIPs: None stands alone"
    if first == HEADLESS and sort in ("NodePort", "LoadBalancer"):
        yield f"spec.clusterIP: cannot be None with type {sort}"
    families = []
    for one in every or [first]:
        if one in ("", HEADLESS):
            continue
        try:
            families.append(ipaddress.ip_address(str(one)).version)
        except ValueError:
            yield f"spec.clusterIP: {one!r:.80} is no address"
    said = spec.get("ipFamilies")
    for family, version in zip(said if isinstance(said, list) else (), families, strict=False):
        if family in FAMILIES and FAMILIES[family] != version:
            yield f"spec.clusterIPs: an address is not of its family ({family})"
    if len(set(families)) < len(families):
        yield "spec.clusterIPs: one address of a family"


def _balancer(spec: Body, is_balancer: bool) -> Iterator[str]:
    for field in ONLY_OF_BALANCERS:
        if not is_balancer and spec.get(field) not in (None, []):
            yield f"spec.{field}: only with type LoadBalancer"
    if spec.get("healthCheckNodePort") and not (is_balancer and spec.get("externalTrafficPolicy") == "Local"):
        yield "spec.healthCheckNodePort: only with type LoadBalancer and externalTrafficPolicy Local"


def _ports(spec: Body, sort: str) -> Iterator[str]:
    ports = rows_of(spec.get("ports"))
    if len(ports) > 1 and not all(one.get("name") for one in ports):
        yield "spec.ports: each of several ports needs a name"
    numbers = [(one.get("port"), one.get("protocol") or "TCP") for one in ports]
    twice = next((one for one in numbers if one[0] is not None and numbers.count(one) > 1), None)
    if twice is not None:
        yield f"spec.ports: port {twice[0]} {twice[1]} stands twice"
    outside = [(one.get("nodePort"), one.get("protocol") or "TCP") for one in ports if one.get("nodePort")]
    if outside and sort == "ClusterIP":
        yield "spec.ports: nodePort is for type NodePort or LoadBalancer"
    elif sort in ("NodePort", "LoadBalancer"):
        for number, protocol in outside:
            if number not in NODE_PORTS:
                yield f"spec.ports: nodePort {number} is not within {NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
            elif outside.count((number, protocol)) > 1:
                yield f"spec.ports: nodePort {number} {protocol} stands twice"


def has_ports(body: Body) -> Iterator[str]:
    """What stands for pods stands for ports of theirs; without an address of its own it need not."""
    spec = mapping_of(body.get("spec"))
    if spec.get("type") != "ExternalName" and spec.get("clusterIP") != HEADLESS and not spec.get("ports"):
        yield "spec.ports: missing"
