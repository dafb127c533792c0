"""Shapes of built-in kinds, read off the classes of the kubernetes package: openapi_types, attribute_map, required.

So a new Kubernetes needs a new package, not a new table. builtin.yaml adds how lists merge and what the defaults are.
The classes are imported when somebody first writes such a kind: all of them take seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cheops.sandbox.apiserver.schema.shape import ANY, Shape, Type
from schemas.documents import parse_value

NOTES_FILE = Path(__file__).with_name("builtin.yaml")

PLAIN: dict[str, Type] = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "bytes": "bytes",
    "datetime": "string",
}
OPAQUE = ("V1ManagedFieldsEntry",)  # whose fieldsV1 is what it is


@dataclass(frozen=True, slots=True)
class _Notes:
    """builtin.yaml."""

    atomic: frozenset[str]
    keys: dict[str, tuple[str, ...]]
    sets: frozenset[str]
    quantities: frozenset[str]
    plain: frozenset[str]
    optional: frozenset[str]
    defaults: dict[str, dict[str, Any]]


@cache
def shape_of_model(name: str) -> Shape:
    """`name` is a class of kubernetes.client, as V1Deployment."""
    shape = Shape("object", name, is_builtin=True)
    _shapes[name] = shape
    _fill(shape)
    return shape


def descriptions(name: str) -> dict[str, str]:
    """Of the fields of a model, and of itself under the empty name."""
    model = _model(name)
    about = model.model_fields.items()
    found = {field.serialization_alias or name: field.description for name, field in about if field.description}
    summary = (model.__doc__ or "").partition("Attributes:")[0].strip()
    return {**found, **({"": summary} if summary else {})}


_shapes: dict[str, Shape] = {}  # begun ones too: a schema may contain itself


def _fill(shape: Shape) -> None:
    model, notes = _model(shape.name), _notes()
    names: dict[str, str] = model.attribute_map
    for attribute, type_text in model.openapi_types.items():
        field_name = names[attribute]
        shape.fields[field_name] = _field(shape.name, field_name, type_text)
    optional = shape.name in notes.optional
    required = [about.serialization_alias or name for name, about in model.model_fields.items() if about.is_required()]
    shape.required = tuple(name for name in required if not optional and f"{shape.name}.{name}" not in notes.optional)
    shape.atomic = shape.name in notes.atomic
    shape.defaults = notes.defaults.get(shape.name, {})


def _field(owner: str, name: str, type_text: str) -> Shape:
    path, notes = f"{owner}.{name}", _notes()
    if name in notes.quantities and owner not in notes.plain and "str" in type_text:
        quantity = Shape("quantity")
        return Shape("map", items=quantity) if type_text.startswith("Dict") else quantity
    shape = _value(type_text)
    if shape.type == "list":
        shape.keys = notes.keys.get(path, ())
        if name == "conditions" and owner.endswith("Status"):
            shape.keys = ("type",)
        shape.merge_key = shape.keys[0] if shape.keys else ""
        shape.is_set = path in notes.sets
        shape.merges_values = path in ("V1ObjectMeta.finalizers", "V1NodeSpec.podCIDRs")
    elif path in notes.atomic:
        shape.atomic = True
    return shape


def _value(type_text: str) -> Shape:
    if match := re.fullmatch(r"List\[(.+)]", type_text):
        return Shape("list", items=_value(match[1]))
    if match := re.fullmatch(r"Dict\[str, (.+)]", type_text):
        return Shape("map", items=_value(match[1]))
    if type_text in PLAIN:
        return Shape(PLAIN[type_text])
    if type_text == "object" or type_text in OPAQUE:
        return ANY
    return _shapes.get(type_text) or shape_of_model(type_text)


def _model(name: str) -> Any:
    import kubernetes.client as models

    return getattr(models, name)


@cache
def _notes() -> _Notes:
    notes = parse_value(NOTES_FILE.read_bytes(), NOTES_FILE.name)
    return _Notes(
        atomic=frozenset(notes["atomic"]),
        keys={path: tuple(keys) for path, keys in notes["keys"].items()},
        sets=frozenset(notes["sets"]),
        quantities=frozenset(notes["quantities"]),
        plain=frozenset(notes["plain"]),
        optional=frozenset(notes["optional"]),
        defaults=notes["defaults"],
    )
