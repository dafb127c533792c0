"""Mistakes in what bounds others that show only when two fields are read together. Pure.

Quotas and limits, budgets, rights, networks; see crossing.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from cheops.forms.words import is_subdomain, network_of
from schemas.untyped import mapping_of, rows_of
from services.resolver.judge.demand import thousandths

Body = Mapping[str, Any]
OPPOSITE: Final = (("Terminating", "NotTerminating"), ("BestEffort", "NotBestEffort"))
ONLY_THERE: Final = ("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity")
POD_NAMES: Final = ("pods", "cpu", "memory", "ephemeral-storage")
ASCENDING: Final = ("min", "defaultRequest", "default", "max")
ACCOUNT: Final = "ServiceAccount"
PEERS: Final = {"ingress": "from", "egress": "to"}


def quota(body: Body) -> Iterator[str]:
    """Counts are whole, and scopes bound only what pods take."""
    spec = mapping_of(body.get("spec"))
    hard = mapping_of(spec.get("hard"))
    for name, value in hard.items():
        is_count = name in ("pods", "persistentvolumeclaims") or str(name).startswith(("count/", "services"))
        if is_count and (thousandths(value) or 0) % 1000:
            yield f"spec.hard['{name}']: {value} is no whole number"
    named = rows_of(mapping_of(spec.get("scopeSelector")).get("matchExpressions"))
    scopes = [*map(str, spec.get("scopes") or ()), *(str(one.get("scopeName")) for one in named)]
    for pair in OPPOSITE:
        if all(one in scopes for one in pair):
            yield f"spec.scopes: {' and '.join(pair)} exclude each other"
    for place, one in enumerate(named):
        if one.get("scopeName") in ONLY_THERE and one.get("operator") not in (None, "", "Exists"):
            yield f"spec.scopeSelector.matchExpressions[{place}].operator: Exists alone goes with {one['scopeName']}"
    for name in hard if scopes else ():
        if not _is_of_pods(str(name), "BestEffort" in scopes):
            yield f"spec.scopes: {', '.join(scopes)} cannot bound {name}"


def _is_of_pods(name: str, only_number: bool) -> bool:
    if "/" in name:
        return True  # of others, who know
    bare = name.removeprefix("requests.").removeprefix("limits.")
    return bare in POD_NAMES[: 1 if only_number else None] or (bare.startswith("hugepages-") and not only_number)


def limits(body: Body) -> Iterator[str]:
    """min ≤ default request ≤ default ≤ max, as far as they are said."""
    for place, row in enumerate(rows_of(mapping_of(body.get("spec")).get("limits"))):
        path = f"spec.limits[{place}]"
        names = {name for part in ASCENDING for name in mapping_of(row.get(part))}
        for name in sorted(names, key=str):
            said = [(part, mapping_of(row.get(part)).get(name)) for part in ASCENDING]
            known = [(part, amount) for part, value in said if (amount := thousandths(value)) is not None]
            for (less, low), (more, high) in pairwise(known):
                if low > high:
                    yield f"{path}.{less}.{name}: is more than {more}"
        for name, value in mapping_of(row.get("maxLimitRequestRatio")).items():
            ratio = thousandths(value) or 0
            if ratio < 1000:
                yield f"{path}.maxLimitRequestRatio.{name}: {value} is less than 1"
            least, most = (thousandths(mapping_of(row.get(part)).get(name)) for part in ("min", "max"))
            if least and most is not None and ratio * least > most * 1000:
                yield f"{path}.maxLimitRequestRatio.{name}: {value} is more than max by min"
        if row.get("type") == "Pod" and (row.get("default") or row.get("defaultRequest")):
            yield f"{path}.default: not with type Pod"
        if row.get("type") == "PersistentVolumeClaim" and not (row.get("min") or row.get("max")):
            yield f"{path}: min or max is missing"


def budget(body: Body) -> Iterator[str]:
    """One bound, whatever its number."""
    spec = mapping_of(body.get("spec"))
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield "spec: minAvailable and maxUnavailable exclude each other"


def subjects(body: Body) -> Iterator[str]:
    """Of a binding: accounts are of no group, and users of the group of rights."""
    for place, one in enumerate(rows_of(body.get("subjects"))):
        group, name = one.get("apiGroup"), one.get("name")
        if one.get("kind") == ACCOUNT and name and not is_subdomain(name):
            yield f"subjects[{place}].name: {name!r:.80} is no subdomain"
        allowed = ("",) if one.get("kind") == ACCOUNT else ("", "rbac.authorization.k8s.io")
        if group is not None and group not in allowed:
            yield f"subjects[{place}].apiGroup: {group!r:.60} (expected {allowed[-1]!r})"


def of_a_namespace(body: Body) -> Iterator[str]:
    """An account that a ClusterRoleBinding names; a RoleBinding means its own namespace."""
    for place, one in enumerate(rows_of(body.get("subjects"))):
        if one.get("kind") == ACCOUNT and not one.get("namespace"):
            yield f"subjects[{place}].namespace: missing"


def class_parameters(body: Body) -> Iterator[str]:
    """Of an IngressClass: they are in a namespace if it says so."""
    parameters = mapping_of(mapping_of(body.get("spec")).get("parameters"))
    namespace = parameters.get("namespace")
    if parameters.get("scope") == "Namespace" and not namespace:
        yield "spec.parameters.namespace: missing (scope is Namespace)"
    if parameters.get("scope") in (None, "Cluster") and namespace:
        yield "spec.parameters.namespace: not with scope Cluster"


def cluster_rules(body: Body) -> Iterator[str]:
    """What is no resource has no group and no name; what is one has its group."""
    for place, rule in enumerate(rows_of(body.get("rules"))):
        if rule.get("nonResourceURLs") and (rule.get("apiGroups") or rule.get("resourceNames")):
            yield f"rules[{place}]: nonResourceURLs stand alone"
        if rule.get("resources") and not rule.get("apiGroups"):
            yield f"rules[{place}].apiGroups: missing"


def network(body: Body) -> Iterator[str]:
    """Ranges of ports, and holes in ranges of addresses."""
    spec = mapping_of(body.get("spec"))
    for way in ("ingress", "egress"):
        for at, rule in enumerate(rows_of(spec.get(way))):
            for place, one in enumerate(rows_of(rule.get("ports"))):
                last, first = one.get("endPort"), one.get("port")
                if last is not None and not (isinstance(first, int) and isinstance(last, int) and last >= first):
                    yield f"spec.{way}[{at}].ports[{place}].endPort: {last} ends no range that port begins"
            for place, peer in enumerate(rows_of(rule.get(PEERS[way]))):
                yield from _holes(f"spec.{way}[{at}].{PEERS[way]}[{place}].ipBlock", mapping_of(peer.get("ipBlock")))


def _holes(path: str, block: Body) -> Iterator[str]:
    """Each is a part of its range, and not the whole of it."""
    around, holes = network_of(block.get("cidr")), block.get("except")
    for place, value in enumerate(holes if isinstance(holes, list) else ()):
        hole = network_of(value)
        if around is None or hole is None:
            continue  # what is none is said of the field
        if hole.version != around.version or hole == around or not hole.subnet_of(around):  # type: ignore[arg-type]
            yield f"{path}.except[{place}]: {value} is no part of {block['cidr']}"
