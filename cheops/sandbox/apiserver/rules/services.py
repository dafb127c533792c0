"""Services: target ports, cluster IPs, node ports."""

from __future__ import annotations

from collections.abc import Iterator

from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.statuses import Cause
from cheops.sandbox.apiserver.store import Object

ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


def check_service(content: Object) -> Iterator[Cause]:
    """A cluster of one address family."""
    spec = content.get("spec") or {}
    if (policy := spec.get("ipFamilyPolicy")) == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        yield Cause("spec.ipFamilyPolicy", "FieldValueInvalid", f'Invalid value: "{policy}": {why}')
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family != "IPv4":
            message = f'Invalid value: "{family}": not configured on this cluster'
            yield Cause(f"spec.ipFamilies[{index}]", "FieldValueInvalid", message)


def derive_service(content: Object, before: Object | None) -> None:
    spec = content.setdefault("spec", {})
    for port in spec.get("ports") or ():
        port.setdefault("targetPort", port.get("port", 0))
    if spec.get("type") != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")


def allocate_service(realm: Realm, content: Object, before: Object | None) -> None:
    spec = content["spec"]
    if spec.get("type") == "ExternalName":
        return
    known = (before or {}).get("spec") or {}
    for name in ALLOCATED:  # allocated once; who leaves them out keeps them
        if name in known:
            spec.setdefault(name, known[name])
    if not spec.get("clusterIP"):
        spec["clusterIP"] = realm.next_cluster_ip()
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec.get("type") in WITH_NODE_PORTS:
        _give_node_ports(realm, spec, known)


def _give_node_ports(realm: Realm, spec: Object, known: Object) -> None:
    spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    taken = {(port["port"], port.get("protocol")): port.get("nodePort") for port in known.get("ports") or ()}
    for port in spec.get("ports") or ():
        if not port.get("nodePort"):
            port["nodePort"] = taken.get((port["port"], port.get("protocol"))) or realm.next_node_port()
