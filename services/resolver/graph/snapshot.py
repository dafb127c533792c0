"""Graph → chunks of plain values, a few thousand numbers at a time, while events go on. Pure.

    chunk, chunk, … (events in between)          restoring.py reads them

What a chunk says of a number is whole and was true at one moment: its name, its record, its weight in the digest.
Chunks differ in their moments, so together they are no state that ever was. But an event carries a resource's whole
state: who applies everything that came since the first chunk to what is read back has the graph that the events lead
to. For that no number may change its meaning meanwhile, so none is forgotten.

Records share what recurs, and so do chunks: bytes, forms, shapes and places get a number when they first occur.
Reverse edges, label groups and selectors are not written: they follow from the records.
"""

from __future__ import annotations

from array import array
from collections.abc import Generator, Hashable, Iterable
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from schemas.events import Grant, Reference, ResourceState, Selector
from services.resolver.graph.kept import Form, Record, Shape, Target
from services.resolver.graph.store import Graph

FORMAT: Final = 1  # of chunks; what is packed in a record is told by `layout`
CHUNK_NUMBERS: Final = 1_024  # some milliseconds
NONE: Final = 2**32 - 1

Key = TypeVar("Key", bound=Hashable)


class Chunk(Struct, array_like=True, frozen=True, gc=False):
    """Numbers from `first` on; columns of four bytes (weights: eight) a row, as this machine orders them.

    names, places       of each number
    rows                the numbers that are there; the columns after it have a row for each of them
    heads … shapes      what occurs here for the first time, numbered on
    targets             each once
    """

    first: int
    names: list[str]
    places: bytes
    rows: bytes
    lines: list[bytes]
    labels: bytes
    template_labels: bytes
    traits: bytes
    shape_of: bytes
    targets_of: bytes
    weights: bytes
    heads: list[str]
    shared: list[bytes]
    forms: list[tuple[Reference, bool, bool]]
    shapes: list[list[int]]
    targets: list[list[Any]]  # of Target, which msgspec cannot tell apart


def layout() -> str:
    """What chunks rest on besides this module: the fields of what is packed, and how this machine writes numbers."""
    packed = (ResourceState, Reference, Selector, Grant, Record, Shape)
    fields = [(one.name, str(one.type)) for kind in packed for one in msgspec.structs.fields(kind)]
    return f"{FORMAT} {array('I', [1]).tobytes().hex()} {fields}"


class Copying:
    """One pass over a graph. `chunks` ends when every number that there is by then was told."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._names, self._records, _, _, self._digests = graph.parts
        self._heads: Seen[str] = Seen()
        self._shared: Seen[bytes] = Seen()
        self._forms: Seen[Form] = Seen()
        self._shapes: Seen[Shape] = Seen()

    def chunks(self, numbers: int = CHUNK_NUMBERS) -> Generator[Chunk, None, None]:
        """Ask for the next one whenever there is time for it; the graph may change in between.

        It keeps all numbers until the iterator is at its end, or closed.
        """
        self._graph.keeps_numbers = True
        try:
            first = 0
            while first < len(self._names):
                last = min(first + numbers, len(self._names))
                yield self._chunk(first, last)
                first = last
        finally:
            self._graph.keeps_numbers = False

    def _chunk(self, first: int, last: int) -> Chunk:
        there = [
            (number, record) for number in range(first, last) if (record := self._records.rows[number]) is not None
        ]
        targets: Seen[int] = Seen()  # by the very object: replicas share it
        kept: list[list[Target]] = []
        targets_of = array("I")
        for _, record in there:
            known = len(targets)
            targets_of.append(targets.number(id(record.targets)))
            if len(targets) > known:
                kept.append([*record.targets])
        shared, shapes = self._shared.number, self._shapes.number
        return Chunk(
            first,
            self._names.names(first, last),
            _column(self._heads.number(one.head) for one in self._names.place[first:last]),
            _column(number for number, _ in there),
            [record.line for _, record in there],
            _column(shared(record.labels) for _, record in there),
            array(
                "I", [NONE if (one := record.template_labels) is None else shared(one) for _, record in there]
            ).tobytes(),
            _column(shared(record.traits) for _, record in there),
            _column(shapes(record.shape) for _, record in there),
            targets_of.tobytes(),
            array("Q", [self._digests.weight(number) for number, _ in there]).tobytes(),
            self._heads.taken(),
            self._shared.taken(),
            *self._new_shapes(),
            kept,
        )

    def _new_shapes(self) -> tuple[list[tuple[Reference, bool, bool]], list[list[int]]]:
        shapes = [[self._forms.number(form) for form in shape.forms] for shape in self._shapes.taken()]
        return [(form.reference, form.pinned, form.selects) for form in self._forms.taken()], shapes


def _column(numbers: Iterable[int]) -> bytes:
    return array("I", numbers).tobytes()


class Seen(dict[Key, int]):
    """Value → its number, handed out from 0; `taken` gives what is new since it was asked last."""

    def __init__(self) -> None:
        super().__init__()
        self._new: list[Key] = []

    def __missing__(self, key: Key) -> int:
        made = self[key] = len(self)
        self._new.append(key)
        return made

    def number(self, key: Key) -> int:
        """Its number."""
        return self[key]

    def taken(self) -> list[Key]:
        """What has got a number since the last time."""
        new, self._new = self._new, []
        return new
