"""Record comes, changes or goes → labels, selectors and edges of the whole graph. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from services.resolver.graph.kept import Record, Same
from services.resolver.graph.links import Links
from services.resolver.graph.names import Names
from services.resolver.graph.records import Records
from services.resolver.graph.selecting import Selecting


class Linking:
    """What is found by way of others. `unused`: numbers that perhaps nobody uses any more."""

    def __init__(self, names: Names, records: Records) -> None:
        self.links = Links(names, records)
        self.selecting = Selecting(names, records)
        self.unused: list[int] = []
        self._labels = self.selecting.labels
        self._places = names.place
        self._records = records

    def link_all(self, added: Mapping[Same, Record]) -> None:
        """These are there now: labels of all before the first selector, which may have a kind indexed."""
        if not added:
            return
        self.selecting.changed()
        choosing = []
        for number, record in added.items():
            place, shape = self._places[number], record.shape
            self._labels.add(place.kind, place.namespace, number, record)
            self.links.edge_count += len(shape.forms)
            if shape.selects:
                choosing.append(number)
        for number in choosing:
            self.link_selectors(number, added[number])
        self.links.add_all(added)

    def relink(self, number: int, old: Record, new: Record) -> None:
        """Most changes leave labels and references as they were."""
        place = self._places[number]
        if old.labels is not new.labels or old.template_labels is not new.template_labels:
            self.selecting.changed()
            self._labels.remove(place.kind, place.namespace, number, old)
            self._labels.add(place.kind, place.namespace, number, new)
        if old.targets != new.targets or old.shape is not new.shape:
            self.selecting.changed()
            self._unlink_references(number, old)
            self._link_references(number, new)

    def unlink(self, number: int, record: Record) -> None:
        """It is gone."""
        place = self._places[number]
        self.selecting.changed()
        self._labels.remove(place.kind, place.namespace, number, record)
        self._unlink_references(number, record)
        self.unused.append(number)

    def _link_references(self, number: int, record: Record) -> None:
        shape = record.shape
        self.links.add(number, record, self._places[number].kind)
        self.links.edge_count += len(shape.forms)
        if shape.selects:
            self.link_selectors(number, record)

    def link_selectors(self, number: Same, record: Record) -> None:
        """Its selectors are looked at from now on."""
        for selector in self._records.selectors(record):
            self.selecting.index(selector.kind)
            self._labels.add_selector(number, selector)

    def _unlink_references(self, number: int, record: Record) -> None:
        self.unused += self.links.remove(number, record, self._places[number].kind)
        self.links.edge_count -= len(record.shape.forms)
        if record.shape.selects:
            for selector in self._records.selectors(record):
                self._labels.remove_selector(number, selector)
