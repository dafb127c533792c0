"""Does a quota or a limit range refuse what would be made? The arithmetic of ResourceQuota. Pure.

manifests ─▶ what each asks for (demand.py, limits.py) ─▶ more than before, in each quota's scope ─▶ D142

A quota names counts (`configmaps`, `count/deployments.apps`, `pods`) and amounts (`requests.cpu`). What is used is the
quota's own status where there is one; else counts are taken from the graph, and amounts are left to the API server's
word (offline they are added up from the manifests, cheops/offline/usage.py). A workload asks for all of its pods.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import structs

from schemas.events import ResourceState
from schemas.identity import KindId, kind_of
from services.resolver.graph.label_index import namespace_of
from services.resolver.graph.view import View
from services.resolver.judge.admitted import admitted, claims_to_come
from services.resolver.judge.case import Change
from services.resolver.judge.demand import Demand, amounts_of, is_best_effort, shown, thousandths
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.limits import Limits, limits_in, refusals
from services.resolver.judge.making import POD, is_made, made_by, objects_of, pods_at, pods_of, run_of, to_be_made
from services.resolver.judge.use import ONLY_AT_START

QUOTA: Final = KindId("ResourceQuota")
PODS: Final = ("pods", "count/pods")
JOB: Final = KindId("batch/Job")
HARD, USED = "hard.", "used."
REQUESTED: Final = ("cpu", "memory", "ephemeral-storage")  # a quota may leave out that it means requests
CLAIM_COUNTS: Final = ("persistentvolumeclaims", "count/persistentvolumeclaims")
SAID: Final = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")  # each pod must say it under a quota


def judge_quota(view: View, after: View, changes: Iterable[Change]) -> Iterator[Finding]:
    """D142 for each quota that a bundle would exceed, and each limit range that refuses a part of it.

    `after` shows the site with the whole bundle applied: a quota that it raises, lowers or brings counts as it will be.
    """
    by_namespace: dict[str, list[Change]] = {}
    for change in changes:
        if change.after is not None and not change.unchanged and namespace_of(change.resource):
            by_namespace.setdefault(namespace_of(change.resource), []).append(change)
    for namespace, mine in by_namespace.items():
        limits = limits_in(after, namespace)
        for quota in quotas_in(after, namespace):
            yield from _exceeded(view, after, quota, mine, limits, namespace)
        for change in mine if limits.bounds else ():
            yield from _refused(view, after, change, limits)


def plain_name(resource: str) -> str:
    """A quota's name → the one by which demands are counted."""
    return f"requests.{resource}" if resource in REQUESTED or resource.startswith("hugepages-") else resource


def quotas_in(view: View, namespace: str) -> list[ResourceState]:
    """The quotas of a namespace."""
    return [state for one in view.members(QUOTA, namespace) if (state := view.find(one)) is not None]


def uses(view: View, quota: ResourceState, state: ResourceState, demand: Demand | None, limits: Limits) -> Counter[str]:
    """What an object that is there takes of a quota, by the quota's names and in thousandths; without object counts."""
    demand = admitted(view, demand) if demand is not None else None
    if not _is_in_scope(quota, demand, limits):
        return Counter()
    pods = pods_at(view, state, demand)
    found = Counter({"pods": 1000 * pods, "count/pods": 1000 * objects_of(state, pods)})
    if demand is not None:
        times = pods if demand.containers else 1
        amounts = amounts_of(demand, limits.requests, limits.limits)
        found.update({name: times * amount for name, amount in amounts.items()})
    return found


