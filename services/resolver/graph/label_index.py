"""Labels → resources and resources → selectors, without scanning. Pure.

A resource is found under its own kind by its labels; a workload is found under `Pod`, too, by the labels of the pods
that it makes, so a Service leads to a Deployment that has no pods yet. A kind is indexed from the first selector that
asks for it. Within a kind and a namespace resources with equal labels stand together, and label values lead to those
groups, so replicas cost one entry. Selectors are filed under one of the labels that they ask for (or under "any") and
the namespace that they look into, so a change touches only the selectors that could match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from schemas.events import LabelSelector, Selector
from schemas.identity import KindId, ResourceId
from schemas.relations.selector import matches
from services.resolver.graph.kept import Field, Group, Record, Same
from services.resolver.graph.packed import (
    NOT_THERE,
    NUMBER_BYTES,
    PACKED_MAX,
    pack_numbers,
    place_in,
    unpack_numbers,
    with_number,
    without_place,
)
from services.resolver.graph.records import Records

POD: Final = KindId("Pod")
Labels = dict[str, str]
Anchor = tuple[KindId, str]  # what is selected, and where
Wanted = tuple[str, str]  # one of the labels that it must have, ("", "") for any
EVERYWHERE: Final = "*"  # no namespace is called so
Sources = int | dict[int, int]  # the one that has one such selector, or each and how many it has
ANY: Wanted = ("", "")
SCAN_MAX: Final = 32  # groups of equal labels; fewer are matched one by one


def namespace_of(resource: ResourceId) -> str:
    """The namespace in an identity string; "" when cluster-scoped."""
    parts = resource.split("/")
    head = 1 if parts[0][:1].isupper() else 2
    return parts[head] if len(parts) == head + 2 else ""


class LabelIndex:
    """Label groups by kind and namespace, and selectors by what they ask for."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.fields: dict[KindId, dict[str, Field]] = {}  # kind → namespace → what there is; changed only here
        self._anchored: dict[Anchor, dict[Wanted, Sources]] = {}

    # ── resources ───────────────────────────────────────────────────────────────────────────────────────────────────

    def indexes(self, kind: KindId) -> bool:
        """Whether somebody asked for this kind by labels."""
        return kind in self.fields

    def begin(self, kind: KindId) -> None:
        """Index a kind from now on, if it is not; the caller adds what is there already."""
        self.fields.setdefault(kind, {})

    def add(self, kind: KindId, namespace: str, number: Same, record: Record) -> None:
        """A resource is there."""
        if kind in self.fields:
            self.put(kind, namespace, record.labels, number)
        if record.template_labels is not None and POD in self.fields:
            self.put(POD, namespace, record.template_labels, number)

    def put(self, kind: KindId, namespace: str, packed: bytes, number: Same) -> None:
        """A resource is found under a kind by these labels."""
        fields = self.fields[kind]
        field = fields.get(namespace)
        if field is None:
            field = fields[namespace] = Field()
        group = field.groups.get(packed)
        if group is None:
            field.groups[packed] = number
            for key, values in field.postings.items():
                value = self._records.labels(packed).get(key)
                if value is not None:
                    values.setdefault(value, {})[packed] = None
        elif isinstance(group, dict):
            group[number] = None
        else:
            field.groups[packed] = _joined(group, number)

    def remove(self, kind: KindId, namespace: str, number: int, record: Record) -> None:
        """A resource is gone, as it was added."""
        fields = self.fields.get(kind)
        if fields is not None:
            self._remove(fields, namespace, record.labels, number)
        if record.template_labels is not None:
            fields = self.fields.get(POD)
            if fields is not None:
                self._remove(fields, namespace, record.template_labels, number)

    def _remove(self, fields: dict[str, Field], namespace: str, packed: bytes, number: int) -> None:
        field = fields.get(namespace)
        group = None if field is None else field.groups.get(packed)
        if field is None or group is None:
            return
        left = _left(group, number)
        if left is not None:
            field.groups[packed] = left
            return
        del field.groups[packed]
        for key, values in field.postings.items():
            value = self._records.labels(packed).get(key)
            if value is not None:
                del values[value][packed]
                if not values[value]:
                    del values[value]
        if not field.groups:
            del fields[namespace]

    def select(self, selector: Selector, namespaces: Iterable[str] | None) -> Iterator[int]:
        """Numbers of the resources that match, namespace by namespace (None = all); a kind that is indexed."""
        fields = self.fields[selector.kind]
        for namespace in fields if namespaces is None else namespaces:
            field = fields.get(namespace)
            if field is None:
                continue
            for packed in self._candidates(field, selector.labels):
                if matches(selector.labels, self._records.labels(packed)):
                    group = field.groups[packed]
                    if isinstance(group, int):
                        yield group
                    elif isinstance(group, bytes):
                        yield from unpack_numbers(group)
                    else:
                        yield from group

    def _candidates(self, field: Field, labels: LabelSelector) -> Iterable[bytes]:
        """Groups with the rarest wanted label; all when there are few or no label is wanted."""
        if len(field.groups) <= SCAN_MAX or not labels.match_labels:
            return field.groups
        return min((self._posting(field, *wanted) for wanted in labels.match_labels.items()), key=len)

    def _posting(self, field: Field, key: str, value: str) -> dict[bytes, None]:
        values = field.postings.get(key)
        if values is None:
            values = field.postings[key] = {}
            for packed in field.groups:
                found = self._records.labels(packed).get(key)
                if found is not None:
                    values.setdefault(found, {})[packed] = None
        return values.get(value, {})

    # ── selectors ───────────────────────────────────────────────────────────────────────────────────────────────────

    def add_selector(self, source: Same, selector: Selector) -> None:
        """A reference of `source` selects."""
        wanted = _wanted(selector)
        for anchor in _anchors(selector):
            rows = self._anchored.setdefault(anchor, {})
            row = rows.get(wanted)
            if row is None:
                rows[wanted] = source
                continue
            if isinstance(row, int):
                row = rows[wanted] = {row: 1}
            row[source] = row.get(source, 0) + 1

    def remove_selector(self, source: int, selector: Selector) -> None:
        """It does not any more."""
        wanted = _wanted(selector)
        for anchor in _anchors(selector):
            rows = self._anchored[anchor]
            row = rows[wanted]
            if isinstance(row, dict):
                row[source] -= 1
                if not row[source]:
                    del row[source]
                if row:
                    continue
            del rows[wanted]
            if not rows:
                del self._anchored[anchor]

    def selecting(self, kind: KindId, namespace: str, record: Record) -> list[int]:
        """Sources with a selector that could match this resource; the caller looks at each."""
        found: dict[int, int] = {}
        for of_kind, packed in ((kind, record.labels), (POD, record.template_labels)):
            if packed is None or of_kind not in self.fields:
                continue  # nobody asked for this kind yet
            for where in (namespace, EVERYWHERE):
                rows = self._anchored.get((of_kind, where))
                if rows is not None:
                    for wanted in (ANY, *self._records.labels(packed).items()):
                        row = rows.get(wanted)
                        if isinstance(row, int):
                            found[row] = 1
                        elif row is not None:
                            found.update(row)
        return list(found)


def _joined(group: int | bytes, number: int) -> Group:
    if isinstance(group, int):
        return group if group == number else pack_numbers((group, number))
    if place_in(group, number) != NOT_THERE:  # it may have been found when its kind was indexed
        return group
    if len(group) < PACKED_MAX * NUMBER_BYTES:
        return with_number(group, number)
    return dict.fromkeys((*unpack_numbers(group), number))


def _left(group: Group, number: int) -> Group | None:
    """Without this one, which may be gone already: a Pod that makes pods stood there twice."""
    if isinstance(group, int):
        return None if group == number else group
    if isinstance(group, dict):
        group.pop(number, None)
        return group or None
    place = place_in(group, number)
    if place == NOT_THERE:
        return group
    left = without_place(group, place)
    return left if len(left) > NUMBER_BYTES else unpack_numbers(left)[0]


def _wanted(selector: Selector) -> Wanted:
    return next(iter(selector.labels.match_labels.items()), ANY)


def _anchors(selector: Selector) -> Iterator[Anchor]:
    if selector.namespace_labels is not None or not selector.namespaces:
        yield selector.kind, EVERYWHERE
    for namespace in dict.fromkeys(selector.namespaces):
        yield selector.kind, namespace
