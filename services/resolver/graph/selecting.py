"""Who selects what: selectors of present resources against labels of present resources. Pure."""

from __future__ import annotations

from typing import Final

from schemas.events import LabelSelector, Selector
from schemas.identity import KindId, ResourceId, resource_id
from schemas.relations.selector import marked_default, matches
from services.resolver.graph.kept import Choosing, Record
from services.resolver.graph.label_index import POD, LabelIndex
from services.resolver.graph.names import NOWHERE, Names
from services.resolver.graph.records import Records
from services.resolver.graph.view import Edge

NAMESPACE: Final = KindId("Namespace")
ALIKE_MAX: Final = 8_192  # sets of labels of which it is remembered who selects them
SELECTED_MAX: Final = 65_536  # matches of selectors that are remembered


NOBODY: Final[list[Choosing]] = []


class Selecting:
    """The selectors and labels of one graph."""

    def __init__(self, names: Names, records: Records) -> None:
        self._names = names
        self._records = records
        self.labels = LabelIndex(records)
        self.labels.begin(POD)  # most selectors ask for Pods: the first one is not to walk over all that are there
        self._alike: dict[tuple[str, bytes, bytes | None], list[Choosing]] = {}
        self._selected: dict[int, tuple[Selector, list[int]]] = {}  # by the very object, which has no hash
        self._selected_len = 0

    def index(self, kind: KindId) -> None:
        """Index a kind by labels when the first selector asks for it."""
        if self.labels.indexes(kind):
            return
        self.labels.begin(kind)
        for number, record in enumerate(self._records.rows):
            if record is not None:
                place = self._names.place[number]
                if place.kind == kind:
                    self.labels.put(kind, place.namespace, record.labels, number)
                if kind == POD and record.template_labels is not None:
                    self.labels.put(kind, place.namespace, record.template_labels, number)

    def selected(self, selector: Selector) -> list[int]:
        """Numbers of the present resources that it selects; found once between two changes, nobody may change it."""
        known = self._selected.get(id(selector))
        if known is not None:
            return known[1]
        self.index(selector.kind)
        every = dict.fromkeys(self.labels.select(selector, self._namespaces(selector)))
        if selector.default:  # what is marked as default may change while labels stay
            return [one for one in every if self.may(selector, self._records.rows[one])]
        if self._selected_len > SELECTED_MAX:
            self._forget_selected()
        found = [*every]
        self._selected[id(selector)] = selector, found
        self._selected_len += 1 + len(found)
        return found

    def _forget_selected(self) -> None:
        self._selected.clear()
        self._selected_len = 0

    def may(self, selector: Selector, record: Record | None) -> bool:
        """What a selector asks besides labels."""
        return not selector.default or (record is not None and marked_default(self._records.traits(record)))

    def selecting(self, number: int, target: ResourceId, record: Record) -> list[tuple[int, Edge]]:
        """Sources that select a present resource, each with its edge."""
        return [
            (one.source, Edge(self._names.resource(one.source), target, one.reference))
            for one in self.choosing(number, record)
        ]

    def choosing(self, number: int, record: Record) -> list[Choosing]:
        """Who selects a present resource; who does in two ways comes twice."""
        found = self.alike(number, record)
        return [
            one
            for one in found
            if one.source != number and (not one.selector.default or self.may(one.selector, record))
        ]

    def changed(self) -> None:
        """Labels or references are others: who was found before may select no more."""
        if self._alike:
            self._alike.clear()
        if self._selected:
            self._forget_selected()

    def alike(self, number: int, record: Record) -> list[Choosing]:
        """Selectors that match its labels in its place: found once for all replicas, between two changes."""
        place = self._names.place[number]
        if record.template_labels is None and not self.labels.indexes(place.kind):
            return NOBODY
        key = (place.head, record.labels, record.template_labels)
        found = self._alike.get(key)
        if found is None:
            if len(self._alike) >= ALIKE_MAX:
                self._alike.clear()
            self._alike[key] = found = []
            for source in self.labels.selecting(place.kind, place.namespace, record):
                mine = self._records.rows[source]
                for selector, reference in self._records.selecting(mine) if mine is not None else ():
                    if self._matches(selector, place.kind, record) and self.looks_in(selector, place.namespace):
                        found.append(Choosing(source, selector, reference))
        return found

    def _matches(self, selector: Selector, kind: KindId, record: Record) -> bool:
        if selector.kind == kind and matches(selector.labels, self._records.labels(record.labels)):
            return True
        template = record.template_labels
        return (
            selector.kind == POD and template is not None and matches(selector.labels, self._records.labels(template))
        )

    def _namespaces(self, selector: Selector) -> list[str] | None:
        if selector.namespace_labels is None:
            return list(selector.namespaces) or None
        chosen = [
            self._names.name(number)
            for numbers in self._names.members(NAMESPACE)
            for number in numbers
            if self._is_labelled(number, selector.namespace_labels)
        ]
        return [*selector.namespaces, *chosen]

    def looks_in(self, selector: Selector, namespace: str) -> bool:
        """Whether a selector looks into a namespace."""
        if namespace in selector.namespaces:
            return True
        if selector.namespace_labels is not None:
            return self._namespace_matches(selector.namespace_labels, namespace)
        return not selector.namespaces

    def _namespace_matches(self, labels: LabelSelector, namespace: str) -> bool:
        number = self._names.find(resource_id("", NAMESPACE, "", namespace))
        return number != NOWHERE and self._is_labelled(number, labels)

    def _is_labelled(self, number: int, labels: LabelSelector) -> bool:
        record = self._records.rows[number]
        return record is not None and matches(labels, self._records.labels(record.labels))
