"""Permissions at one site: has a reference what it needs, and whom does a resource permit? Pure; rules: grants.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from schemas.events import Reference, ResourceState
from schemas.identity import KindId, ResourceId, ResourceKey, kind_of, resource_id, split_kind
from schemas.relations.grants import GATEWAY_GROUP, LISTENING, granted
from services.resolver.graph.label_index import namespace_of
from services.resolver.graph.remembered import traits_of
from services.resolver.graph.view import Edge, View
from services.resolver.judge.use import BREAKING, use_of

GRANT: Final = KindId("gateway.networking.k8s.io/ReferenceGrant")


def is_granted(view: View, source: ResourceState, reference: Reference) -> bool | None:
    """None when it needs no permission, or its target is not there."""
    if not reference.needs_permission:
        return None

    def labels(namespace: str) -> Mapping[str, str]:
        state = view.find(resource_id("", "Namespace", "", namespace))
        return state.labels if state is not None else {}

    members = view.members(GRANT, namespace_of(reference.target))
    givers = [state for one in members if (state := view.find(one)) is not None]
    return granted(reference, source, view.find(reference.target), givers, labels)


def permitted_by(view: View, resource: ResourceId) -> Iterator[tuple[Edge, ResourceState]]:
    """References that this resource may permit (another may permit them, too), with their sources."""
    state = traits_of(view, resource)
    if state is None or not state.grants:
        return
    if kind_of(resource) in LISTENING:
        few = view.dependents(resource)
        edges = few.edges if few.count <= len(few.edges) else view.dependents(resource, few.count).edges
        rows = [(edge, view.find(edge.source)) for edge in edges if edge.reference.needs_permission]
        yield from ((edge, source) for edge, source in rows if source is not None)
        return
    home = namespace_of(resource)
    for kind, namespace in {(grant.source, one) for grant in state.grants for one in grant.namespaces}:
        for member in view.members(kind, namespace):
            source = view.find(member)
            for reference in source.references if source is not None else ():
                if source is not None and reference.needs_permission and namespace_of(reference.target) == home:
                    yield Edge(member, reference.target, reference), source


def permitted_by_this_alone(
    view: View, after: View, resource: ResourceId, going: AbstractSet[ResourceId]
) -> Iterator[Edge]:
    """Living references, from what stays, that are permitted by what goes, and by nothing else."""
    for edge, source in permitted_by(view, resource):
        if edge.source in going or use_of(edge, source) not in BREAKING:
            continue
        if after.find(edge.target) is not None and is_granted(after, source, edge.reference) is False:
            yield edge


def admitted_from(view: View, namespace: ResourceId) -> Iterator[tuple[Edge, ResourceState]]:
    """References from inside a namespace to what admits by its labels, with their sources."""
    home = ResourceKey.parse(namespace).name
    for kind in view.surface.served:
        if split_kind(kind)[0] != GATEWAY_GROUP:
            continue  # only routes are admitted by listeners
        for member in view.members(kind, home):
            source = view.find(member)
            for reference in source.references if source is not None else ():
                if source is not None and reference.needs_permission and kind_of(reference.target) in LISTENING:
                    yield Edge(member, reference.target, reference), source
