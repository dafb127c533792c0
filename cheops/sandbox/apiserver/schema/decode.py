"""An object as it came → as it is stored: unknown fields gone and reported, types checked, defaults filled in.

    decode(shape, content, custom=…) → Decoded(unknown, causes)       changes `content` in place

The real server decodes built-in kinds into structs: a wrong type is refused as a whole (400), empty maps and lists
vanish. Custom kinds are checked against their schema: every mistake is a cause (422) and empty values stay.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

from cheops.sandbox.apiserver.schema.shape import ANY, Shape
from cheops.sandbox.apiserver.statuses import Cause
from cheops.sandbox.apiserver.store import copy_of

JSON_NAMES: dict[type, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "bool",
    dict: "object",
    list: "array",
}
GO_NAMES = {"integer": "int32", "boolean": "bool", "number": "float64", "string": "string", "bytes": "[]uint8"}
APPLY_NAMES = {
    "integer": "numeric (int or float)",
    "number": "numeric (int or float)",
    "object": "map",
    "bytes": "string",
}
GO_NAMES |= {"list": "[]", "map": "map[string]string", "object": "struct", "quantity": "resource.Quantity"}


class WrongTypeError(Exception):
    """A built-in kind with a value of the wrong type; the message is the rest of the server's sentence."""


@dataclass(slots=True)
class Decoded:
    """What was found on the way."""

    unknown: list[str] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)


def decode(shape: Shape, content: dict[str, Any], *, custom: bool) -> Decoded:
    """Raises WrongTypeError (built-in kinds only)."""
    decoded = Decoded()
    _Decoder(decoded, custom, shape.name).walk(shape, content, "")
    return decoded


def check_shape(shape: Shape, value: Any, path: str = "") -> None:
    """Of an applied object, which is not completed: every field is known and of its type. Raises WrongTypeError."""
    if shape.type == "any" or value is None:
        return
    if not _fits_type(shape, value):
        raise WrongTypeError(f"{path}: expected {APPLY_NAMES.get(shape.type, shape.type)}, got {_json_name(value)}")
    if isinstance(value, dict):
        for name, below in value.items():
            inner = shape.items if shape.type == "map" else shape.fields.get(name)
            if inner is not None:
                check_shape(inner, below, f"{path}.{name}")
            elif not shape.open:
                raise WrongTypeError(f"{path}.{name}: field not declared in schema")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_shape(shape.items or ANY, item, f"{path}[{index}]")


def _fits_type(shape: Shape, value: Any) -> bool:
    if shape.type in ("object", "map"):
        return isinstance(value, dict)
    return isinstance(value, list) if shape.type == "list" else _fits(shape, value)


def _json_name(value: Any) -> str:
    return {"number": "float" if isinstance(value, float) else "int", "object": "map", "array": "list"}.get(
        JSON_NAMES.get(type(value), ""), JSON_NAMES.get(type(value), "null")
    )


def fill_defaults(shape: Shape, value: Any) -> None:
    """In place; a default object gets its own defaults too."""
    if isinstance(value, dict):
        for name, default in shape.defaults.items():
            if name not in value:
                value[name] = copy_of(default)
        if shape.type in ("object", "map") and (shape.fields or shape.items):
            for name, below in value.items():
                if isinstance(below, dict | list):
                    fill_defaults(shape.child(name), below)
    elif isinstance(value, list) and shape.items is not None:
        for item in value:
            fill_defaults(shape.items, item)


