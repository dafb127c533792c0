"""A tree of places → one Python function that leads through an object, as source. Pure.

    spec.volumes[*].secret ─▶  v1 = v0.get('spec')
                               if isinstance(v1, dict):
                                   v2 = v1.get('volumes')
                                   for i3, v3 in enumerate(v2) if isinstance(v2, list) else named(v2): …

Closures do the same in fewer lines and a sixth more time: most of a hundred calls only led to the next place
(docs/adr/0013). All that comes from a rule stands in the source as a quoted text. A place with many fields is left to a
function for each, found by name, so that a volume costs two looks and not thirty.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import Any, Final

from schemas.relations.places import Place, Read, Row, Slot

WIDE: Final = 4  # fields; fewer are asked for one by one, which is as fast
CODES_MAX: Final = 2_048
DEPTH_MAX: Final = 12  # places inside each other in one function: Python has a limit, too


def compiled(place: Place) -> Read:
    """The tree → one function, called once per object. As deep as the longest rule, whatever the object."""
    if len(place.readers) == 1 and not (place.choosy or place.children or place.each):
        (only,) = place.readers
        if not isinstance(only, Slot):
            return only
    writer = _Writer()
    writer.place(place, "v0", (), 1)
    made: dict[str, Any] = dict(writer.held)
    exec(_code(writer.source()), made)  # of quoted texts and our own words alone
    read: Read = made["read"]
    return read


@lru_cache(maxsize=CODES_MAX)  # a container is the same tree in a Pod and in a Job, and for every surface
def _code(source: str) -> CodeType:
    return compile(source, "<places>", "exec")


class _Writer:
    """The source of one function, and what it needs by name."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {"named": _named}
        self._lines = ["def read(v0, at, run):"]
        self._count = 0

    def source(self) -> str:
        """All of it."""
        return "\n".join(self._lines)

    def place(self, place: Place, value: str, items: tuple[str, ...], depth: int) -> None:
        """What is read at a place, with its value in this variable and the items that lead there in these."""
        at = f"at + ({', '.join(items)},)" if items else "at"
        for read in place.readers:
            if isinstance(read, Slot):
                self._store(read, value, depth)
            else:
                self._write(depth, f"{self._hold(read)}({value}, {at}, run)")
        for row in place.choosy:
            self._write(depth, f"if {_wants(row, value)}: {self._hold(row.read)}({value}, {at}, run)")
        if place.children:
            self._write(depth, f"if isinstance({value}, dict):")
            if len(place.children) > WIDE or depth > DEPTH_MAX:
                self._find_fields(place, value, at, depth + 1)
            else:
                self._ask_fields(place, value, items, depth + 1)
        if place.each is not None:
            inner, item = self._new("v"), self._new("i")
            rows = f"enumerate({value}) if isinstance({value}, list) else named({value})"
            self._write(depth, f"for {item}, {inner} in {rows}:")
            self._write(depth + 1, f"if {inner} is not None:")
            self._below(place.each, inner, (*items, item), depth + 2)

    def _ask_fields(self, place: Place, value: str, items: tuple[str, ...], depth: int) -> None:
        for field, child in place.children.items():
            inner = self._new("v")
            self._write(depth, f"{inner} = {value}.get({field!r})")
            if child.readers or child.choosy or child.each:
                self._write(depth, f"if {inner} is not None:")
                self._below(child, inner, items, depth + 1)
            else:
                self._below(child, inner, items, depth)  # which asks for a map, and None is none

    def _find_fields(self, place: Place, value: str, at: str, depth: int) -> None:
        deeper = {field: compiled(child) for field, child in place.children.items()}
        known, field, inner = self._hold(deeper.__contains__), self._new("n"), self._new("v")
        self._write(depth, f"for {field} in filter({known}, {value}):")
        self._write(depth + 1, f"{inner} = {value}[{field}]")
        self._write(depth + 1, f"if {inner} is not None: {self._hold(deeper)}[{field}]({inner}, {at}, run)")

    def _below(self, place: Place, value: str, items: tuple[str, ...], depth: int) -> None:
        if depth <= DEPTH_MAX:
            self.place(place, value, items, depth)
        else:
            at = f"at + ({', '.join(items)},)" if items else "at"
            self._write(depth, f"{self._hold(compiled(place))}({value}, {at}, run)")

    def _store(self, slot: Slot, value: str, depth: int) -> None:
        place = f"run.values[{slot.number}]"
        if slot.make is not None:
            self._write(depth, f"{place} = {self._hold(slot.make)}({value})")
        elif slot.keeps == "all":
            self._write(depth, f"if {place} is None: {place} = [{value}]")
            self._write(depth, f"else: {place}.append({value})")
        elif slot.keeps == "first":
            self._write(depth, f"if {place} is None: {place} = {value}")
        else:
            self._write(depth, f"{place} = {value}")

    def _hold(self, thing: Any) -> str:
        name = self._new("k")
        self.held[name] = thing
        return name

    def _new(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"

    def _write(self, depth: int, line: str) -> None:
        self._lines.append("    " * depth + line)


def _wants(row: Row, value: str) -> str:
    is_map = f"isinstance({value}, dict)"
    lacks = " and ".join(f"{value}.get({field!r}) is None" for field in row.lacks)
    if not row.needs:
        return f"not {is_map} or ({lacks})"
    return f"{is_map} and {row.needs!r} in {value}" + (f" and {lacks}" if lacks else "")


def _named(value: Any) -> Iterator[tuple[str, Any]]:
    """The values of a map, by their name as it stands in a path."""
    return ((f"['{name}']", inner) for name, inner in value.items()) if isinstance(value, dict) else iter(())
