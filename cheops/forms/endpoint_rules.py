"""Mistakes in lists of endpoints that show only when two fields are read together. Pure; see crossing.py."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cheops.forms.words import is_ordinary_address, is_subdomain
from schemas.untyped import rows_of

Body = Mapping[str, Any]
VERSIONS: Final = {"IPv4": 4, "IPv6": 6}
ADDRESSES: Final = ("addresses", "notReadyAddresses")


def slices(body: Body) -> Iterator[str]:
    """Addresses are of the sort that the slice says; each port has its own name."""
    sort = str(body.get("addressType"))
    for at, one in enumerate(rows_of(body.get("endpoints"))):
        addresses = one.get("addresses")
        for place, address in enumerate(addresses if isinstance(addresses, list) else ()):
            if not _is_of(sort, address):
                yield f"endpoints[{at}].addresses[{place}]: {address!r:.60} is no {sort} address of an endpoint"
    names = [one.get("name") or "" for one in rows_of(body.get("ports"))]
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        yield f"ports: name {twice!r} stands twice"


def _is_of(sort: str, address: Any) -> bool:
    if sort == "FQDN":
        return is_subdomain(address)
    if sort not in VERSIONS:
        return True  # which is said of the field
    return is_ordinary_address(address) and ipaddress.ip_address(str(address)).version == VERSIONS[sort]


def subsets(body: Body) -> Iterator[str]:
    """Each has addresses, and several ports have names."""
    for at, one in enumerate(rows_of(body.get("subsets"))):
        if not any(one.get(field) for field in ADDRESSES):
            yield f"subsets[{at}]: addresses or notReadyAddresses is missing"
        for field in ADDRESSES:
            for place, address in enumerate(rows_of(one.get(field))):
                if not is_ordinary_address(address.get("ip")):
                    yield f"subsets[{at}].{field}[{place}].ip: {address.get('ip')!r:.60} is no address of an endpoint"
        ports = rows_of(one.get("ports"))
        if len(ports) > 1 and not all(port.get("name") for port in ports):
            yield f"subsets[{at}].ports: each of several ports needs a name"
