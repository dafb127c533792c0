"""The rules of a kind → one tree of places → one function, called once per object. Pure.

Each field is looked up once however many rules lead through it, and what the object does not have costs one look.
Concrete paths carry the indices of the object, so that a person can find the place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from schemas.kinds import Surface
from schemas.relations.by_labels import LabelReader
from schemas.relations.by_name import name_reader
from schemas.relations.by_text import TextReader
from schemas.relations.path import Step, steps_of, suffix_of
from schemas.relations.reading import Read, RuleReader, Run
from schemas.relations.rule import Rule

ROAM_MAX: Final = 10_000  # mappings and lists of one object that are looked into
_NOT_ROAMED: Final = frozenset(("apiVersion", "kind", "metadata", "status"))


class Place:
    """A place in objects: what is read here, and what lies deeper."""

    __slots__ = ("children", "each", "head", "readers", "suffix")

    def __init__(self, suffix: str = "") -> None:
        self.suffix, self.head = suffix, suffix.removeprefix(".")  # the last step in a concrete path; at its beginning
        self.readers: tuple[Read, ...] = ()
        self.children: dict[str, Place] = {}
        self.each: Place | None = None

    def deeper(self, step: Step) -> Place:
        """The place below; made when it is new."""
        if step is None:
            self.each = self.each or Place()
            return self.each
        if step not in self.children:
            self.children[step] = Place(suffix_of(step))
        return self.children[step]


def reader_of(rule: Rule, surface: Surface) -> RuleReader:
    """The reader that fits the rule's way of pointing."""
    to = rule.to
    if to.reads:
        return TextReader(rule, surface)
    if to.selector is not None or to.every or to.marked_default:
        return LabelReader(rule, surface)
    return name_reader(rule, surface)


def places_of(rules: Iterable[tuple[Rule, Iterable[str]]], surface: Surface) -> Read:
    """(rule, its places) rows → what reads an object of a kind."""
    rows = []
    for rule, places in rules:
        reader = reader_of(rule, surface)
        rows += [((*steps_of(at), *reader.steps), reader.read) for at in places]
    return compiled(place_of(rows))


def place_of(rows: Iterable[tuple[tuple[Step, ...], Read]]) -> Place:
    """(steps, reader) rows → the tree; readers of one place keep their order."""
    root = Place()
    for steps, read in rows:
        place = root
        for step in steps:
            place = place.deeper(step)
        place.readers = (*place.readers, read)
    return root


def compiled(place: Place) -> Read:
    """The tree → one function: what a place does not have is not asked for at each object, and a leaf is its reader.

    As deep as the longest rule, whatever the object. The smaller of the two, the object's fields or the rules', says
    what to look at: so a volume costs two looks.
    """
    reads = [*place.readers]
    if place.children:
        reads.append(_into_fields(place.children))
    if place.each is not None:
        reads.append(_into_each(compiled(place.each)))
    return reads[0] if len(reads) == 1 else _one_by_one(reads)


def _into_fields(children: Mapping[str, Place]) -> Read:
    below = {name: (child.suffix, child.head, compiled(child)) for name, child in children.items()}

    def read(value: Any, path: str, run: Run) -> None:
        if isinstance(value, dict):
            if len(value) < len(below):
                for name, inner in value.items():
                    child = below.get(name)
                    if child is not None and inner is not None:
                        suffix, head, deeper = child
                        deeper(inner, path + suffix if path else head, run)
            else:
                for name, (suffix, head, deeper) in below.items():
                    inner = value.get(name)
                    if inner is not None:
                        deeper(inner, path + suffix if path else head, run)

    return read


def _one_by_one(readers: Iterable[Read]) -> Read:
    rows = tuple(readers)

    def read(value: Any, path: str, run: Run) -> None:
        for one in rows:
            one(value, path, run)

    return read


def _into_each(deeper: Read) -> Read:
    def read(value: Any, path: str, run: Run) -> None:
        if isinstance(value, list):
            for index, inner in enumerate(value):
                if inner is not None:
                    deeper(inner, f"{path}[{index}]", run)
        elif isinstance(value, dict):
            for name, inner in value.items():
                if inner is not None:
                    deeper(inner, f"{path}['{name}']", run)

    return read


def roam(read: Read, body: Mapping[str, Any], run: Run) -> None:
    """Read every mapping of an object, outside of metadata and status. Bounded in depth and number."""
    left = [(one, str(name)) for name, one in body.items() if name not in _NOT_ROAMED and isinstance(one, (dict, list))]
    for _ in range(ROAM_MAX):
        if not left:
            return
        value, path = left.pop()
        if isinstance(value, dict):
            read(value, path, run)
            rows = [(inner, path + suffix_of(str(name))) for name, inner in value.items()]
        else:
            rows = [(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
        left += [row for row in reversed(rows) if isinstance(row[0], (dict, list))]
