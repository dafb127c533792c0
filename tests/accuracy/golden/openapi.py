"""The OpenAPI documents of a real API server → one object per kind with every field filled, as in the golden objects.

So kinds that the test data lacks (CustomResourceDefinition, APIService) are measured, too, and so is what the server
really serves. Recursive schemas are followed once.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cheops.sandbox.controlplane import ControlPlane
from cheops.sandbox.plane.assets import FOR_PEOPLE, require
from tests.accuracy.golden.objects import is_kept, meaningful

DEPTH_MAX: Final = 24
KUBECTL_TIMEOUT_S: Final = 60
_KIND: Final = "x-kubernetes-group-version-kind"
_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def served_objects(plane: ControlPlane) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, object) of each kind that the server can create; definitions that other tests have left there are none."""
    kubectl = require(FOR_PEOPLE) / "kubectl"
    index = _get(plane, kubectl, "/openapi/v3")
    for path in sorted(index["paths"]):
        if path.startswith(("api/", "apis/")) and not path.split("/")[1].endswith("example.com"):
            document = _get(plane, kubectl, f"/openapi/v3/{path}")
            yield from filled(document)


def filled(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The kinds of one document, of which objects can be created."""
    schemas: Mapping[str, Any] = document.get("components", {}).get("schemas", {})
    creatable = set(_creatable(document))
    for schema in schemas.values():
        for gvk in schema.get(_KIND, ()):
            group, version, kind = gvk["group"], gvk["version"], gvk["kind"]
            if (group, version, kind) in creatable and "metadata" in schema.get("properties", {}):
                body = _fill({**schema, _KIND: None}, schemas, kind, ())
                body.update({"apiVersion": f"{group}/{version}" if group else version, "kind": kind})
                if is_kept(kind):
                    yield f"{group or 'core'}.{version}.{kind}", meaningful(body)


def _creatable(document: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for path, operations in document.get("paths", {}).items():
        gvk = operations.get("post", {}).get(_KIND)
        if gvk and not path.rpartition("/")[2].startswith("{") and path.count("{name}") == 0:
            yield gvk["group"], gvk["version"], gvk["kind"]


def _fill(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, trail: tuple[str, ...]) -> Any:
    for one in schema.get("allOf", ()):
        if "$ref" in one:
            return _fill(one, schemas, name, trail)
    if "$ref" in schema:
        target = schema["$ref"].rpartition("/")[2]
        if target in trail or len(trail) > DEPTH_MAX:
            return None
        return _fill(schemas[target], schemas, name, (*trail, target))
    if "oneOf" in schema or schema.get("format") == "int-or-string":
        return f"{name}Value"
    match schema.get("type"):
        case "array":
            return [_fill(schema.get("items", {}), schemas, name, trail)]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "object":
            return _fill_object(schema, schemas, name, trail)
    return f"{name}Value" if schema.get("type") == "string" else {}


def _fill_object(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, trail: tuple[str, ...]) -> Any:
    properties = schema.get("properties")
    if properties is None:
        inner = schema.get("additionalProperties")
        return {f"{name}Key": _fill(inner, schemas, name, trail)} if isinstance(inner, dict) else {}
    made = {key: _fill(one, schemas, key, trail) for key, one in properties.items()}
    if trail and trail[-1].endswith(_OBJECT_META.rpartition(".")[2]):
        made.pop("managedFields", None)
    return {key: one for key, one in made.items() if one is not None}


def _get(plane: ControlPlane, kubectl: Path, path: str) -> Any:
    command = [str(kubectl), f"--kubeconfig={plane.kubeconfig}", "get", "--raw", path]
    done = subprocess.run(command, capture_output=True, check=True, timeout=KUBECTL_TIMEOUT_S)
    return json.loads(done.stdout)
