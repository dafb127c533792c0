"""Quotas of a directory → what is used of them, added up from the manifests where no status says it. Pure.

A cluster's quota controller writes it into the status; online that is where the judge reads it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

from schemas.events import ResourceState
from schemas.identity import ResourceId, ResourceKey
from services.resolver.graph.view import View
from services.resolver.judge.demand import demand_of
from services.resolver.judge.limits import limits_in
from services.resolver.judge.making import is_made
from services.resolver.judge.quota import HARD, PODS, USED, plain_name, quotas_in, uses


def counted_quotas(view: View, bodies: Mapping[ResourceId, Mapping[str, Any]]) -> Iterator[ResourceState]:
    """The quotas without a status, with what is used of all that is not a plain count of objects."""
    for namespace in {
        ResourceKey.parse(one).namespace for one, body in bodies.items() if body["kind"] == "ResourceQuota"
    }:
        for quota in quotas_in(view, namespace):
            if not any(name.startswith(USED) for name in quota.facts):
                yield counted(view, quota, bodies, namespace)


def counted(
    view: View, quota: ResourceState, bodies: Mapping[ResourceId, Mapping[str, Any]], namespace: str
) -> ResourceState:
    """One quota, with what is used of it as it stands there, or as a bundle writes it."""
    limits = limits_in(view, namespace)
    used: Counter[str] = Counter()
    for resource, body in bodies.items():
        state = view.find(resource)
        if state is not None and ResourceKey.parse(resource).namespace == namespace and not is_made(state):
            used.update(uses(view, quota, state, demand_of(body), limits))
    facts = dict(quota.facts)
    for name in quota.facts:
        resource_name = name.removeprefix(HARD)
        plain = plain_name(resource_name)
        is_amount = "." in plain and not plain.startswith("count/")
        if name.startswith(HARD) and (is_amount or plain in PODS or quota.parts.get("scope")):
            facts[USED + resource_name] = f"{used[plain]}m"
    return structs.replace(quota, facts=facts)
