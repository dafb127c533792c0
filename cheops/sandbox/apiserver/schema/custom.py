"""The openAPIV3Schema of a custom resource definition → a shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cheops.sandbox.apiserver.schema.builtin import shape_of_model
from cheops.sandbox.apiserver.schema.shape import ANY, Shape, Type

TYPES: dict[str, Type] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}
RULES = ("enum", "minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "nullable")
DEPTH_MAX = 100

Schema = Mapping[str, Any]


def shape_of_schema(kind_name: str, schema: Schema) -> Shape:
    """Of a whole object: what every object has is known, whatever the schema says about it."""
    shape = _shape(schema, 0)
    if shape.type == "any":
        shape = Shape("object", open=True)
    shape.name = kind_name
    shape.fields |= {"kind": Shape("string"), "apiVersion": Shape("string"), "metadata": shape_of_model("V1ObjectMeta")}
    return shape


def _shape(schema: Schema, depth: int) -> Shape:
    if depth > DEPTH_MAX or schema.get("x-kubernetes-int-or-string"):
        return ANY
    open_ = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    match schema.get("type"):
        case "object" if "additionalProperties" in schema and not schema.get("properties"):
            values = schema["additionalProperties"]
            shape = Shape("map", items=_shape(values, depth + 1) if isinstance(values, Mapping) else ANY)
        case "object":
            shape = Shape("object", open=open_)
            for name, below in (schema.get("properties") or {}).items():
                shape.fields[name] = _shape(below, depth + 1)
            shape.required = tuple(schema.get("required") or ())
            shape.defaults = _defaults(schema)
        case "array":
            shape = Shape("list", items=_shape(schema.get("items") or {}, depth + 1))
            shape.keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
            shape.is_set = schema.get("x-kubernetes-list-type") == "set"
        case str(name) if name in TYPES:
            shape = Shape(TYPES[name])
        case _:
            return ANY
    shape.atomic = schema.get("x-kubernetes-map-type") == "atomic"
    shape.rules = {name: schema[name] for name in RULES if name in schema}
    return shape


def _defaults(schema: Schema) -> dict[str, Any]:
    below = (schema.get("properties") or {}).items()
    return {name: field["default"] for name, field in below if field.get("default") is not None}
