"""A small path subset → closures. `spec.volumes[*].secret.secretName`, `metadata.labels['a.b/c']`. Pure.

A compiled path yields (concrete path, value) pairs, lazily and safely: a path that leads through a text, a null or a
missing field yields nothing. Indices in concrete paths are those of the object, so that a person can find the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Found = Iterator[tuple[str, Any]]
Walk = Callable[[Any, str], Found]

_STEP = re.compile(r"""(?P<name>[A-Za-z0-9_-]+)|\['(?P<quoted>[^']+)'\]|(?P<each>\[\*\])|\.""")


class PathError(ValueError):
    """Not a path of the subset."""


def compile_path(text: str) -> Walk:
    """Text → a function of (value, path so far). "" is the value itself. Raises PathError."""
    steps: list[str | None] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise PathError(f"{text!r}: not a path at {text[position:]!r} (expected name, ['name'], [*] or a dot)")
        if match.group() != ".":
            steps.append(None if match.group("each") else match.group("quoted") or match.group("name"))
        position = match.end()
    walk: Walk = _here
    for step in reversed(steps):
        walk = _each(walk) if step is None else _field(step, walk)
    return walk


def first(walk: Walk, value: Any) -> Any:
    """The first value, or None."""
    for _, found in walk(value, ""):
        return found
    return None


def values(walk: Walk, value: Any) -> list[Any]:
    """Every value."""
    return [found for _, found in walk(value, "")]


def _here(value: Any, path: str) -> Found:
    if value is not None:
        yield path, value


def _field(name: str, rest: Walk) -> Walk:
    plain = re.fullmatch(r"[A-Za-z0-9_-]+", name) is not None
    last = rest is _here

    def walk(value: Any, path: str) -> Found:
        if not isinstance(value, dict):
            return
        inner = value.get(name)
        if inner is None:
            return
        deeper = f"{path}.{name}" if plain and path else name if plain else f"{path}['{name}']"
        if last:
            yield deeper, inner
        else:
            yield from rest(inner, deeper)

    return walk


def _each(rest: Walk) -> Walk:
    def walk(value: Any, path: str) -> Found:
        if isinstance(value, list):
            for place, inner in enumerate(value):
                if inner is not None:
                    yield from rest(inner, f"{path}[{place}]")
        elif isinstance(value, dict):  # the values of a map
            for name, inner in value.items():
                if inner is not None:
                    yield from rest(inner, f"{path}['{name}']")

    return walk
