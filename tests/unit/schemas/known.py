"""Every message there is: found by its `schema` field, so that none is forgotten."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import msgspec

import schemas
from schemas.envelope import Message, StrictMessage

for _module in pkgutil.iter_modules(schemas.__path__):
    if not _module.ispkg:
        importlib.import_module(f"schemas.{_module.name}")


def _below(kind: type[Any]) -> list[type[Any]]:
    return [found for child in kind.__subclasses__() for found in (child, *_below(child))]


MODELS: list[type[Message]] = [kind for kind in _below(Message) if "schema_" in kind.model_fields]
STRICT: list[type[StrictMessage]] = [
    kind
    for kind in _below(StrictMessage)
    if "schema_" in kind.model_fields and kind.model_config.get("extra") == "forbid"  # a Part is written by programs
]
STRUCTS: list[type[msgspec.Struct]] = [
    kind
    for kind in _below(msgspec.Struct)
    if kind.__module__.startswith("schemas.") and "schema" in kind.__struct_fields__ and kind.__name__[0] != "_"
]


def title(kind: type[Any]) -> str:
    """For the names of parametrized tests."""
    return kind.__name__
