"""Does a quota refuse what would be made? Object counts and pods, by the arithmetic of ResourceQuota. Pure.

A quota names counts as `configmaps`, `count/deployments.apps`, `pods`. What is used is the quota's own status where
there is one, else what the graph holds. Quotas with scopes, and quantities of compute and storage, are left to the API
server's own word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from schemas.events import ResourceState
from schemas.identity import KindId, kind_of
from services.resolver.graph.label_index import namespace_of
from services.resolver.graph.view import View
from services.resolver.judge.case import Change
from services.resolver.judge.findings import Finding, named

QUOTA: Final = KindId("ResourceQuota")
POD: Final = KindId("Pod")
PODS: Final = ("pods", "count/pods")
HARD, USED = "hard.", "used."


def judge_quota(view: View, changes: Iterable[Change]) -> Iterator[Finding]:
    """D142 for each quota that a bundle would exceed."""
    by_namespace: dict[str, list[Change]] = {}
    for change in changes:
        if change.after is not None and not change.unchanged and namespace_of(change.resource):
            by_namespace.setdefault(namespace_of(change.resource), []).append(change)
    for namespace, mine in by_namespace.items():
        quotas = [state for one in view.members(QUOTA, namespace) if (state := view.find(one)) is not None]
        if quotas:
            wanted = _wanted(view, mine)
            for quota in quotas:
                yield from _exceeded(view, quota, wanted, namespace)


def _exceeded(view: View, quota: ResourceState, wanted: Mapping[str, int], namespace: str) -> Iterator[Finding]:
    if "scoped" in quota.facts:
        return
    for name, limit in quota.facts.items():
        resource = name.removeprefix(HARD)
        more = wanted.get(resource, 0)
        hard = _number(limit)
        if not name.startswith(HARD) or more <= 0 or hard is None:
            continue
        used = _number(quota.facts.get(USED + resource))
        used = _counted(view, resource, namespace) if used is None else used
        if used + more > hard:
            message = f"{named(quota.resource)} allows {hard} {resource}: {used} are used, {more} more are wanted"
            yield Finding("D142", message, "presence", quota.resource)


def _wanted(view: View, changes: Iterable[Change]) -> Counter[str]:
    """Quota name → how many more there would be."""
    more: Counter[str] = Counter()
    for change in changes:
        assert change.after is not None, "filtered above"
        before = view.find(change.resource)
        if before is None:
            more.update(_names(view, kind_of(change.resource)))
        pods = _pods(change.after) - (_pods(before) if before is not None else 0)
        if kind_of(change.resource) != POD:
            more.update(dict.fromkeys(PODS, pods))
    return more


def _names(view: View, kind: KindId) -> list[str]:
    served = view.surface.find(kind)
    if served is None:
        return []
    group = kind.rpartition("/")[0]
    return [f"count/{served.plural}.{group}"] if group else [served.plural, f"count/{served.plural}"]


def _counted(view: View, resource: str, namespace: str) -> int:
    if resource in PODS:
        return sum(_pods(state) for state in _tops(view, namespace))
    plural, _, group = resource.removeprefix("count/").partition(".")
    kinds = [
        kind
        for kind, served in view.surface.served.items()
        if served.plural == plural and kind.rpartition("/")[0] == group
    ]
    return sum(1 for kind in kinds for _ in view.members(kind, namespace))


def _tops(view: View, namespace: str) -> Iterator[ResourceState]:
    """What makes pods and is not made by something else that does."""
    for kind in view.surface.served:
        for one in view.members(kind, namespace):
            state = view.find(one)
            owned = state is not None and any(row.relation == "composition" for row in state.references)
            if state is not None and not owned and (kind == POD or state.template_labels is not None):
                yield state


def _pods(state: ResourceState) -> int:
    if kind_of(state.resource) == POD:
        return 1
    if state.template_labels is None or state.facts.get("recurs") is False:
        return 0
    return _number(state.facts.get("replicas", 1)) or 0


def _number(value: object) -> int | None:
    """A count; None for what is none, as `4Gi`."""
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None
