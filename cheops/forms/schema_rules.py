"""Mistakes in a CustomResourceDefinition that show only when two fields are read together. Pure.

A schema is structural: each of its nodes has a type, a list says of what it is, and a mapping has named fields or free
ones. What stands below allOf, anyOf, oneOf and not is no part of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.resolver.judge.demand import mapping_of, rows_of

Body = Mapping[str, Any]
UNTYPED: Final = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
UNSUPPORTED: Final = ("$ref", "$schema", "id", "dependencies", "definitions", "patternProperties")
TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
DEPTH_MAX: Final = 100


def definition(body: Body) -> Iterator[str]:
    """Its name, its versions, and what they hold."""
    spec = mapping_of(body.get("spec"))
    plural, group = mapping_of(spec.get("names")).get("plural"), spec.get("group")
    name = mapping_of(body.get("metadata")).get("name")
    if plural and group and name != f"{plural}.{group}":
        yield f"metadata.name: {name!r} (expected {plural}.{group})"
    versions = rows_of(spec.get("versions"))
    if sum(one.get("storage") is True for one in versions) > 1:
        yield "spec.versions: more than one is stored"
    if spec.get("preserveUnknownFields") is True:
        yield "spec.preserveUnknownFields: cannot be true"
    for place, version in enumerate(versions):
        path = f"spec.versions[{place}]"
        if version.get("deprecationWarning") is not None and version.get("deprecated") is not True:
            yield f"{path}.deprecationWarning: only of a deprecated version"
        schema = mapping_of(version.get("schema")).get("openAPIV3Schema")
        if isinstance(schema, Mapping):
            here = f"{path}.schema.openAPIV3Schema"
            if schema.get("type") not in ("object", None):
                yield f"{here}.type: {schema['type']!r} (expected object)"
            yield from _node(schema, here, 0)


def _node(schema: Body, path: str, depth: int) -> Iterator[str]:
    if depth > DEPTH_MAX:
        return
    sort = schema.get("type")
    if depth and not sort and not any(schema.get(one) is True for one in UNTYPED):
        yield f"{path}.type: missing"
    if sort and sort not in TYPES:
        yield f"{path}.type: {sort!r:.60} (expected {', '.join(TYPES)})"
    for field in UNSUPPORTED:
        if schema.get(field) not in (None, "", {}):
            yield f"{path}.{field}: is not supported"
    if schema.get("uniqueItems") is True:
        yield f"{path}.uniqueItems: cannot be true"
    if sort == "array" and schema.get("items") is None:
        yield f"{path}.items: missing"
    named, free = schema.get("properties"), schema.get("additionalProperties")
    if named and free not in (None, False):
        yield f"{path}: properties and additionalProperties exclude each other"
    for name, below in mapping_of(named).items():
        if isinstance(below, Mapping):
            yield from _node(below, f"{path}.properties[{name}]", depth + 1)
    for field in ("items", "additionalProperties"):
        inner = schema.get(field)
        if isinstance(inner, Mapping):
            yield from _node(inner, f"{path}.{field}", depth + 1)


def stored(body: Body) -> Iterator[str]:
    """One of its versions is what objects are stored at."""
    versions = rows_of(mapping_of(body.get("spec")).get("versions"))
    if versions and not any(one.get("storage") is True for one in versions):
        yield "spec.versions: none is stored"