def _exceeded(
    view: View, after: View, quota: ResourceState, changes: Iterable[Change], limits: Limits, namespace: str
) -> Iterator[Finding]:
    wanted: Counter[str] = Counter()
    for change in changes:
        wanted.update(_more(view, after, quota, change, limits))
        yield from _unsaid(view, quota, change, limits)
        yield from _never(view, after, quota, change, limits)
    for name, limit in quota.facts.items():
        resource, hard = name.removeprefix(HARD), thousandths(limit)
        more = wanted[plain_name(resource)]
        if not name.startswith(HARD) or more <= 0 or hard is None:
            continue
        used = _used(view, quota, resource, namespace)
        if (used or 0) + more > hard:
            taken = "" if used is None else f"{shown(used, resource)} are used, "
            wish = f"{taken}{shown(more, resource)} more are wanted"
            message = f"{named(quota.resource)} allows {shown(hard, resource)} {resource}: {wish}"
            yield Finding("D142", message, "presence", quota.resource)


def _never(view: View, after: View, quota: ResourceState, change: Change, limits: Limits) -> Iterator[Finding]:
    """What runs now and then takes nothing until it does; what a quota could not even hold alone never runs."""
    state, demand = change.after, change.demand
    if state is None or demand is None or kind_of(change.resource) not in ONLY_AT_START:
        return
    demand = admitted(after, demand)
    if not _makes_others(view, change) or not _is_in_scope(quota, demand, limits):
        return
    pods = run_of(state)
    amounts = amounts_of(demand, limits.requests, limits.limits)
    alone = Counter({**{name: pods * one for name, one in amounts.items()}, **dict.fromkeys(PODS, 1000 * pods)})
    if not quota.parts.get("scope"):
        alone.update(dict.fromkeys(_names(view, JOB), 1000))
    for name, limit in quota.facts.items():
        resource, hard = name.removeprefix(HARD), thousandths(limit)
        wanted = alone[plain_name(resource)]
        if name.startswith(HARD) and hard is not None and wanted > hard:
            wish = f"each time that {named(change.resource)} runs it wants {shown(wanted, resource)}"
            message = f"{named(quota.resource)} allows {shown(hard, resource)} {resource}: {wish}"
            yield Finding("D142", message, "presence", quota.resource)


def _more(view: View, after: View, quota: ResourceState, change: Change, limits: Limits) -> Counter[str]:
    """How much more of a quota there would be taken; what was asked before is taken to be the same, when unknown."""
    assert change.after is not None, "filtered above"
    before = view.find(change.resource)
    more = Counter(uses(after, quota, change.after, change.demand, limits))
    if not quota.parts.get("scope"):
        if before is None:
            more.update(dict.fromkeys(_names(view, kind_of(change.resource)), 1000))
        if (made := made_by(change.after)) is not None and (before is None or change.anew):
            more.update(dict.fromkeys(_names(view, made), 1000))
    if before is not None:
        more.subtract(uses(view, quota, before, change.had or _as_it_ran(change.demand), limits))
    if change.demand is not None and not quota.parts.get("scope"):
        for claim in claims_to_come(view, after, change.after, change.demand):
            more.update({**claim.counts, **dict.fromkeys(CLAIM_COUNTS, 1000)})
    return more


def _as_it_ran(demand: Demand | None) -> Demand | None:
    """What it asks now, asked before; not where it ran: its status says on how many nodes that was."""
    return None if demand is None else structs.replace(demand, placing=None)


def _unsaid(view: View, quota: ResourceState, change: Change, limits: Limits) -> Iterator[Finding]:
    """Under a quota of cpu or memory each container has to say how much of it; a LimitRange may say it instead."""
    demand = change.demand
    if demand is None or not demand.containers or not _makes_others(view, change):
        return
    if not _is_in_scope(quota, demand, limits):
        return
    for name in quota.facts:
        resource = name.removeprefix(HARD)
        wanted = plain_name(resource)
        if name.startswith(HARD) and wanted in SAID and not _says(demand, wanted, limits):
            message = f"{named(quota.resource)} limits {resource}, and {named(change.resource)} does not say its own"
            yield Finding("D142", message, "presence", quota.resource)


def _says(demand: Demand, name: str, limits: Limits) -> bool:
    sort, _, resource = name.partition(".")
    whole = demand.whole.requests if sort == "requests" else demand.whole.limits
    if resource in whole:
        return True
    default = limits.requests if sort == "requests" else limits.limits
    said = [one.requests if sort == "requests" else one.limits for one in (*demand.containers, *demand.first)]
    return resource in default or all(resource in one for one in said)


