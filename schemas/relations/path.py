"""A small path subset → closures. `spec.volumes[*].secret.secretName`, `metadata.labels['a.b/c']`. Pure.

`[*]` stands for every item of a list or every value of a map. Reading is lazy and safe: a path that leads through a
text, a null or a missing field finds nothing. Whole trees of paths are walked at once in places.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

Step = str | None  # the name of a field; None: each
Values = Callable[[Any], Iterator[Any]]
First = Callable[[Any], Any]

_STEP: Final = re.compile(r"""(?P<name>[A-Za-z0-9_$-]+)|\['(?P<quoted>[^']+)'\]|(?P<each>\[\*\])|\.""")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_$-]+")


class PathError(ValueError):
    """Not a path of the subset."""


def steps_of(text: str) -> tuple[Step, ...]:
    """Text → steps; "" and "." are the value itself. Raises PathError."""
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise PathError(f"{text!r}: not a path at {text[position:]!r} (expected name, ['name'], [*] or a dot)")
        if match.group() != ".":
            steps.append(None if match.group("each") else match.group("quoted") or match.group("name"))
        position = match.end()
    return tuple(steps)


def suffix_of(name: str) -> str:
    """A field as it stands in a concrete path: `.name`, or `['a.b/c']`."""
    return f".{name}" if _PLAIN.fullmatch(name) else f"['{name}']"


def compile_first(text: str) -> First:
    """Text → a function of a value that gives the first thing found there, or None. Raises PathError."""
    steps = steps_of(text)
    names = tuple(step for step in steps if step is not None)
    if len(names) < len(steps):
        every = compile_values(text)
        return lambda value: next(every(value), None)
    if not names:
        return lambda value: value
    if len(names) == 1:
        (name,) = names
        return lambda value: value.get(name) if isinstance(value, dict) else None

    def walk(value: Any) -> Any:
        for name in names:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return walk


def compile_values(text: str) -> Values:
    """Text → a function of a value that gives everything found there. Raises PathError."""
    found: Values = _here
    for step in reversed(steps_of(text)):
        found = _each(found) if step is None else _field(step, found)
    return found


def _here(value: Any) -> Iterator[Any]:
    if value is not None:
        yield value


def _field(name: str, rest: Values) -> Values:
    def walk(value: Any) -> Iterator[Any]:
        inner = value.get(name) if isinstance(value, dict) else None
        return iter(()) if inner is None else rest(inner)

    return walk


def _each(rest: Values) -> Values:
    def walk(value: Any) -> Iterator[Any]:
        rows = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        for inner in rows:
            if inner is not None:
                yield from rest(inner)

    return walk
