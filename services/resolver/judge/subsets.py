"""Subsets of a mesh: a route names one of a host, and some DestinationRule of that host defines it. Pure.

VirtualService ─ host, subset ─▶ Service ◀─ host ─ DestinationRule (subsets)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.among import is_among
from schemas.events import Reference, ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, kind_of
from services.resolver.graph.view import Edge, View
from services.resolver.judge.cascade import Cascade
from services.resolver.judge.findings import Finding, named

RULES: Final = KindId("networking.istio.io/DestinationRule")
HOST_RULE: Final = "destinationrule.host"
SUBSET_RULE: Final = "virtualservice.subset"
SUBSET: Final = "subset"  # the part of a DestinationRule, as istio.yaml has it


def judge_subsets(after: View, state: ResourceState) -> Iterator[Finding]:
    """Those that a route names and nobody defines."""
    for reference in state.references:
        if reference.rule != SUBSET_RULE or after.find(reference.target) is None or _is_defined(after, reference):
            continue
        edge, name = Edge(state.resource, reference.target, reference), _name(reference)
        of_host = [one.resource for one in _rules(after) if reference.target in _hosts(one)]
        if of_host:
            message = f"{named(of_host[0])} has no subset {name!r}, {named(state.resource)} needs it"
            yield Finding("D112", message, "absence", of_host[0], edge)
        else:
            host = ResourceKey.parse(reference.target)
            message = f"no DestinationRule defines subset {name!r} of {named(reference.target)}"
            missing = ResourceId(f"{RULES}/{host.namespace}/{host.name}")
            yield Finding("D110", f"{message}, {named(state.resource)} needs it", "absence", missing, edge)


def subsets_lost(view: View, after: View, rule: ResourceId) -> Iterator[Edge]:
    """Routes that name a subset which this DestinationRule defines now, and nobody does afterwards."""
    old = view.find(rule) if kind_of(rule) == RULES else None
    for host in _hosts(old) if old is not None else ():
        for edge in view.dependents(host).edges:
            if edge.reference.rule != SUBSET_RULE or not _is_defined(view, edge.reference):
                continue
            still = after.find(edge.source)
            if (
                still is not None
                and is_among(edge.reference, still.references)
                and not _is_defined(after, edge.reference)
            ):
                yield edge


def subsets_going(view: View, after: View, rule: ResourceId, cascade: Cascade) -> Iterator[Finding]:
    """The same of one that is deleted."""
    for edge in subsets_lost(view, after, rule):
        user = f"{named(edge.source)} @ {view.site}"
        if rule in cascade.children:
            message = f"takes down {named(rule)}, whose subset {_name(edge.reference)!r} {user} uses"
            yield Finding("D313", message, "presence", edge.source, edge, (*cascade.chain(rule), edge))
        else:
            yield Finding("D310", f"{user} uses its {said(edge)}", "presence", edge.source, edge, (edge,))


def said(edge: Edge) -> str:
    """The part, in words."""
    return f"{SUBSET} {_name(edge.reference)!r}"


def _is_defined(view: View, reference: Reference) -> bool:
    """By a rule of its host; or of hosts that are not known one by one (`*.shop.svc.cluster.local`)."""
    return any(
        _name(reference) in one.parts.get(SUBSET, ()) and (not (hosts := _hosts(one)) or reference.target in hosts)
        for one in _rules(view)
    )


def _rules(view: View) -> Iterator[ResourceState]:
    yield from (state for one in view.members(RULES) if (state := view.find(one)) is not None and not state.deleting)


def _hosts(rule: ResourceState) -> list[ResourceId]:
    return [one.target for one in rule.references if one.rule == HOST_RULE]


def _name(reference: Reference) -> str:
    return reference.granule.partition(":")[2]
