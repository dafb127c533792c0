"""A small path subset → closures. `spec.volumes[*].secret.secretName`, `metadata.labels['a.b/c']`. Pure.

`[*]` stands for every item of a list or every value of a map. Reading is lazy and safe: a path that leads through a
text, a null or a missing field finds nothing. Whole trees of paths are walked at once in places.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

Step = str | None  # the name of a field; None: each
At = tuple[int | str, ...]  # which items of the lists and maps on the way; outermost first
Values = Callable[[Any], list[Any]]
Collect = Callable[[Any, list[Any]], None]
First = Callable[[Any], Any]

STEPS_MAX: Final = 8_192
_STEP: Final = re.compile(r"""(?P<name>[A-Za-z0-9_$-]+)|\['(?P<quoted>[^']+)'\]|(?P<each>\[\*\])|\.""")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_$-]+")
_NAMES: Final = re.compile(r"[A-Za-z0-9_$.-]*")


class PathError(ValueError):
    """Not a path of the subset."""


@lru_cache(maxsize=STEPS_MAX)  # the same places are mounted in many kinds
def steps_of(text: str) -> tuple[Step, ...]:
    """Text → steps; "" and "." are the value itself. Raises PathError."""
    if _NAMES.fullmatch(text):  # the rule, and read in a third of the time
        return tuple([name for name in text.split(".") if name])
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


class Where:
    """A place in the objects of a kind, known when its rule is compiled: all but which items the way leads through.

    So nothing is put together on the way to a place, and a path becomes text once per reference that is new.
    """

    __slots__ = ("_texts", "steps")

    def __init__(self, steps: tuple[Step, ...], texts: tuple[str, ...]) -> None:
        """`texts`: what stands around the items."""
        self.steps, self._texts = steps, texts

    @property
    def has_items(self) -> bool:
        """Whether its path differs from object to object."""
        return len(self._texts) > 1

    def deeper(self, path: str) -> Where:
        """The place at a path below."""
        texts = list(self._texts)
        for step in steps_of(path):
            if step is None:
                texts.append("")
            else:
                texts[-1] = _joined(texts, suffix_of(step))
        return Where((*self.steps, *steps_of(path)), tuple(texts))

    def showing(self, suffix: str) -> Where:
        """The same place, shown with this behind its path."""
        *before, _ = self._texts
        return Where(self.steps, (*before, _joined(self._texts, suffix)))

    def text(self, at: At) -> str:
        """The path with these items in it."""
        first, *rest = self._texts
        return first + "".join([_shown(one) + text for one, text in zip(at, rest, strict=True)])


ROOT: Final = Where((), ("",))
ANYWHERE: Final = Where((), ("", ""))  # under a place that is told by its path, as the first item


def _joined(texts: Sequence[str], suffix: str) -> str:
    return texts[-1] + suffix if len(texts) > 1 or texts[0] else suffix.removeprefix(".")


def _shown(item: int | str) -> str:
    return f"[{item}]" if isinstance(item, int) else item


def only_field(text: str) -> str:
    """The field that a path is; "" when it is more or less than one."""
    steps = steps_of(text)
    return (steps[0] or "") if len(steps) == 1 else ""


def compile_first(text: str) -> First:
    """Text → a function of a value that gives the first thing found there, or None. Raises PathError."""
    steps = steps_of(text)
    names = tuple(step for step in steps if step is not None)
    if len(names) < len(steps):
        every = compile_values(text)
        return lambda value: next(iter(every(value)), None)
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
    collect: Collect = _here
    for step in reversed(steps_of(text)):
        collect = _each(collect) if step is None else _field(step, collect)

    def values(value: Any) -> list[Any]:
        found: list[Any] = []
        collect(value, found)
        return found

    return values


def _here(value: Any, found: list[Any]) -> None:
    if value is not None:
        found.append(value)


def _field(name: str, rest: Collect) -> Collect:
    def collect(value: Any, found: list[Any]) -> None:
        inner = value.get(name) if isinstance(value, dict) else None
        if inner is not None:
            rest(inner, found)

    return collect


def _each(rest: Collect) -> Collect:
    def collect(value: Any, found: list[Any]) -> None:
        rows = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        for inner in rows:
            if inner is not None:
                rest(inner, found)

    return collect
