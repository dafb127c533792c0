"""What of a kind cannot be changed, and does a change try it? Pure. Which fields: the catalogue; verdicts.md, 220."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.relations.path import First, compile_first, compile_values
from schemas.relations.rule import KindFacts


class FixedFields:
    """The immutable fields of one kind, compiled."""

    def __init__(self, known: KindFacts | None) -> None:
        known = known or KindFacts(kind="")
        self._always = _compiled(known.immutable)
        self._when = tuple((compile_first(flag), _compiled(paths)) for flag, paths in known.immutable_when.items())

    def changed(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
        """Paths at which `new` says something else than `old`; what it does not say is not changed."""
        rows = [*self._always, *(row for flag, rows in self._when if flag(old) is True for row in rows)]
        return tuple(path for path, walk in rows if walk(new) not in (None, ()) and walk(new) != walk(old))


def _compiled(paths: tuple[str, ...]) -> tuple[tuple[str, First], ...]:
    return tuple((path, _every(path) if "[*]" in path else compile_first(path)) for path in paths)


def _every(path: str) -> First:
    walk = compile_values(path)
    return lambda body: tuple(walk(body))
