"""The rules of a kind → one tree of places, walked once per object. Pure.

Each field is looked up once however many rules lead through it, and what the object does not have costs one look.
Concrete paths carry the indices of the object, so that a person can find the place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schemas.relations.path import Step, suffix_of
from schemas.relations.reading import Read, Run


class Place:
    """A place in objects: what is read here, and what lies deeper."""

    __slots__ = ("_children", "each", "fields", "readers")

    def __init__(self) -> None:
        self.readers: tuple[Read, ...] = ()
        self.fields: tuple[tuple[str, str, Place], ...] = ()
        self.each: Place | None = None
        self._children: dict[str, Place] = {}

    def deeper(self, step: Step) -> Place:
        """The place below; made when it is new."""
        if step is None:
            self.each = self.each or Place()
            return self.each
        if step not in self._children:
            self._children[step] = Place()
            self.fields = (*self.fields, (step, suffix_of(step), self._children[step]))
        return self._children[step]


def place_of(rows: Iterable[tuple[tuple[Step, ...], Read]]) -> Place:
    """(steps, reader) rows → the tree; readers of one place keep their order."""
    root = Place()
    for steps, read in rows:
        place = root
        for step in steps:
            place = place.deeper(step)
        place.readers = (*place.readers, read)
    return root


def walk(place: Place, value: Any, path: str, run: Run) -> None:
    """Read `value` and what is below it. As deep as the longest rule, whatever the object."""
    for read in place.readers:
        read(value, path, run)
    if place.fields and isinstance(value, dict):
        for name, suffix, child in place.fields:
            inner = value.get(name)
            if inner is not None:
                walk(child, inner, path + suffix if path else name if suffix[0] == "." else suffix, run)
    each = place.each
    if each is None:
        return
    if isinstance(value, list):
        for index, inner in enumerate(value):
            if inner is not None:
                walk(each, inner, f"{path}[{index}]", run)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if inner is not None:
                walk(each, inner, f"{path}['{name}']", run)
