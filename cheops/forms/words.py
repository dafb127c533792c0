"""The forms that a single value can have: names, ports, addresses, amounts, paths. Pure.

A form says whether a value is of it. Nothing is empty here: who leaves a text empty leaves it out (fields.py).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cheops.forms.schedules import is_schedule
from services.resolver.judge.demand import thousandths

Form = Callable[[Any], bool]
PORT_MAX: Final = 65_535
PART_MAX: Final = 100
_LABEL: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_LONG_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"  # a part of a domain name may be of any length
_SUBDOMAIN: Final = rf"{_LONG_LABEL}(\.{_LONG_LABEL})*"
_WORD: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_QUALIFIED: Final = rf"({_SUBDOMAIN}/)?{_WORD}"
_DNS_WORD: Final = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_IN_BRACKETS: Final = rf"\['({_SUBDOMAIN}/)?{_WORD}'\]"
_OF_A_POD: Final = (
    r"metadata\.(name|namespace|uid)|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs)"
    rf"|metadata\.(labels|annotations){_IN_BRACKETS}"
)
_OF_METADATA: Final = rf"metadata\.(name|namespace|uid)|metadata\.(labels|annotations)({_IN_BRACKETS})?"
_OF_A_CONTAINER: Final = r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)"
_COUNTED: Final = (
    "pods",
    "services",
    "services.nodeports",
    "services.loadbalancers",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
)
_STANDARD: Final = ("cpu", "memory", "ephemeral-storage")
STANDARD_FINALIZERS: Final = ("orphan", "foregroundDeletion", "kubernetes")


def matching(pattern: str, longest: int = 10_000) -> Form:
    """Texts that match as a whole."""
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and len(value) <= longest and compiled.fullmatch(value) is not None


is_label = matching(_LABEL)
is_subdomain = matching(_SUBDOMAIN, 253)
is_qualified = matching(_QUALIFIED, 317)


def _is_port_name(value: Any) -> bool:
    fits = matching(_LONG_LABEL, 15)(value)
    return fits and re.search("[a-z]", value) is not None and "--" not in value


def _is_port(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return 1 <= value <= PORT_MAX
    return _is_port_name(value)


def _is_within(value: Any) -> bool:
    return isinstance(value, str) and not value.startswith("/") and ".." not in value.split("/")


def network_of(value: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """A range of addresses; None for what is none."""
    try:
        return ipaddress.ip_network(str(value), strict=False) if "/" in str(value) else None
    except ValueError:
        return None


def is_outside(value: Any, ranges: Iterable[Any]) -> bool:
    """Whether an address is in none of the ranges that are of its family; where none of them is, nobody knows."""
    known = [one for one in map(network_of, ranges) if one is not None]
    address = network_of(f"{value}/{'128' if ':' in str(value) else '32'}")
    if address is None:
        return False
    same = [one for one in known if one.version == address.version]
    return bool(same) and not any(address.network_address in one for one in same)


def _is_address(value: Any) -> bool:
    try:
        return bool(ipaddress.ip_address(str(value)))
    except ValueError:
        return False


def is_ordinary_address(value: Any) -> bool:
    """One that many can reach: neither a machine's own nor its link's, and not none at all."""
    if not _is_address(value):
        return False
    address = ipaddress.ip_address(str(value))
    is_of_link = address.is_link_local or (address.is_multicast and str(address).startswith(("224.0.0.", "ff02:")))
    return not (address.is_unspecified or address.is_loopback or is_of_link)


def _is_host(value: Any) -> bool:
    """Of a rule or a certificate: a domain name, its first part may be any."""
    return not _is_address(value) and is_subdomain(str(value).removeprefix("*."))


def _is_number_or_percentage(value: Any, most: int | None = None) -> bool:
    if isinstance(value, int):
        return value >= 0
    part = re.fullmatch(r"([0-9]+)%", str(value))
    return part is not None and (most is None or int(part[1]) <= most)


def _is_resource(value: Any) -> bool:
    """What a container can ask for."""
    text = str(value)
    return text in _STANDARD or (is_qualified(text) and ("/" in text or text.startswith("hugepages-")))


def _is_counted(value: Any) -> bool:
    """What a quota can count."""
    text = str(value)
    bare = text.removeprefix("requests.").removeprefix("limits.")
    if text in _COUNTED or bare in _STANDARD or text == "requests.storage":
        return True
    return is_qualified(text) and ("/" in text or bare.startswith("hugepages-"))


def _is_finalizer(value: Any) -> bool:
    return value in STANDARD_FINALIZERS or ("/" in str(value) and is_qualified(value))


def _is_segment(value: Any) -> bool:
    """Of a path of an API."""
    text = str(value)
    return text not in (".", "..") and "/" not in text and "%" not in text


def _is_file_name(value: Any) -> bool:
    text = str(value)
    return matching(r"[-._a-zA-Z0-9]+", 253)(text) and text != "." and not text.startswith("..")


def _is_time_zone(value: Any) -> bool:
    """One of those that this machine knows; where it knows none at all, whatever could be one."""
    if value == "Local" or not matching(r"[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+)*")(value):
        return False
    return _is_known_zone(value) or not _is_known_zone("UTC")


def _is_known_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name).key)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return False


FORMS: Final[Mapping[str, Form]] = {
    "label": is_label,
    "subdomain": is_subdomain,
    "word-of-dns": matching(_DNS_WORD),
    "word-of-kinds": lambda value: matching(_DNS_WORD)(str(value).lower()),
    "three-part-domain": lambda value: is_subdomain(value) and value.count(".") > 1,
    "host": _is_host,
    "host-or-address": lambda value: _is_host(value) or _is_address(value),
    "storage": lambda value: value == "storage",
    "limited": lambda value: value == "storage" or _is_resource(value),
    "segment": _is_segment,
    "label-value": matching(rf"({_WORD})?"),
    "qualified": is_qualified,
    "qualified-in-any-case": lambda value: is_qualified(str(value).lower()),
    "something": lambda value: value != "",
    "domain-to-search": lambda value: value == "." or is_subdomain(str(value).removesuffix(".").replace("_", "a")),
    "annotation": lambda value: is_qualified(str(value).lower()),
    "finalizer": _is_finalizer,
    "loose-finalizer": lambda value: value in STANDARD_FINALIZERS or is_qualified(value),
    "domain-and-path": lambda value: "/" in str(value).strip("/") and is_subdomain(str(value).partition("/")[0]),
    "config-key": matching(r"[-._a-zA-Z0-9]+", 253),
    "file-name": _is_file_name,
    "text-without-spaces-around": lambda value: str(value) == str(value).strip(),
    "variable": matching(r"[ -<>-~]+"),
    "header": matching(r"[-A-Za-z0-9]+"),
    "sysctl": matching(r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*", 253),
    "port-name": _is_port_name,
    "port": _is_port,
    "port-or-none": lambda value: value == 0 or _is_port(value),
    "path-within": _is_within,
    "path-without-dots": lambda value: ".." not in str(value).split("/"),
    "absolute-path": lambda value: str(value).startswith("/"),
    "path-of-a-pod": matching(_OF_A_POD),
    "path-of-metadata": matching(_OF_METADATA),
    "minor-version": matching(r"latest|v1\.(0|[1-9][0-9]*)"),
    "json-path": lambda value: str(value).startswith("."),
    "amount-of-a-container": matching(_OF_A_CONTAINER),
    "resource": _is_resource,
    "counted": _is_counted,
    "sort-of-limit": lambda value: (
        value in ("Container", "Pod", "PersistentVolumeClaim") or ("/" in str(value) and is_qualified(value))
    ),
    "quantity": lambda value: thousandths(value) is not None,
    "amount": lambda value: (thousandths(value) or 0) > 0,
    "amount-or-none": lambda value: (found := thousandths(value)) is not None and found >= 0,
    "number-or-percentage": _is_number_or_percentage,
    "number-or-part": lambda value: _is_number_or_percentage(value, PART_MAX),
    "cidr": lambda value: network_of(value) is not None,
    "address": _is_address,
    "ordinary-address": is_ordinary_address,
    "domain": lambda value: is_subdomain(value) and "." in value,
    "variable-of-cel": matching(r"[A-Za-z_][A-Za-z0-9_]*"),
    "word": matching(_WORD),
    "path-of-spec": matching(r"\.spec\..+"),
    "path-of-status": matching(r"\.status\..+"),
    "path-of-either": matching(r"\.(spec|status)\..+"),
    "https": lambda value: str(value).startswith("https://"),
    "schedule": is_schedule,
    "time-zone": _is_time_zone,
}
