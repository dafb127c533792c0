"""What of a kind cannot be changed, and does a change try it? Pure. Which fields: the catalogue; verdicts.md, 220.

immutable paths ─▶ both objects at them ─▶ without what is mutable below, and what defaults say ─▶ what differs
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from schemas.relations.kind_facts import KindFacts, Noted
from schemas.relations.path import Step, steps_of, suffix_of

_UNSAID: Final = object()


class _Note:
    """What the catalogue says of a field, and of the fields below it."""

    __slots__ = ("below", "default", "ways")

    def __init__(self) -> None:
        self.below: dict[Step, _Note] = {}
        self.ways: set[str] = set()
        self.default: Any = _UNSAID

    def at(self, path: str) -> _Note:
        """The note of a field below; made when there is none."""
        note = self
        for step in steps_of(path):
            note = note.below.setdefault(step, _Note())
        return note

    def child(self, step: int | str) -> _Note:
        """Of a field or an item; an empty one when nothing is said of it."""
        return self.below.get(step if isinstance(step, str) else None) or self.below.get(None) or _NOTHING


_NOTHING: Final = _Note()


class FixedFields:
    """The immutable fields of one kind, compiled."""

    def __init__(self, known: KindFacts | None) -> None:
        known = known or KindFacts(kind="")
        self._notes = _noted(known)
        self._freed = tuple((steps_of(flag), _noted(known, paths)) for flag, paths in known.mutable_when.items())
        self._always = tuple(map(steps_of, known.immutable))
        self._when = tuple(
            (steps_of(flag), tuple(map(steps_of, paths))) for flag, paths in known.immutable_when.items()
        )

    def changed(self, old: Mapping[str, Any], new: Mapping[str, Any], *, whole: bool = False) -> tuple[str, ...]:
        """Paths at which `new` says something else than `old`.

        `whole`: new is all that the object would say; else what it does not say is not changed.
        """
        flagged = [paths for flag, paths in self._when if _at(old, flag) is True]
        notes = next((freed for flag, freed in self._freed if _at(old, flag) is True), self._notes)
        found: dict[str, None] = {}
        for steps in (*self._always, *(path for paths in flagged for path in paths)):
            note = notes
            for step in steps:
                note = note.child(step or 0)
            path = "".join(suffix_of(step) for step in steps if step is not None).removeprefix(".")
            found.update(dict.fromkeys(_differing(_at(old, steps), _at(new, steps), note, path, whole)))
        return tuple(found)

    def bare(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object without what it says and what would hold anyhow."""
        return {name: _bare(value, self._notes.child(name)) for name, value in body.items()}


def _noted(known: KindFacts, freed: Iterable[str] = ()) -> _Note:
    """`freed`: what can be changed besides."""
    notes = _Note()
    mutable = (*known.mutable, *freed)
    _take(notes, {"mutable": mutable, "grows": known.grows})
    _note(notes, known)
    return notes


def _note(notes: _Note, known: Noted) -> None:
    _take(notes, {"filled": known.filled, "settable": known.settable})
    for path, value in known.defaults.items():
        notes.at(path).default = value
    for path, below in known.within.items():
        _note(notes.at(path), below)


def _take(notes: _Note, ways: Mapping[str, Iterable[str]]) -> None:
    for way, paths in ways.items():
        for path in paths:
            notes.at(path).ways.add(way)


def _bare(value: Any, note: _Note) -> Any:
    if not note.below and note.default is _UNSAID:
        return value
    if isinstance(value, Mapping):
        made = {name: _bare(below, note.child(name)) for name, below in value.items()}
        return {name: below for name, below in made.items() if below is not None}
    if isinstance(value, list):
        return [_bare(below, note.child(place)) for place, below in enumerate(value)]
    return None if value == note.default else value


def _at(value: Any, steps: tuple[Step, ...]) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _differing(old: Any, new: Any, note: _Note, path: str, whole: bool) -> Iterator[str]:
    is_taken_away = whole or new is not None  # as much as it is when something empty is said
    old, new = _said(old, note), _said(new, note)
    if "mutable" in note.ways or old == new:
        return
    if (new is None and (not is_taken_away or "filled" in note.ways)) or (old is None and "settable" in note.ways):
        return
    if "grows" in note.ways and _grown(old or [], new or [], whole):
        return
    if isinstance(old, Mapping) or isinstance(new, Mapping):
        if isinstance(old or {}, Mapping) and isinstance(new or {}, Mapping):
            yield from _in_mapping(old or {}, new or {}, note, path, whole)
            return
    elif isinstance(old, list) and isinstance(new, list):
        rows = _paired(old, new, whole)
        if rows is not None:
            for place, (before, now) in enumerate(rows):
                yield from _differing(before, now, note.child(place), f"{path}[{place}]", whole)
            return
    yield path


def _grown(old: Any, new: Any, whole: bool) -> bool:
    """It got items; or, of what may have been added to since, some are said."""
    if not (isinstance(old, list) and isinstance(new, list)):
        return False
    return all(one in new for one in old) or (not whole and all(one in old for one in new))


def _in_mapping(old: Mapping[str, Any], new: Mapping[str, Any], note: _Note, path: str, whole: bool) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)) if whole else new:
        yield from _differing(old.get(name), new.get(name), note.child(name), path + suffix_of(name), whole)


def _paired(old: list[Any], new: list[Any], whole: bool) -> list[tuple[Any, Any]] | None:
    """Items side by side; None when one list has other items. What is not said in a part may have been added since."""
    if len(old) == len(new):
        return list(zip(old, new, strict=True))
    named = {name: one for one in old if (name := _name(one)) is not None}
    if whole or not all(_name(one) in named for one in new):
        return None
    return [(named[one["name"]], one) for one in new]


def _name(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) else None


def _said(value: Any, note: _Note) -> Any:
    """None for what says nothing: what is empty, and what is so anyhow."""
    if value == note.default:
        return None
    if value is False:
        return None if note.default is _UNSAID else value
    return None if value in ({}, [], "") else value
