"""A manifest → what it asks of the quotas and limit ranges of its namespace, in thousandths. Pure.

manifest ─▶ Demand (containers, claim, Service) ─▶ with the defaults of a LimitRange ─▶ amounts by quota name

The rules are those of the API server's admission: a limit without a request is the request too; a LimitRange fills in
what is left; init containers run one at a time and before the others, side-cars run beside everything.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from msgspec import Struct, structs

from schemas.pods import pod_spec_of
from schemas.untyped import mapping_of, rows_of
from services.resolver.judge.placing import Placing, placing_of

Amounts = dict[str, int]  # resource → thousandths
UNITS: Final[Mapping[str, Decimal]] = {
    "": Decimal(1),
    **{unit: Decimal(10) ** power for unit, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)},
    **{f"{unit}i": Decimal(1024) ** (power + 1) for power, unit in enumerate("KMGTPE")},
}
AMOUNT_MAX: Final = Decimal(2**63 - 1)  # what is more counts as this
AMOUNT_MIN: Final = Decimal("1e-9")  # what is less, and not nothing, counts as this
EXPONENT_MAX: Final = 30
COMPUTE: Final = ("cpu", "memory")  # what makes a pod more than best effort, and what a quota makes everybody say
EVERY_CLASS: Final = "storageclass.storage.k8s.io"


class Asked(Struct, frozen=True, omit_defaults=True):
    """Requests and limits of one container, or of a pod as a whole."""

    requests: Amounts
    limits: Amounts


class Demand(Struct, frozen=True, omit_defaults=True):
    """What one object asks for.

    containers    that run side by side, side-cars first: of each pod
    first         those that run before, one at a time; beside: how many side-cars run already when each of them does
    overhead      what a pod takes beside its containers; of who leaves it out, its RuntimeClass says it
    whole         the pod's own words, which stand for the sum of its containers
    counts        by quota name, whatever runs
    storage       of a claim; None: it is none. without_class: it leaves its class to the site's default
    claims        by the name of the template: what a StatefulSet's claims ask for, each
    placing       of a DaemonSet: on which nodes it runs a pod
    """

    containers: tuple[Asked, ...] = ()
    first: tuple[Asked, ...] = ()
    beside: tuple[int, ...] = ()
    overhead: Amounts = {}
    runtime_class: str = ""
    whole: Asked = Asked({}, {})
    terminating: bool = False
    priority_class: str = ""
    counts: Amounts = {}
    storage: int | None = None
    without_class: bool = False
    claims: dict[str, Demand] = {}
    placing: Placing | None = None


def demand_of(body: Mapping[str, Any]) -> Demand | None:
    """None for what only counts as an object. Whatever is malformed asks for nothing."""
    kind = body.get("kind")
    if kind == "PersistentVolumeClaim":
        return _of_claim(mapping_of(body.get("spec")))
    if kind == "Service":
        return _of_service(mapping_of(body.get("spec")))
    spec = pod_spec_of(body)
    if spec is None:
        return None
    demand = _of_pod(spec, rows_of(mapping_of(body.get("spec")).get("volumeClaimTemplates")))
    return structs.replace(demand, placing=placing_of(spec)) if kind == "DaemonSet" else demand


def amount_of(text: str) -> Decimal | None:
    """A quantity (`500m`, `1Gi`, `2`, `1e3`) within what an API server keeps of one; None for what is none."""
    number = text.rstrip("numkKMGTPEi")
    unit = text[len(number) :]
    try:
        found, factor = Decimal(number), UNITS[unit]
    except (InvalidOperation, KeyError):
        return None
    if not found.is_finite():
        return None
    if found and abs(found.adjusted()) > EXPONENT_MAX:  # nobody multiplies what has a million digits
        return (AMOUNT_MAX if found.adjusted() > 0 else AMOUNT_MIN).copy_sign(found)
    return max(min(found * factor, AMOUNT_MAX), -AMOUNT_MAX)


def thousandths(value: object) -> int | None:
    """A quantity, rounded up as the API server does; None for what is none."""
    text = str(value).strip() if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    found = amount_of(text)
    return None if found is None else math.ceil(found * 1000)


def shown(amount: int, resource: str) -> str:
    """An amount as people write it."""
    if amount % 1000:
        return f"{amount}m"
    whole = amount // 1000
    if whole and ("memory" in resource or "storage" in resource):
        for unit in ("Gi", "Mi", "Ki"):
            if whole % int(UNITS[unit]) == 0:
                return f"{whole // int(UNITS[unit])}{unit}"
    return str(whole)


def amounts_of(demand: Demand, default_requests: Amounts, default_limits: Amounts) -> Amounts:
    """Quota name → what one of it (one of its pods) takes; the defaults are a LimitRange's."""
    made = dict(demand.counts)
    if demand.containers:
        pod = pod_of(demand, default_requests, default_limits)
        made.update({f"requests.{name}": amount for name, amount in pod.requests.items()})
        made.update({f"limits.{name}": amount for name, amount in pod.limits.items()})
    return made


