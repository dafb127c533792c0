"""What Kubernetes adds to CEL: quantities, addresses, URLs, regular expressions, lists and sets. Pure; see cel.py.

A quantity, an address, a range or a URL is to the language a mapping of one entry, its canonical form; so two that are
the same are equal. An implementation that raises makes its expression one that cannot be told.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from cheops.forms.schema_values import compiled
from services.resolver.judge.demand import amount_of

Opaque = Mapping[str, str]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Interface | ipaddress.IPv6Interface
AMOUNT: Final = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]*))([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?")
LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,2}")
AUTHORITY: Final = re.compile(r"(?:[^@]*@)?(?P<host>(?P<name>\[[0-9a-fA-F:.]*\]|[^:@\[\]]*)(?::(?P<port>[0-9]*))?)")
PLAIN_URL: Final = re.compile(r"[!-$&-~]*")  # Go and Python read all others differently


def declared(cel: Any) -> list[Any]:
    """The declarations for an environment of the library."""
    types = {
        "text": cel.Type.STRING,
        "yes": cel.Type.BOOL,
        "whole": cel.Type.INT,
        "number": cel.Type.DOUBLE,
        "list": cel.Type.List(cel.Type.DYN),
        "map": cel.Type.MAP,
        "any": cel.Type.DYN,
    }
    overloads: dict[str, list[Any]] = {}
    for place, (signature, step) in enumerate(_FUNCTIONS):
        name, *taken, given = signature.split()
        made = cel.Overload(
            f"cheops_{place}",
            return_type=types[given],
            parameters=[types[one] for one in taken],
            is_member=name.startswith("."),
            impl=step,
        )
        overloads.setdefault(name.removeprefix("."), []).append(made)
    return [cel.FunctionDecl(name, rows) for name, rows in overloads.items()]


def _amount(text: str) -> Decimal:
    written = AMOUNT.fullmatch(text)
    found = written and amount_of(f"{written[1].rstrip('.') or 0}{written[2] or ''}")
    if found is None:
        raise ValueError(text)
    return found


def _quantity(amount: Decimal) -> Opaque:
    return {"quantity": format(amount.normalize(), "f")}


def _of(quantity: Opaque) -> Decimal:
    return Decimal(quantity["quantity"])


def _address(text: str) -> Address:
    found = ipaddress.ip_address(text)
    if "%" in text or getattr(found, "ipv4_mapped", None):
        raise ValueError(text)
    return found


def _range(text: str) -> Network:
    if "/" not in text or not LENGTH.fullmatch(text.rpartition("/")[2]):
        raise ValueError(text)
    _address(text.rpartition("/")[0])
    return ipaddress.ip_interface(text)


def _ip(text: Any) -> Opaque:
    return {"ip": str(_address(str(text)))}


def _cidr(text: Any) -> Opaque:
    return {"cidr": str(_range(str(text)))}


def _host(address: Opaque) -> Address:
    return _address(address["ip"])


def _network(network: Opaque) -> Network:
    return _range(network["cidr"])


def _within(outer: Opaque, inner: Any) -> bool:
    here = _network(outer).network
    return inner.version == here.version and inner in here


def _contains(outer: Opaque, inner: Network) -> bool:
    here = _network(outer).network
    same = inner.version == here.version
    return same and inner.ip in here and inner.network.prefixlen >= here.prefixlen


def _url(text: str) -> tuple[SplitResult, re.Match[str]]:
    """What it consists of, and what its authority does."""
    parts = urlsplit(text)
    authority = AUTHORITY.fullmatch(parts.netloc)
    if authority is None or not (parts.scheme or text.startswith("/")) or not PLAIN_URL.fullmatch(text):
        raise ValueError(text)
    return parts, authority


def _part(name: str) -> Callable[[Opaque], str]:
    return lambda url: (_url(url["url"])[1][name] or "").strip("[]")


def _path(url: Opaque) -> str:
    path = _url(url["url"])[0].path
    return path if path.startswith("/") else ""


def _is(reading: Callable[[str], Any]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            reading(text)
        except ValueError:
            return False
        return True

    return test


def _is_url(text: str) -> bool:
    if not PLAIN_URL.fullmatch(text):
        raise ValueError(text)  # which is not told
    return _is(_url)(text)


def _found(text: str, pattern: str, most: int = -1) -> list[str]:
    known = compiled(pattern)
    if known is None:
        raise ValueError(pattern)
    rows = [one[0] for one in known.finditer(text)]
    return rows if most < 0 else rows[:most]


def _is_sorted(rows: Sequence[Any]) -> bool:
    return all(one <= other for one, other in pairwise(rows))


def _signatures() -> Iterator[tuple[str, Callable[..., Any]]]:
    """`name parameters… result` → what it does; a name with a dot before it is a member of its first parameter."""
    yield "quantity text map", lambda text: _quantity(_amount(text))
    yield "isQuantity text yes", _is(_amount)
    yield ".sign map whole", lambda one: (_of(one) > 0) - (_of(one) < 0)
    yield ".isGreaterThan map map yes", lambda one, other: _of(one) > _of(other)
    yield ".isLessThan map map yes", lambda one, other: _of(one) < _of(other)
    yield ".compareTo map map whole", lambda one, other: (_of(one) > _of(other)) - (_of(one) < _of(other))
    yield ".add map map map", lambda one, other: _quantity(_of(one) + _of(other))
    yield ".add map whole map", lambda one, other: _quantity(_of(one) + other)
    yield ".sub map map map", lambda one, other: _quantity(_of(one) - _of(other))
    yield ".sub map whole map", lambda one, other: _quantity(_of(one) - other)
    yield ".asApproximateFloat map number", lambda one: float(_of(one))
    yield "ip text map", _ip
    yield "isIP text yes", _is(_address)
    yield "ip.isCanonical text yes", lambda text: str(_address(text)) == text
    yield ".family map whole", lambda one: _host(one).version
    yield ".isUnspecified map yes", lambda one: _host(one).is_unspecified
    yield ".isLoopback map yes", lambda one: _host(one).is_loopback
    yield ".isLinkLocalUnicast map yes", lambda one: _host(one).is_link_local
    yield "cidr text map", _cidr
    yield "isCIDR text yes", _is(_range)
    yield ".containsIP map text yes", lambda one, other: _within(one, _address(other))
    yield ".containsIP map map yes", lambda one, other: _within(one, _host(other))
    yield ".containsCIDR map text yes", lambda one, other: _contains(one, _range(other))
    yield ".containsCIDR map map yes", lambda one, other: _contains(one, _network(other))
    yield ".ip map map", lambda one: _ip(_network(one).ip)
    yield ".masked map map", lambda one: _cidr(_network(one).network)
    yield ".prefixLength map whole", lambda one: _network(one).network.prefixlen
    yield "url text map", lambda text: {"url": text} if _url(text) else {}
    yield "isURL text yes", _is_url
    yield ".getScheme map text", lambda one: _url(one["url"])[0].scheme
    yield ".getHost map text", lambda one: _url(one["url"])[1]["host"]
    yield ".getHostname map text", _part("name")
    yield ".getPort map text", _part("port")
    yield ".getEscapedPath map text", _path
    yield ".find text text text", lambda text, pattern: next(iter(_found(text, pattern, 1)), "")
    yield ".findAll text text list", _found
    yield ".findAll text text whole list", _found
    yield ".sum list any", sum
    yield ".min list any", min
    yield ".max list any", max
    yield ".isSorted list yes", _is_sorted
    yield "sets.contains list list yes", lambda one, other: all(item in one for item in other)
    yield "sets.intersects list list yes", lambda one, other: any(item in one for item in other)
    yield (
        "sets.equivalent list list yes",
        lambda one, other: all(item in other for item in one) and all(item in one for item in other),
    )


_FUNCTIONS: Final = tuple(_signatures())
