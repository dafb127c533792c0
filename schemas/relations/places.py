"""What is read of a kind → one tree of places. Pure.

References, facts and parts stand in the same tree, so each field is looked up once however many rules lead through it,
and what the object does not have costs one look. walking.py makes it the function that is called once per object.
Which items of lists were gone through is handed down; the path as a person reads it is made by who shows it (path.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from schemas.relations.path import At, Step, suffix_of
from schemas.relations.run import Run

ROAM_MAX: Final = 10_000  # mappings and lists of one object that are looked into
_NOT_ROAMED: Final = frozenset(("apiVersion", "kind", "metadata", "status"))
Read = Callable[[Any, At, Run], None]
Keeps = Literal["last", "first", "all"]


class Slot(NamedTuple):
    """Where in `Run.values` something is put: the value that stands at a place, or what is made of it.

    keeps   the last of its place (where there is but one), the first, or all of them in a list
    """

    number: int
    keeps: Keeps = "last"
    make: Callable[[Any], Any] | None = None


class Row(NamedTuple):
    """What is done at a place.

    needs    only with a mapping that has this field; "": whatever the value
    lacks    not with a mapping that has one of these
    named    it only looks at what the object is called
    looks_around   it looks at more of the object than stands there
    by       the reader of rules whose `read` is; None: it is no rule's
    """

    steps: tuple[Step, ...]
    read: Read | Slot
    needs: str = ""
    lacks: tuple[str, ...] = ()
    named: bool = False
    looks_around: bool = False
    by: Any = None


class Place:
    """A place in objects: what is read here, and what lies deeper."""

    __slots__ = ("children", "choosy", "each", "readers")

    def __init__(self) -> None:
        self.readers: list[Read | Slot] = []
        self.choosy: list[Row] = []
        self.children: dict[str, Place] = {}
        self.each: Place | None = None

    def deeper(self, step: Step) -> Place:
        """The place below; made when it is new."""
        if step is None:
            self.each = self.each or Place()
            return self.each
        return self.children.setdefault(step, Place())


def place_of(rows: Iterable[Row]) -> Place:
    """The tree; what is done at one place keeps its order."""
    root = Place()
    for row in rows:
        place = root
        for step in row.steps:
            place = place.deeper(step)
        if row.needs or row.lacks:
            place.choosy.append(row)
        else:
            place.readers.append(row.read)
    return root


def roam(read: Read, body: Mapping[str, Any], run: Run) -> None:
    """Read every mapping of an object, outside of metadata and status. Bounded in depth and number."""
    left = [(one, str(name)) for name, one in body.items() if name not in _NOT_ROAMED and isinstance(one, (dict, list))]
    for _ in range(ROAM_MAX):
        if not left:
            return
        value, path = left.pop()
        if isinstance(value, dict):
            read(value, (path,), run)
            rows = [(inner, path + suffix_of(str(name))) for name, inner in value.items()]
        else:
            rows = [(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
        left += [row for row in reversed(rows) if isinstance(row[0], (dict, list))]
