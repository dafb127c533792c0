"""What an API server says of its built-in kinds (OpenAPI v2) → shapes.json: their fields, and of which type each is.

    kubectl get --raw /openapi/v2 | python -m cheops.forms.shaping

A field is written as one word:

    text  whole (32 bits)  long (64)  number  yes-no  bytes  amount  time  any  port (a number or text)
    the name of a shape
    [word   a list of these          {word   a mapping to these
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("shapes.json")
PREFIXES: Final = (
    "io.k8s.api.",
    "io.k8s.apimachinery.pkg.apis.",
    "io.k8s.apiextensions-apiserver.pkg.apis.",
    "io.k8s.",
)
PLAIN: Final = {
    "string": "text",
    "integer": "whole",
    "number": "number",
    "boolean": "yes-no",
    "object": "any",
    None: "any",
}
FORMATS: Final = {"byte": "bytes", "int64": "long", "date-time": "time"}
SPECIAL: Final = {"Quantity": "amount", "IntOrString": "port", "FieldsV1": "any"}

Schema = Mapping[str, Any]


def written(openapi: Schema) -> str:
    """The file, one shape a line; kinds that definitions of the cluster serve are left out."""
    definitions: Mapping[str, Schema] = openapi["definitions"]
    kinds = {}
    shapes: dict[str, dict[str, str]] = {}
    for name, schema in sorted(definitions.items()):
        served = schema.get("x-kubernetes-group-version-kind", ())
        if name.startswith("io.k8s.") and len(served) == 1 and "metadata" in schema.get("properties", ()):
            group, version, kind = (served[0][part] for part in ("group", "version", "kind"))
            if not kind.endswith("List"):
                kinds[f"{group}/{version}/{kind}".strip("/")] = _short(name)
                _take(name, definitions, shapes)
    rows = [f'  "{name}": {json.dumps(fields)}' for name, fields in sorted(shapes.items())]
    return f'{{"kinds": {json.dumps(kinds)},\n "shapes": {{\n' + ",\n".join(rows) + "\n}}\n"


def _take(name: str, definitions: Mapping[str, Schema], shapes: dict[str, dict[str, str]]) -> None:
    if _short(name) in shapes:
        return
    mine = shapes[_short(name)] = {}
    for field, schema in sorted(definitions[name]["properties"].items()):
        mine[field] = _word(schema, definitions)
        for below in _named(schema):
            if "properties" in definitions[below]:
                _take(below, definitions, shapes)


def _word(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        bare = name.rpartition(".")[2]
        if "properties" in definitions[name]:
            return _short(name)
        plain = definitions[name]
        return SPECIAL.get(bare) or FORMATS.get(plain.get("format", "")) or PLAIN[plain.get("type")]
    if schema.get("type") == "array":
        return "[" + _word(schema["items"], definitions)
    if "additionalProperties" in schema:
        return "{" + _word(schema["additionalProperties"], definitions)
    return FORMATS.get(schema.get("format", ""), PLAIN[schema.get("type")])


def _named(schema: Schema) -> Iterator[str]:
    """The definition that a field, its items or its values are of."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            yield from _named(schema[inner])


def _short(name: str) -> str:
    prefix = next(one for one in PREFIXES if name.startswith(one))
    return name.removeprefix(prefix)


if __name__ == "__main__":
    FILE.write_text(written(json.load(sys.stdin)), encoding="utf-8")
