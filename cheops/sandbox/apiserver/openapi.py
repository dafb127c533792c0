"""OpenAPI v3, as much of it as kubectl needs to validate, to patch and to apply: an index, one document per version.

Schemas come from the same shapes that objects are checked by. Every path that is patched says that it knows
`fieldValidation`; without that kubectl would validate by itself, and refuse to where it cannot.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.schema.builtin import descriptions
from cheops.sandbox.apiserver.schema.shape import Shape
from cheops.sandbox.apiserver.store import encode

Document = dict[str, Any]

PREFIX = "/openapi/v3/"
PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
PLAIN_TYPES = {
    "bytes": ("string", "byte"),
    "quantity": ("string", ""),
    "integer": ("integer", ""),
    "number": ("number", ""),
}


_VERSION_PREFIX = re.compile(r"^.*?V\d(?:(?:alpha|beta)\d)?")

V2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
V2_EMPTY = b"\x0a\x032.0"  # swagger: "2.0", and nothing more
"""What kubectl falls back to for a kind that v3 does not know; then it says itself that nobody knows the kind."""


def index(realm: Realm) -> Document:
    paths = {}
    for group, versions in realm.registry.groups().items():
        for version, kinds in versions.items():
            name = f"apis/{group}/{version}" if group else f"api/{version}"
            mark = hashlib.sha256(encode([str(kind) for kind in kinds])).hexdigest()[:32].upper()
            paths[name] = {"serverRelativeURL": f"{PREFIX}{name}?hash={mark}"}
    return {"paths": paths}


def document(realm: Realm, name: str) -> Document | None:
    """`name` is `api/v1` or `apis/apps/v1`."""
    parts = name.split("/")
    group, version = ("", parts[1]) if parts[0] == "api" and len(parts) == 2 else ("".join(parts[1:2]), parts[-1])
    kinds = realm.registry.groups().get(group, {}).get(version)
    if kinds is None:
        return None
    schemas: Document = {}
    paths: Document = {}
    for kind in kinds:
        _add_component(schemas, realm.shape(kind), _component(kind))
        schemas[_component(kind)]["x-kubernetes-group-version-kind"] = [_identity(kind)]
        paths |= _paths(kind)
    info = {"title": "Kubernetes", "version": "v1.36.3"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _component(kind: Kind) -> str:
    group = ".".join(reversed((kind.group or "core").split(".")))
    return f"{group}.{kind.version}.{kind.kind}"


def _identity(kind: Kind) -> Document:
    return {"group": kind.group, "kind": kind.kind, "version": kind.version}


def _paths(kind: Kind) -> Document:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    collection = f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    body = {"schema": {"$ref": f"#/components/schemas/{_component(kind)}"}}
    patch = dict.fromkeys(PATCH_TYPES, body)
    return {
        collection: {"post": _operation(kind, "post", {"*/*": body}), "get": _operation(kind, "list", {})},
        f"{collection}/{{name}}": {
            "get": _operation(kind, "get", {}),
            "put": _operation(kind, "put", {"*/*": body}),
            "patch": _operation(kind, "patch", patch),
            "delete": _operation(kind, "delete", {}),
        },
    }


def _operation(kind: Kind, action: str, body: Document) -> Document:
    names = ("dryRun", "fieldManager", "fieldValidation") if body else ()
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    operation: Document = {
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _identity(kind),
    }
    return {**operation, "requestBody": {"content": body}} if body else operation


def _add_component(schemas: Document, shape: Shape, name: str) -> None:
    if name in schemas:
        return
    schemas[name] = {}  # begun: a schema may contain itself
    about = descriptions(shape.name) if shape.is_builtin else {}
    properties = {
        field: {**_schema(schemas, below), **({"description": about[field]} if field in about else {})}
        for field, below in shape.fields.items()
    }
    content: Document = {"type": "object", "properties": properties}
    if "" in about:
        content["description"] = about[""]
    if shape.required:
        content["required"] = list(shape.required)
    if shape.open:
        content["x-kubernetes-preserve-unknown-fields"] = True
    if shape.atomic:
        content["x-kubernetes-map-type"] = "atomic"
    schemas[name] |= content


def _schema(schemas: Document, shape: Shape) -> Document:
    match shape.type:
        case "object" if shape.name:
            name = _VERSION_PREFIX.sub("", shape.name) or shape.name  # as people know it: DeploymentSpec
            _add_component(schemas, shape, f"{shape.name}.{name}")
            return {"allOf": [{"$ref": f"#/components/schemas/{shape.name}.{name}"}]}
        case "object":
            properties = {field: _schema(schemas, below) for field, below in shape.fields.items()}
            return {"type": "object", "properties": properties, "x-kubernetes-preserve-unknown-fields": shape.open}
        case "map" if shape.items:
            atomic = {"x-kubernetes-map-type": "atomic"} if shape.atomic else {}
            return {"type": "object", "additionalProperties": _schema(schemas, shape.items), **atomic}
        case "list" if shape.items:
            return {"type": "array", "items": _schema(schemas, shape.items), **_merging(shape)}
        case "any":
            return {"x-kubernetes-preserve-unknown-fields": True}
    type_, format_ = PLAIN_TYPES.get(shape.type, (shape.type, ""))
    return {"type": type_, **({"format": format_} if format_ else {})}


def _merging(shape: Shape) -> Document:
    found: Document = {}
    if shape.keys:
        found |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(shape.keys)}
    elif shape.is_set:
        found["x-kubernetes-list-type"] = "set"
    if shape.merge_key:
        found |= {"x-kubernetes-patch-merge-key": shape.merge_key, "x-kubernetes-patch-strategy": "merge"}
    elif shape.merges_values:
        found["x-kubernetes-patch-strategy"] = "merge"
    return found
