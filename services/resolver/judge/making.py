"""How many pods an object is, or makes, and what else its controller makes of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.events import ResourceState
from schemas.identity import KindId, kind_of
from services.resolver.graph.view import View
from services.resolver.judge.demand import Demand
from services.resolver.judge.placing import nodes_for
from services.resolver.judge.use import FINISHED

POD: Final = KindId("Pod")
SETS: Final[Mapping[KindId, KindId]] = {KindId("apps/Deployment"): KindId("apps/ReplicaSet")}  # one for each template


def pods_of(state: ResourceState) -> int:
    """How many pods it is, or makes."""
    if kind_of(state.resource) == POD:
        return 0 if state.facts.get("phase") in FINISHED else 1
    if state.template_labels is None or state.facts.get("recurs") is False:
        return 0
    return run_of(state)


def run_of(state: ResourceState) -> int:
    """How many pods it makes whenever it runs."""
    facts = state.facts
    runs = facts.get("replicas", facts.get("parallelism", facts.get("scheduled", 1)))
    at_once = [runs, facts.get("completions")]  # a Job runs no more
    return min((one for one in at_once if isinstance(one, int)), default=0)


def pods_at(view: View, state: ResourceState, demand: Demand | None) -> int:
    """The same at a site: of a DaemonSet as many as there are nodes for it, where any are known."""
    if demand is None or demand.placing is None or (nodes := nodes_for(view, demand.placing)) is None:
        return pods_of(state)
    return nodes


def objects_of(state: ResourceState, pods: int) -> int:
    """The same, with finished pods, which are objects all the same."""
    return 1 if kind_of(state.resource) == POD else pods


def made_by(state: ResourceState) -> KindId | None:
    """The kind of which its controller makes another one for new pods."""
    return SETS.get(kind_of(state.resource))


def to_be_made(view: View, kinds: Iterable[KindId], namespace: str) -> int:
    """How many of these kinds controllers make of what is there, and have not made yet (or nobody wrote them down)."""
    wanted = tuple(kinds)
    makers = [maker for maker, made in SETS.items() if made in wanted]
    if not makers:
        return 0
    states = (view.find(one) for kind in wanted for one in view.members(kind, namespace))
    owners = {
        row.target for state in states if state is not None for row in state.references if row.relation == "composition"
    }
    return sum(1 for maker in makers for one in view.members(maker, namespace) if one not in owners)


def is_made(state: ResourceState) -> bool:
    """Somebody else makes it, and stands for it."""
    return any(row.relation == "composition" for row in state.references)
