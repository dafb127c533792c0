"""States of manifests → the records that `cheops relations -o json` prints, one per reference. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.events import LabelSelector, Reference, ResourceState, Selector
from schemas.identity import ResourceId, ResourceKey, kind_of
from schemas.relations.ambient import is_ambient
from schemas.relations.selector import matches


def records(states: Sequence[ResourceState]) -> Iterator[dict[str, Any]]:
    """In the order of the manifests. `resolved`: the target is among them, or exists in every cluster."""
    by_id = {state.resource: state for state in states}
    namespaces = {ResourceKey.parse(state.resource).namespace for state in states}
    for state in states:
        for reference in state.references:
            yield _record(state, reference, by_id, namespaces)


def _record(
    state: ResourceState, reference: Reference, by_id: Mapping[ResourceId, ResourceState], namespaces: set[str]
) -> dict[str, Any]:
    resolved = _resolved(reference, by_id, namespaces)
    return {
        "source": state.resource,
        "relation": reference.relation,
        "phases": list(reference.phases),
        "rule": reference.rule,
        "path": reference.path,
        "target": reference.target or None,
        "selector": None if reference.selector is None else _selector(reference.selector),
        "granule": reference.granule or None,
        "optional": reference.optional,
        "soft": reference.soft,
        "confidence": reference.confidence,
        "resolved": resolved,
        "part_resolved": _part(reference, by_id) if resolved and reference.granule else None,
        "granted": None,
    }


def _resolved(reference: Reference, by_id: Mapping[ResourceId, ResourceState], namespaces: set[str]) -> bool:
    if reference.selector is not None:
        return any(_selects(reference.selector, state) for state in by_id.values())
    if reference.target in by_id or is_ambient(reference.target):
        return True
    # A namespace is there when the manifests hold anything in it.
    return kind_of(reference.target) == "Namespace" and reference.target.rpartition("/")[2] in namespaces


def _selects(selector: Selector, state: ResourceState) -> bool:
    if selector.namespaces and ResourceKey.parse(state.resource).namespace not in selector.namespaces:
        return False
    if kind_of(state.resource) == selector.kind and matches(selector.labels, state.labels):
        return True
    template = state.template_labels
    return template is not None and selector.kind == "Pod" and matches(selector.labels, template)


def _part(reference: Reference, by_id: Mapping[ResourceId, ResourceState]) -> bool | None:
    state = by_id.get(reference.target)
    part, _, name = reference.granule.partition(":")
    return None if state is None or part not in state.parts else name in state.parts[part]


def _selector(selector: Selector) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": selector.kind}
    if len(selector.namespaces) == 1:
        made["namespace"] = selector.namespaces[0]
    elif selector.namespaces:
        made["namespaces"] = list(selector.namespaces)
    if selector.namespace_labels is not None:
        made["namespaceSelector"] = _labels(selector.namespace_labels)
    return {**made, **_labels(selector.labels)}


def _labels(labels: LabelSelector) -> dict[str, Any]:
    rows = [{"key": one.key, "operator": one.operator, "values": list(one.values)} for one in labels.match_expressions]
    return {"matchLabels": labels.match_labels, "matchExpressions": rows}
