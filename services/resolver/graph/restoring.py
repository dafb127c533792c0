"""Chunks → the graph that they were copied from, in pieces of some milliseconds. Pure.

    take each chunk ──▶ names, records          finish ──▶ reverse edges, selectors, labels, digests, free numbers

Raises ChunkError for what cannot be: a chunk that refers to something that none before it told of.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from services.resolver.graph.edges import Reverse, Sources
from services.resolver.graph.forms import OWNER, USED
from services.resolver.graph.kept import Form, Place, Record, Same, Shape, Target, place_of
from services.resolver.graph.parts import Parts
from services.resolver.graph.snapshot import NONE, Chunk

PIECE: Final = 4_096  # numbers that are looked at in one piece
NUMBERS_PIECE: Final = 65_536  # that are made in one


class ChunkError(ValueError):
    """It is no chunk of this snapshot."""


class Restoring:
    """Fills the parts of an empty graph, in which `count` numbers are handed out."""

    def __init__(self, parts: Parts, count: int) -> None:
        self.resource_count = 0
        self._parts = parts
        self._count = count
        self._numbers: list[Same] = []  # each once: millions of equal ones would be millions of objects
        self._heads: list[Place] = []
        self._shared: list[bytes] = []
        self._forms: list[Form] = []
        self._shapes: list[Shape] = []

    # ── chunk by chunk ──────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self) -> Iterator[None]:
        """Before the first; something else may be done between the pieces."""
        for first in range(0, self._count, NUMBERS_PIECE):
            self._numbers += range(first, min(first + NUMBERS_PIECE, self._count))
            yield

    def take(self, chunk: Chunk) -> None:
        """The next one."""
        known = len(self._parts.names)
        if chunk.first != known or known + len(chunk.names) > len(self._numbers):
            raise ChunkError(f"numbers from {chunk.first} (expected from {known})")
        try:
            self._learn(chunk)
            self._fill(chunk)
        except (IndexError, TypeError, ValueError) as error:
            raise ChunkError(f"{type(error).__name__}: {error}") from error

    def _learn(self, chunk: Chunk) -> None:
        names, records = self._parts.names, self._parts.records
        self._heads += map(place_of, chunk.heads)
        self._shared += map(records.share, chunk.shared)
        self._forms += [records.form(*one) for one in chunk.forms]
        self._shapes += [records.shape(tuple([self._forms[one] for one in forms])) for forms in chunk.shapes]
        names.restore(map(self._heads.__getitem__, array("I", chunk.places)), chunk.names)
        self._parts.links.grow(len(chunk.names))
        records.rows.extend([None] * len(chunk.names))

    def _fill(self, chunk: Chunk) -> None:
        numbers, shared, digests = self._numbers, self._shared, self._parts.digests
        targets = [tuple([numbers[to] if type(to) is int else to for to in one]) for one in chunk.targets]
        columns = (chunk.rows, chunk.labels, chunk.template_labels, chunk.traits, chunk.shape_of, chunk.targets_of)
        table = zip(*(array("I", one) for one in columns), chunk.lines, array("Q", chunk.weights), strict=True)
        for number, labels, template, traits, shape_of, targets_of, line, weight in table:
            shape, mine = self._shapes[shape_of], targets[targets_of]
            if len(mine) != len(shape.roles):
                raise ChunkError(f"{len(mine)} targets (expected {len(shape.roles)})")
            if shape.selects:
                mine = self._with_shared(mine, shape)
            more = None if template == NONE else shared[template]
            self._parts.records.rows[number] = Record(line, shared[labels], more, shared[traits], shape, mine)
            digests.restore(numbers[number], self._parts.names.kind(number), weight)
            self._parts.links.edge_count += len(shape.forms)
        self.resource_count += len(chunk.lines)

    def _with_shared(self, targets: tuple[Target, ...], shape: Shape) -> tuple[Target, ...]:
        """Packed selectors are shared, as labels are."""
        share = self._parts.records.share
        chosen = {place for form, place in zip(shape.forms, shape.places, strict=True) if form.selects}
        return tuple([share(to) if at in chosen and isinstance(to, bytes) else to for at, to in enumerate(targets)])

    # ── what follows from it ────────────────────────────────────────────────────────────────────────────────────────

    def finish(self) -> Iterator[None]:
        """When all were taken; something else may be done between the pieces, with anything but this graph."""
        if len(self._parts.names) != len(self._numbers):
            raise ChunkError(f"{len(self._parts.names)} numbers (expected {len(self._numbers)})")
        yield from self._linked()
        yield from self._adopted()
        yield from self._selected()

    def _pieces(self) -> Iterator[list[tuple[Same, Record]]]:
        rows = self._parts.records.rows
        for first in range(0, len(rows), PIECE):
            there = zip(self._numbers[first : first + PIECE], rows[first : first + PIECE], strict=True)
            yield [(number, record) for number, record in there if record is not None]

    def _linked(self) -> Iterator[None]:
        found: dict[int, list[Sources]] = {role: [None] * len(self._numbers) for role in (USED, OWNER)}
        where: dict[Shape, list[tuple[int, list[Sources]]]] = {}
        for piece in self._pieces():
            for number, record in piece:
                mine = where.get(record.shape)
                if mine is None:
                    roles = enumerate(record.shape.roles)
                    mine = where[record.shape] = [(place, found[role]) for place, role in roles if role in found]
                for place, rows in mine:
                    target: int = record.targets[place]  # type: ignore[assignment]  # the role says that it is a number
                    row = rows[target]
                    if row is None:
                        rows[target] = number
                    elif isinstance(row, list):
                        row.append(number)
                    else:
                        rows[target] = [row, number]
            yield
        links = self._parts.links
        yield from self._rowed(found[USED], links.users)
        yield from self._rowed(found[OWNER], links.children)

    def _rowed(self, found: list[Sources], index: Reverse) -> Iterator[None]:
        rows, work = index.rows, 0
        for first in range(0, len(found), PIECE):
            piece = found[first : first + PIECE]
            found[first : first + PIECE] = [None] * len(piece)  # to free all at the end takes 40 ms at a million
            for target, sources in enumerate(piece, first):
                if isinstance(sources, list):
                    rows[target] = index.row(sources)
                    work += len(sources)
                    if work > PIECE:
                        work = 0
                        yield
                else:
                    rows[target] = sources
            yield

    def _adopted(self) -> Iterator[None]:
        """What is there or named keeps its number; the others are free."""
        names, rows, links = self._parts.names, self._parts.records.rows, self._parts.links
        for first in range(0, len(rows), PIECE):
            for number in self._numbers[first : first + PIECE]:
                if rows[number] is not None or links.names(number):
                    names.adopt(number)
                else:
                    names.release(number)
            yield

    def _selected(self) -> Iterator[None]:
        records, selecting, names = self._parts.records, self._parts.selecting, self._parts.names
        for piece in self._pieces():
            for number, record in piece:
                for selector in records.selectors(record) if record.shape.selects else ():
                    selecting.labels.begin(selector.kind)
                    selecting.labels.add_selector(number, selector)
            yield
        for piece in self._pieces():
            for number, record in piece:
                place = names.place[number]
                selecting.labels.add(place.kind, place.namespace, number, record)
            yield
