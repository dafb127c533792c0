"""What admission fills into a demand before a quota counts it, and what else comes with the object. Pure.

demand ─▶ the site's default class, where it names none ─▶ what a quota counts
StatefulSet ─▶ the claims that its controller will make
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import structs

from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey
from schemas.relations.selector import marked_default
from services.resolver.graph.view import View
from services.resolver.judge.demand import Amounts, Demand, of_class, thousandths
from services.resolver.judge.going import STORAGE_CLASS
from services.resolver.judge.use import CLAIMS_RULE

PRIORITY_CLASS: Final = KindId("scheduling.k8s.io/PriorityClass")
RUNTIME_CLASS: Final = KindId("node.k8s.io/RuntimeClass")
OVERHEAD: Final = "overhead."


def admitted(view: View, demand: Demand) -> Demand:
    """With the default classes of the site, and what a RuntimeClass adds."""
    if demand.without_class:
        name = _default(view, STORAGE_CLASS)
        more = of_class(name, demand.storage or 0) if name else {}
        demand = structs.replace(demand, counts={**demand.counts, **more})
    if demand.containers and not demand.priority_class:
        demand = structs.replace(demand, priority_class=_default(view, PRIORITY_CLASS))
    if demand.runtime_class and not demand.overhead:
        demand = structs.replace(demand, overhead=_overhead(view, demand.runtime_class))
    return demand


def claims_to_come(view: View, after: View, state: ResourceState, demand: Demand) -> Iterator[Demand]:
    """Of a StatefulSet: what each claim asks for that it does not have yet, and had no reason to have."""
    before = view.find(state.resource)
    had = {one.target for one in before.references if one.rule == CLAIMS_RULE} if before is not None else set()
    for reference in state.references if demand.claims else ():
        if reference.rule != CLAIMS_RULE or reference.target in had or after.find(reference.target) is not None:
            continue
        mine, name = ResourceKey.parse(state.resource).name, ResourceKey.parse(reference.target).name
        template = name.rpartition("-")[0].removesuffix(f"-{mine}")
        if template in demand.claims:
            yield admitted(view, demand.claims[template])


def _overhead(view: View, name: str) -> Amounts:
    state = view.find(ResourceId(f"{RUNTIME_CLASS}/{name}"))
    said = {} if state is None else state.facts
    found = {
        fact.removeprefix(OVERHEAD): thousandths(value) for fact, value in said.items() if fact.startswith(OVERHEAD)
    }
    return {resource: amount for resource, amount in found.items() if amount is not None}


def _default(view: View, kind: KindId) -> str:
    """The name of the class that says it is the default; of several the first."""
    names = (ResourceKey.parse(one).name for one in view.members(kind, "") if _is_default(view.find(one)))
    return min(names, default="")


def _is_default(state: ResourceState | None) -> bool:
    return state is not None and marked_default(state)
