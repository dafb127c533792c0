"""References of service meshes: hosts, destinations, principals → pointers. Pure; see readers.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemas.identity import KindId
from schemas.relations.pointers import OBJECT_PATH_LENS, Pointer, Source


def mesh_host(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """A host of a mesh: `name` (of the own namespace), `name.namespace.svc…`; no star, no other domain."""
    if not isinstance(value, str) or "*" in value or not value:
        return
    name, _, rest = value.partition(".")
    labels = rest.split(".")
    if not rest:
        yield Pointer(kind, name)
    elif labels[1:2] == ["svc"]:
        yield Pointer(kind, name, labels[0])


def mesh_destination(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Where a route of a mesh leads: `{host, port: {number}}`."""
    if isinstance(value, dict):
        port = value.get("port")
        number = port.get("number") if isinstance(port, dict) else None
        for host in mesh_host(value.get("host"), kind, source):
            yield Pointer(kind, host.name, host.namespace, f"port:{number}" if number else "", suffix=".host")


def mesh_subset(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """The part of a host to which a route of a mesh leads: `{host, subset}`."""
    subset = value.get("subset") if isinstance(value, dict) else None
    if isinstance(value, dict) and isinstance(subset, str) and subset:
        for host in mesh_host(value.get("host"), kind, source):
            yield Pointer(kind, host.name, host.namespace, f"subset:{subset}", suffix=".subset")


def spiffe(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """A principal of a mesh: `trust-domain/ns/namespace/sa/name`."""
    parts = value.split("/") if isinstance(value, str) else []
    if len(parts) == max(OBJECT_PATH_LENS) and (parts[1], parts[3]) == ("ns", "sa") and "*" not in parts[4]:
        yield Pointer(kind, parts[4], parts[2])
