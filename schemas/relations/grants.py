"""Who may refer to what: ReferenceGrants and the listeners of Gateways → grants, and is a reference granted? Pure.

Two rules (Gateway API): a reference into another namespace needs a ReferenceGrant *there* that names its kind and
namespace; a route needs a listener of its parent that admits its kind from its namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from schemas.events import Grant, Reference, ResourceState
from schemas.identity import KindId, ResourceKey, kind_id, kind_of
from schemas.relations.selector import from_object, matches
from schemas.untyped import mapping_of, rows_of

GATEWAY_GROUP: Final = "gateway.networking.k8s.io"
LISTENING: Final = frozenset(kind_id(GATEWAY_GROUP, kind) for kind in ("Gateway", "ListenerSet"))
HOSTNAME: Final = "hostname"  # the part of a route, as gateway-api.yaml has it
ROUTED: Final[Mapping[str, Sequence[KindId]]] = {
    protocol: [kind_id(GATEWAY_GROUP, kind) for kind in kinds]
    for protocol, kinds in {
        "HTTP": ("HTTPRoute", "GRPCRoute"),
        "HTTPS": ("HTTPRoute", "GRPCRoute"),
        "TLS": ("TLSRoute", "TCPRoute"),
        "TCP": ("TCPRoute",),
        "UDP": ("UDPRoute",),
    }.items()
}  # what a listener admits that names no kinds; any at a protocol of an implementation's own
Labels = Mapping[str, str]
GrantsReader = Callable[[Mapping[str, Any], str], Iterator[Grant]]


def granted(
    reference: Reference,
    source: ResourceState,
    target: ResourceState | None,
    givers: Iterable[ResourceState],
    namespace_labels: Callable[[str], Labels],
) -> bool | None:
    """Whether a reference has the permission that it needs; None when it needs none, or its target is not there.

    givers            the resources with grants of the *target's* namespace (ReferenceGrants)
    namespace_labels  labels of a namespace, for listeners that choose namespaces by labels
    """
    if not reference.needs_permission or (target is None and kind_of(reference.target) in LISTENING):
        return None
    origin = ResourceKey.parse(source.resource)
    wanted = ResourceKey.parse(reference.target)
    if wanted.kind_id in LISTENING:
        assert target is not None, "asked above"
        hosts = source.parts.get(HOSTNAME, ())
        return any(
            _admits(grant, origin, reference.granule, namespace_labels) and _meets(grant.hostname, hosts)
            for grant in target.grants
        )
    return any(
        grant.target == wanted.kind_id
        and grant.name in ("", wanted.name)
        and grant.source == origin.kind_id
        and origin.namespace in grant.namespaces
        for giver in givers
        if ResourceKey.parse(giver.resource).namespace == wanted.namespace
        for grant in giver.grants
    )


def _admits(grant: Grant, origin: ResourceKey, granule: str, namespace_labels: Callable[[str], Labels]) -> bool:
    if granule.startswith("listener:") and grant.part != granule:
        return False
    if grant.source and grant.source != origin.kind_id:
        return False
    if grant.namespace_labels is not None:
        return matches(grant.namespace_labels, namespace_labels(origin.namespace))
    return not grant.namespaces or origin.namespace in grant.namespaces


def _meets(hostname: str, hosts: Sequence[str]) -> bool:
    """A listener without a hostname takes any, and a route without one comes with the listener's."""
    return not hostname or not hosts or any(_is_below(one, hostname) or _is_below(hostname, one) for one in hosts)


def _is_below(host: str, other: str) -> bool:
    return host == other or (other.startswith("*.") and host.removeprefix("*").endswith(other[1:]))


def grants_reader(how: str) -> GrantsReader | None:
    """How a kind gives permissions (`grants` of its facts) → what reads them of an object in a namespace."""
    return {"ReferenceGrant": read_reference_grant, "listeners": read_listeners}.get(how)


def read_reference_grant(body: Mapping[str, Any], namespace: str) -> Iterator[Grant]:
    """`spec.from` × `spec.to`."""
    spec = mapping_of(body.get("spec"))
    for origin in rows_of(spec.get("from")):
        for target in rows_of(spec.get("to")):
            name = target.get("name")
            yield Grant(
                kind_id(str(origin.get("group") or ""), str(origin.get("kind") or "")),
                (str(origin.get("namespace") or ""),),
                None,
                kind_id(str(target.get("group") or ""), str(target.get("kind") or "")),
                name if isinstance(name, str) else "",
            )


def read_listeners(body: Mapping[str, Any], namespace: str) -> Iterator[Grant]:
    """`spec.listeners[].allowedRoutes`: kinds (none: its protocol's) from Same (default), All, Selector or None."""
    for listener in rows_of(mapping_of(body.get("spec")).get("listeners")):
        allowed = mapping_of(listener.get("allowedRoutes"))
        where = mapping_of(allowed.get("namespaces"))
        how = where.get("from") or "Same"
        if how == "None":
            continue
        labels = from_object(where.get("selector")) if how == "Selector" else None
        if how == "Selector" and labels is None:
            continue
        namespaces = (namespace,) if how == "Same" else ()
        hostname = str(listener.get("hostname") or "")
        for kind in _kinds(allowed) or ROUTED.get(str(listener.get("protocol")), [KindId("")]):
            yield Grant(kind, namespaces, labels, KindId(""), "", f"listener:{listener.get('name')}", hostname)


def _kinds(allowed: Mapping[str, Any]) -> list[KindId]:
    rows = rows_of(allowed.get("kinds"))
    return [kind_id(str(row.get("group") or GATEWAY_GROUP), str(row.get("kind") or "")) for row in rows]
