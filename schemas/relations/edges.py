"""States of manifests → the records that `cheops relations -o json` prints, one per reference. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from schemas.events import LabelSelector, Reference, ResourceState, Selector
from schemas.identity import KindId, ResourceId, ResourceKey, kind_of, resource_id
from schemas.relations.ambient import is_ambient
from schemas.relations.grants import granted
from schemas.relations.offering import is_offered, sort_of
from schemas.relations.selector import NAME_LABEL, matches, selects

NAMESPACE: Final = KindId("Namespace")
NOBODY: Final = ResourceId("")
SERVICE: Final = KindId("Service")


class Given:
    """The manifests as one set: who is there, by identity, by kind, and which of them give permissions."""

    def __init__(self, states: Sequence[ResourceState]) -> None:
        self.by_id: dict[ResourceId, ResourceState] = {state.resource: state for state in states}
        self.namespaces = {ResourceKey.parse(state.resource).namespace for state in states}
        self.givers = [state for state in self.by_id.values() if state.grants]
        self._of_kind: dict[str, list[ResourceState]] = {}
        self._labelled: dict[tuple[str, str, str], list[ResourceState]] = {}
        for state in self.by_id.values():
            self._file(kind_of(state.resource), state.labels, state)
            if state.template_labels is not None:
                self._file("Pod", state.template_labels, state)

    def _file(self, kind: str, labels: Mapping[str, str], state: ResourceState) -> None:
        self._of_kind.setdefault(kind, []).append(state)
        for key, value in labels.items():
            self._labelled.setdefault((kind, key, value), []).append(state)

    def labels_of_namespace(self, name: str) -> Mapping[str, str]:
        """Its own labels and the one that every namespace has."""
        state = self.by_id.get(resource_id("", "Namespace", "", name))
        return {NAME_LABEL: name, **(state.labels if state else {})}

    def is_there(self, target: ResourceId, uid: str = "") -> bool:
        """Given (and not another object of that name), or in every cluster.

        A namespace is there when the manifests hold anything in it.
        """
        found = self.by_id.get(target)
        if found is not None:
            return not (uid and found.uid and uid != found.uid)
        if is_ambient(target):
            return True
        return kind_of(target) == NAMESPACE and target.rpartition("/")[2] in self.namespaces

    def selected(self, selector: Selector) -> list[ResourceState]:
        """The resources that a selector chooses."""
        rows = [self._labelled.get((selector.kind, *wanted), []) for wanted in selector.labels.match_labels.items()]
        candidates = min(rows, key=len) if rows else self._of_kind.get(selector.kind, [])  # the rarest label
        return [one for one in candidates if selects(selector, one) and self._looks_in(selector, one.resource)]

    def selects_any(self, selector: Selector) -> bool:
        """Whether it chooses anything; a namespace may be there by its name alone."""
        if self.selected(selector):
            return True
        named = self.namespaces if selector.kind == NAMESPACE else ()
        return any(matches(selector.labels, self.labels_of_namespace(name)) for name in named if name)

    def _looks_in(self, selector: Selector, resource: ResourceId) -> bool:
        namespace = ResourceKey.parse(resource).namespace
        if namespace in selector.namespaces:
            return True
        if selector.namespace_labels is not None:
            return matches(selector.namespace_labels, self.labels_of_namespace(namespace))
        return not selector.namespaces


def records(states: Sequence[ResourceState]) -> Iterator[dict[str, Any]]:
    """In the order of the manifests. `resolved`: the target is among them, or exists in every cluster.

    A host in a text that names no given Service is left out: it is a guess that nothing confirms.
    """
    given = Given(states)
    for state in states:
        for record in _records(state, given):
            if (
                record["resolved"]
                or record["confidence"] != "inferred"
                or kind_of(record["target"] or NOBODY) != SERVICE
            ):
                yield record


def unconfirmed(state: ResourceState) -> Iterator[dict[str, Any]]:
    """The records of one resource alone, its guesses included."""
    return _records(state, Given([state]))


def _records(state: ResourceState, given: Given) -> Iterator[dict[str, Any]]:
    # What a subPath reads of a volume (mounts.py) stands elsewhere than the volume: that is one edge, and it is whole.
    whole = {(one.path, one.target) for one in state.references if not one.granule and one.selector is None}
    for reference in state.references:
        if not (reference.granule and (reference.path, reference.target) in whole):
            yield _record(state, reference, given)


def _record(state: ResourceState, reference: Reference, given: Given) -> dict[str, Any]:
    chosen = None if reference.selector is None else given.selected(reference.selector)
    if reference.selector is None:
        resolved = given.is_there(reference.target, reference.uid)
    else:
        resolved = bool(chosen) or given.selects_any(reference.selector)
    target = given.by_id.get(reference.target)
    return {
        "source": state.resource,
        "relation": reference.relation,
        "phases": list(reference.phases),
        "rule": reference.rule,
        "path": reference.path,
        "target": reference.target or None,
        "selector": None if reference.selector is None else selector_record(reference.selector),
        "granule": reference.granule or None,
        "optional": reference.optional,
        "soft": reference.soft,
        "confidence": reference.confidence,
        "resolved": resolved,
        "part_resolved": _part(reference, chosen if chosen is not None else [target] if target else []),
        "granted": granted(reference, state, target, given.givers, given.labels_of_namespace),
    }


def _part(reference: Reference, targets: Sequence[ResourceState]) -> bool | None:
    known = [one for one in targets if sort_of(reference.rule, reference.granule, one.parts) in one.parts]
    offered = (is_offered(reference.rule, reference.granule, one.parts) for one in known)
    return any(offered) if known and reference.granule else None


def selector_record(selector: Selector) -> dict[str, Any]:
    """A selector as it is printed."""
    made: dict[str, Any] = {"kind": selector.kind}
    if len(selector.namespaces) == 1:
        made["namespace"] = selector.namespaces[0]
    elif selector.namespaces:
        made["namespaces"] = list(selector.namespaces)
    if selector.namespace_labels is not None:
        made["namespaceSelector"] = _labels(selector.namespace_labels)
    if selector.default:
        made["default"] = True
    return {**made, **_labels(selector.labels)}


def _labels(labels: LabelSelector) -> dict[str, Any]:
    rows = [{"key": one.key, "operator": one.operator, "values": list(one.values)} for one in labels.match_expressions]
    return {"matchLabels": labels.match_labels, "matchExpressions": rows}