def pod_of(demand: Demand, default_requests: Amounts, default_limits: Amounts) -> Asked:
    """What one pod asks for."""
    running = [with_defaults(one, default_requests, default_limits) for one in demand.containers]
    before = [with_defaults(one, default_requests, default_limits) for one in demand.first]
    stages = [running, *([*running[:count], one] for one, count in zip(before, demand.beside, strict=True))]
    requests = {**_most([one.requests for one in stage] for stage in stages), **demand.whole.requests}
    limits = {**_most([one.limits for one in stage] for stage in stages), **demand.whole.limits}
    for name, amount in demand.overhead.items():
        requests[name] = requests.get(name, 0) + amount
        if name in limits:
            limits[name] += amount
    return Asked(requests, limits)


def with_defaults(one: Asked, requests: Amounts, limits: Amounts) -> Asked:
    """A container, after a LimitRange has filled in what it does not say."""
    return Asked({**requests, **one.requests}, {**limits, **one.limits})


def is_best_effort(demand: Demand, default_requests: Amounts, default_limits: Amounts) -> bool:
    """No container, and not the pod, says anything of cpu or memory; nor does a LimitRange."""
    defaults = Asked(default_requests, default_limits)
    said = (*demand.containers, *demand.first, demand.whole, defaults)
    return not any(name in one.requests or name in one.limits for one in said for name in COMPUTE)


def _most(stages: Iterable[Iterable[Amounts]]) -> Amounts:
    """Of each resource what the stage asks for that asks for most of it; a stage is what runs at one time."""
    made: Amounts = {}
    for stage in stages:
        asked: Counter[str] = Counter()
        for one in stage:
            asked.update(one)
        made.update({name: max(amount, made.get(name, 0)) for name, amount in asked.items()})
    return made


def _of_pod(spec: Mapping[str, Any], templates: Iterable[Mapping[str, Any]] = ()) -> Demand:
    side_cars: list[Asked] = []
    first: list[Asked] = []
    beside: list[int] = []
    for one in rows_of(spec.get("initContainers")):
        if one.get("restartPolicy") == "Always":
            side_cars.append(_asked(one))
        else:
            first.append(_asked(one))
            beside.append(len(side_cars))
    return Demand(
        containers=(*side_cars, *map(_asked, rows_of(spec.get("containers")))),
        first=tuple(first),
        beside=tuple(beside),
        overhead=_amounts(spec.get("overhead")),
        runtime_class=str(spec.get("runtimeClassName") or ""),
        whole=_asked(spec),
        terminating=isinstance(spec.get("activeDeadlineSeconds"), int),
        priority_class=str(spec.get("priorityClassName") or ""),
        claims={
            str(mapping_of(one.get("metadata")).get("name")): _of_claim(mapping_of(one.get("spec")))
            for one in templates
        },
    )


def _asked(container: Mapping[str, Any]) -> Asked:
    resources = mapping_of(container.get("resources"))
    limits = _amounts(resources.get("limits"))
    return Asked({**limits, **_amounts(resources.get("requests"))}, limits)


def _of_claim(spec: Mapping[str, Any]) -> Demand:
    storage = _amounts(mapping_of(spec.get("resources")).get("requests")).get("storage", 0)
    counts = {"requests.storage": storage}
    class_name = spec.get("storageClassName")
    if isinstance(class_name, str) and class_name:
        counts.update(of_class(class_name, storage))
    return Demand(counts=counts, storage=storage, without_class=class_name is None)


def of_class(name: str, storage: int) -> Amounts:
    """What a claim takes of the quotas of its class."""
    return {f"{name}.{EVERY_CLASS}/requests.storage": storage, f"{name}.{EVERY_CLASS}/persistentvolumeclaims": 1000}


def _of_service(spec: Mapping[str, Any]) -> Demand:
    kind, ports = spec.get("type"), len(rows_of(spec.get("ports")))
    nodes = ports if kind == "NodePort" or (kind == "LoadBalancer" and _takes_node_ports(spec)) else 0
    balancers = 1 if kind == "LoadBalancer" else 0
    return Demand(counts={"services.nodeports": 1000 * nodes, "services.loadbalancers": 1000 * balancers})


def _takes_node_ports(spec: Mapping[str, Any]) -> bool:
    return spec.get("allocateLoadBalancerNodePorts") is not False


def _amounts(value: Any) -> Amounts:
    rows = ((str(name), thousandths(one)) for name, one in mapping_of(value).items())
    return {name: amount for name, amount in rows if amount is not None}
