"""Labels → resources and resources → selectors, without scanning. Pure.

A resource is found under its own kind by its labels; a workload is found under `Pod`, too, by the labels of the pods
that it makes, so a Service leads to a Deployment that has no pods yet. Selectors are filed under one of the labels
that they ask for (or under "any"), so a change touches only the selectors that could match.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeVar

from schemas.events import ResourceState, Selector
from schemas.identity import KindId, ResourceId, kind_of
from schemas.relations.selector import matches

POD = KindId("Pod")
Labels = dict[str, str]
Anchor = tuple[KindId, str, str]
Key = TypeVar("Key")


def namespace_of(resource: ResourceId) -> str:
    """The namespace in an identity string; "" when cluster-scoped."""
    parts = resource.split("/")
    head = 1 if parts[0][:1].isupper() else 2
    return parts[head] if len(parts) == head + 2 else ""


def selectable(state: ResourceState) -> Iterator[tuple[KindId, Labels]]:
    """The (kind, labels) under which a resource can be selected."""
    yield kind_of(state.resource), state.labels
    if state.template_labels is not None:
        yield POD, state.template_labels


class LabelIndex:
    """Postings (kind, namespace, label) → resources, and anchors → selector edges."""

    def __init__(self) -> None:
        self._postings: dict[tuple[KindId, str, str, str], dict[ResourceId, None]] = {}
        self._members: dict[tuple[KindId, str], dict[ResourceId, None]] = {}
        self._namespaces: dict[KindId, dict[str, int]] = defaultdict(dict)
        self._anchored: dict[Anchor, dict[tuple[ResourceId, int], Selector]] = {}

    # ── resources ───────────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, state: ResourceState) -> None:
        """A resource is there."""
        namespace = namespace_of(state.resource)
        for kind, labels in selectable(state):
            self._members.setdefault((kind, namespace), {})[state.resource] = None
            counts = self._namespaces[kind]
            counts[namespace] = counts.get(namespace, 0) + 1
            for key, value in labels.items():
                self._postings.setdefault((kind, namespace, key, value), {})[state.resource] = None

    def remove(self, state: ResourceState) -> None:
        """A resource is gone, as it was added."""
        namespace = namespace_of(state.resource)
        for kind, labels in selectable(state):
            _discard(self._members, (kind, namespace), state.resource)
            counts = self._namespaces[kind]
            counts[namespace] -= 1
            if not counts[namespace]:
                del counts[namespace]
            for key, value in labels.items():
                _discard(self._postings, (kind, namespace, key, value), state.resource)

    def candidates(self, selector: Selector, namespaces: Iterable[str] | None) -> Iterator[ResourceId]:
        """Resources that may match: those with the rarest wanted label, namespace by namespace (None = all)."""
        kind = selector.kind
        wanted = selector.labels.match_labels
        for namespace in self._namespaces[kind] if namespaces is None else namespaces:
            if not wanted:
                yield from self._members.get((kind, namespace), ())
                continue
            rows = [self._postings.get((kind, namespace, key, value)) for key, value in wanted.items()]
            found = [row for row in rows if row is not None]
            if len(found) == len(rows):
                yield from min(found, key=len)

    # ── selectors ───────────────────────────────────────────────────────────────────────────────────────────────────

    def add_selector(self, source: ResourceId, place: int, selector: Selector) -> None:
        """Reference number `place` of `source` selects."""
        self._anchored.setdefault(_anchor(selector), {})[(source, place)] = selector

    def remove_selector(self, source: ResourceId, place: int, selector: Selector) -> None:
        """It does not any more."""
        row = self._anchored.get(_anchor(selector))
        if row is not None:
            row.pop((source, place), None)
            if not row:
                del self._anchored[_anchor(selector)]

    def selecting(self, state: ResourceState) -> Iterator[tuple[ResourceId, int, Selector]]:
        """Selector edges whose labels match this resource (where they look is the caller's question)."""
        for kind, labels in selectable(state):
            anchors = [(kind, "", ""), *((kind, key, value) for key, value in labels.items())]
            for anchor in anchors:
                for (source, place), selector in self._anchored.get(anchor, {}).items():
                    if matches(selector.labels, labels):
                        yield source, place, selector


def matches_state(selector: Selector, state: ResourceState) -> bool:
    """Whether one of the resource's label sets, under the selector's kind, matches."""
    return any(kind == selector.kind and matches(selector.labels, labels) for kind, labels in selectable(state))


def _anchor(selector: Selector) -> Anchor:
    for key, value in selector.labels.match_labels.items():
        return selector.kind, key, value
    return selector.kind, "", ""


def _discard(rows: dict[Key, dict[ResourceId, None]], key: Key, resource: ResourceId) -> None:
    row = rows.get(key)
    if row is not None:
        row.pop(resource, None)
        if not row:
            del rows[key]