class _Decoder:
    def __init__(self, decoded: Decoded, custom: bool, root: str) -> None:
        self._decoded, self._custom = decoded, custom
        self._root = re.sub(r"^.*?V\d(?:(?:alpha|beta)\d)?", "", root)  # V1Pod → Pod

    def walk(self, shape: Shape, value: Any, path: str) -> Any:
        """The value to be stored."""
        kind = shape.type
        if kind == "any":
            return value
        if kind in ("object", "map"):
            return self._object(shape, value, path) if isinstance(value, dict) else self._wrong(shape, value, path)
        if kind == "list":
            return self._list(shape, value, path) if isinstance(value, list) else self._wrong(shape, value, path)
        return self._plain(shape, value, path)

    def _object(self, shape: Shape, content: dict[str, Any], path: str) -> dict[str, Any]:
        prefix = f"{path}." if path else ""
        fields, items, is_map = shape.fields, shape.items, shape.type == "map"
        for name in list(content):
            value = content[name]
            below = items if is_map else fields.get(name)
            if below is None:
                if not shape.open:
                    self._decoded.unknown.append(prefix + name)
                    del content[name]
            elif value is None:
                if not is_map and not below.rules.get("nullable"):
                    del content[name]
                elif is_map:
                    content[name] = "" if below.type in ("string", "bytes") else None
            else:
                kept = self.walk(below, value, prefix + name)
                if (
                    not self._custom
                    and name not in shape.required
                    and kept in ({}, [])
                    and below.type in ("map", "list")
                ):
                    del content[name]
                else:
                    content[name] = kept
        for name, default in shape.defaults.items():
            if name not in content:
                content[name] = copy_of(default)
                if isinstance(default, dict):
                    fill_defaults(shape.child(name), content[name])
        self._check_required(shape, content, prefix)
        return content

    def _check_required(self, shape: Shape, content: dict[str, Any], prefix: str) -> None:
        if shape.required and not prefix.startswith("status."):
            for name in shape.required:
                if name not in content or (not self._custom and content[name] == ""):
                    self._decoded.causes.append(Cause(prefix + name, "FieldValueRequired", "Required value"))

    def _list(self, shape: Shape, values: list[Any], path: str) -> list[Any]:
        assert shape.items is not None
        for index, value in enumerate(values):
            if value is not None:
                values[index] = self.walk(shape.items, value, f"{path}[{index}]")
        self._check_rules(shape, values, path)
        return values

    def _plain(self, shape: Shape, value: Any, path: str) -> Any:
        if not _fits(shape, value):
            return self._wrong(shape, value, path)
        if shape.type == "bytes":
            _check_base64(value)
        elif shape.type == "quantity" and not isinstance(value, str):
            return str(value)
        elif shape.rules:
            self._check_rules(shape, value, path)
        return value

    def _wrong(self, shape: Shape, value: Any, path: str) -> Any:
        if not self._custom:
            where = f"{self._root}.{path}" if path else self._root
            found = JSON_NAMES.get(type(value), "value")
            raise WrongTypeError(
                f"json: cannot unmarshal {found} into Go struct field {where} of type {GO_NAMES[shape.type]}"
            )
        wanted = {"list": "array", "map": "object"}.get(shape.type, shape.type)
        found = {"bool": "boolean"}.get(JSON_NAMES.get(type(value), ""), JSON_NAMES.get(type(value), "null"))
        message = f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'
        self._decoded.causes.append(Cause(path, "FieldValueTypeInvalid", message))
        return value

    def _check_rules(self, shape: Shape, value: Any, path: str) -> None:
        for broken in _broken_rules(shape.rules, value, path):
            self._decoded.causes.append(broken)


def _fits(shape: Shape, value: Any) -> bool:
    match shape.type:
        case "string" | "bytes":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "quantity":
            return isinstance(value, str | int | float) and not isinstance(value, bool)
    return True


def _check_base64(value: str) -> None:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        bad = re.search(r"[^A-Za-z0-9+/=]", value)
        raise WrongTypeError(f"illegal base64 data at input byte {bad.start() if bad else len(value) - 1}") from error


def _broken_rules(rules: Any, value: Any, path: str) -> list[Cause]:
    broken: list[Cause] = []
    if "enum" in rules and value not in rules["enum"]:
        supported = ", ".join(f'"{one}"' for one in rules["enum"])
        broken.append(
            Cause(path, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {supported}')
        )
    for rule, holds, words in _BOUNDS:
        if rule in rules and not holds(value, rules[rule]):
            shown = f'"{value}"' if isinstance(value, str) else value
            message = f"Invalid value: {shown}: {path} in body {words.format(rules[rule])}"
            broken.append(Cause(path, "FieldValueInvalid", message))
    return broken


_BOUNDS: tuple[tuple[str, Any, str], ...] = (
    ("minimum", lambda value, bound: value >= bound, "should be greater than or equal to {}"),
    ("maximum", lambda value, bound: value <= bound, "should be less than or equal to {}"),
    ("minLength", lambda value, bound: len(value) >= bound, "should be at least {} chars long"),
    ("maxLength", lambda value, bound: len(value) <= bound, "should be at most {} chars long"),
    ("minItems", lambda value, bound: len(value) >= bound, "should have at least {} items"),
    ("maxItems", lambda value, bound: len(value) <= bound, "should have at most {} items"),
    ("pattern", lambda value, pattern: re.search(pattern, value), "should match '{}'"),
)
