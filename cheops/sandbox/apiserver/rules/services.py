"""Services: target ports, cluster IPs, node ports."""

from __future__ import annotations

from collections.abc import Iterator

from cheops.forms.service_rules import WITH_NODE_PORTS, of_its_type
from cheops.forms.words import is_outside
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.statuses import Cause, invalid
from cheops.sandbox.apiserver.store import Object

ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


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
    known = (before or {}).get("spec") or {}
    if known.get("type") != spec.get("type"):
        spec = content["spec"] = of_its_type(known, spec)
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
    _refuse_what_is_taken(realm, content, known)
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
    given = {port for other in _services(realm) for port in _node_ports(other)}
    for port in spec.get("ports") or ():
        if not port.get("nodePort"):
            port["nodePort"] = taken.get((port["port"], port.get("protocol"))) or _free_node_port(realm, given)


def _free_node_port(realm: Realm, given: set[int]) -> int:
    while (port := realm.next_node_port()) in given:
        pass
    return port


def _refuse_what_is_taken(realm: Realm, content: Object, known: Object) -> None:
    """Raises StatusError 422 when another Service has the address or a port of the nodes."""
    spec, kind, name = content["spec"], realm.kind("v1", "Service"), content["metadata"]["name"]
    asked = {port.get("nodePort"): place for place, port in enumerate(spec.get("ports") or ())}
    before = {port.get("nodePort") for port in known.get("ports") or ()}
    address = spec.get("clusterIP")
    if address not in (None, "", "None", known.get("clusterIP")) and is_outside(address, _ranges(realm)):
        why = f'Invalid value: ["{address}"]: failed to allocate IP {address}: not in the valid range'
        raise invalid(kind, name, [Cause("spec.clusterIPs", "FieldValueInvalid", why)])
    for other in _services(realm):
        if _key(other) == _key(content):
            continue
        theirs = other.get("spec") or {}
        for port in _node_ports(other):
            if port in asked and port not in before:
                why = f"Invalid value: {port}: provided port is already allocated"
                raise invalid(kind, name, [Cause(f"spec.ports[{asked[port]}].nodePort", "FieldValueInvalid", why)])
        if address not in (None, "", "None", known.get("clusterIP")) and address == theirs.get("clusterIP"):
            why = f'Invalid value: ["{address}"]: failed to allocate IP {address}: provided IP is already allocated'
            raise invalid(kind, name, [Cause("spec.clusterIPs", "FieldValueInvalid", why)])


def _ranges(realm: Realm) -> list[str]:
    """Of the ServiceCIDRs; none are there unless somebody makes them."""
    kind = realm.kind("networking.k8s.io/v1", "ServiceCIDR")
    said = [one.object for one in realm.store.collection(kind.collection).objects.values()]
    return [cidr for each in said for cidr in each["spec"]["cidrs"]]


def _services(realm: Realm) -> Iterator[Object]:
    collection = realm.store.collection(realm.kind("v1", "Service").collection)
    return (one.object for one in collection.objects.values())


def _node_ports(service: Object) -> list[int]:
    ports = (service.get("spec") or {}).get("ports") or ()
    return [port["nodePort"] for port in ports if port.get("nodePort")]


def _key(service: Object) -> tuple[str, str]:
    return service["metadata"].get("namespace", ""), service["metadata"]["name"]