def _refused(view: View, after: View, change: Change, limits: Limits) -> Iterator[Finding]:
    demand = change.demand
    if demand is None or (demand.containers and not _makes_others(view, change)):
        return
    if demand.storage is not None and view.find(change.resource) is not None and change.had in (None, demand):
        return  # a claim that asks for what it has
    for state, why in refusals(limits, admitted(after, demand)):
        message = f"{why} in {named(state.resource)}, which {named(change.resource)} does not keep to"
        yield Finding("D142", message, "presence", state.resource)


def _makes_others(view: View, change: Change) -> bool:
    """Whether pods come that are not there yet: more of them, or such as ask for something else."""
    assert change.after is not None, "filtered above"
    before = view.find(change.resource)
    runs = pods_of(change.after)
    if kind_of(change.resource) in ONLY_AT_START and change.after.facts.get("recurs") is not False:
        runs = 1  # each time that it runs
    if before is None or not runs:
        return runs > 0
    return change.anew or pods_of(before) < pods_of(change.after) or change.had not in (None, change.demand)


# ── scopes, names, what is used ─────────────────────────────────────────────────────────────────────────────────────


def _is_in_scope(quota: ResourceState, demand: Demand | None, limits: Limits) -> bool:
    """Whether a quota counts it: one with scopes counts only pods, those that are in all of them."""
    scopes = quota.parts.get("scope", ())
    if not scopes:
        return True
    if demand is None or not demand.containers:
        return False
    return all(_holds(scope, demand, limits) for scope in scopes)


def _holds(scope: str, demand: Demand, limits: Limits) -> bool:
    name, _, rest = scope.partition(" ")
    operator, _, values = rest.partition(" ")
    if name == "PriorityClass":
        mine = demand.priority_class
        if operator in ("In", "NotIn"):
            return (mine in values.split(",")) is (operator == "In")
        return bool(mine) is (operator != "DoesNotExist")
    if name in ("BestEffort", "NotBestEffort"):
        return is_best_effort(demand, limits.requests, limits.limits) is (name == "BestEffort")
    if name in ("Terminating", "NotTerminating"):
        return demand.terminating is (name == "Terminating")
    return False  # of other namespaces' affinity, and of what is not known yet: the API server's word


def _used(view: View, quota: ResourceState, resource: str, namespace: str) -> int | None:
    now = view.find(quota.resource) or quota  # what is used says its status, as it was before
    told = thousandths(now.facts.get(USED + resource, quota.facts.get(USED + resource)))
    if told is not None or quota.parts.get("scope"):
        return told
    counted = _counted(view, resource, namespace)
    return None if counted is None else 1000 * counted


def _names(view: View, kind: KindId) -> list[str]:
    served = view.surface.find(kind)
    if served is None or kind == POD:
        return []
    group = kind.rpartition("/")[0]
    return [f"count/{served.plural}.{group}"] if group else [served.plural, f"count/{served.plural}"]


def _counted(view: View, resource: str, namespace: str) -> int | None:
    if resource in PODS:
        tops = [(state, pods_of(state)) for state in _tops(view, namespace)]
        return sum(pods if resource == "pods" else objects_of(state, pods) for state, pods in tops)
    plural, _, group = resource.removeprefix("count/").partition(".")
    kinds = [
        kind
        for kind, served in view.surface.served.items()
        if served.plural == plural and kind.rpartition("/")[0] == group
    ]
    if not kinds:
        return None
    return sum(1 for kind in kinds for _ in view.members(kind, namespace)) + to_be_made(view, kinds, namespace)


def _tops(view: View, namespace: str) -> Iterator[ResourceState]:
    """What makes pods and is not made by something else that does."""
    for kind in view.surface.served:
        for one in view.members(kind, namespace):
            state = view.find(one)
            if state is not None and not is_made(state) and (kind == POD or state.template_labels is not None):
                yield state
