"""The shape of a value: what may be in it, how it merges, what it is by default.

Built-in kinds (builtin.py) and custom ones (custom.py) become the same shapes, so that decoding, defaults, strategic
merge, server-side apply and OpenAPI are written once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Type = Literal[
    "object",  # named fields
    "map",  # any names, values of one shape
    "list",
    "string",
    "integer",
    "number",
    "boolean",
    "bytes",
    "quantity",
    "any",  # not looked into
]


@dataclass(slots=True, eq=False)
class Shape:
    """One value. A graph, not a tree: schemas may contain themselves."""

    type: Type
    name: str = ""  # of the class or the kind, for messages and OpenAPI
    fields: dict[str, Shape] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    items: Shape | None = None  # of a list or a map
    keys: tuple[str, ...] = ()  # server-side apply: items of a list are the same when these are
    merge_key: str = ""  # strategic merge: likewise
    merges_values: bool = False  # strategic merge of a list of plain values
    is_set: bool = False
    atomic: bool = False  # owned and replaced as a whole
    is_builtin: bool = False
    open: bool = False  # unknown fields are kept
    defaults: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)  # of a custom kind: enum, minimum, pattern …

    def child(self, name: str) -> Shape:
        """The shape of a field or of a map's value; anything where nothing is known."""
        return self.fields.get(name) or self.items or ANY


ANY = Shape("any", open=True)
"""A value nobody knows anything about: merged and owned as a whole."""
