"""Custom resource definitions that cannot be: what is refused before anything is served."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cheops.sandbox.apiserver.statuses import Cause
from cheops.sandbox.apiserver.store import Object

SCOPES = ("Cluster", "Namespaced")
REQUIRED, INVALID, NOT_SUPPORTED = "FieldValueRequired", "FieldValueInvalid", "FieldValueNotSupported"


def check_definition(content: Object) -> Iterator[Cause]:
    spec = content.get("spec") or {}
    expected = f"{(spec.get('names') or {}).get('plural')}.{spec.get('group')}"
    if content["metadata"]["name"] != expected:
        shown = json.dumps(content["metadata"]["name"])
        yield Cause("metadata.name", INVALID, f'Invalid value: {shown}: must be spec.names.plural+"."+spec.group')
    if (scope := spec.get("scope")) not in SCOPES:
        supported = ", ".join(f'"{one}"' for one in SCOPES)
        yield Cause("spec.scope", NOT_SUPPORTED, f'Unsupported value: "{scope}": supported values: {supported}')
    versions = spec.get("versions") or []
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            yield Cause(f"spec.versions[{index}].schema.openAPIV3Schema", REQUIRED, "Required value")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        shown = "[]" if not versions else json.dumps(versions, separators=(",", ":"))
        yield Cause(
            "spec.versions", INVALID, f"Invalid value: {shown}: must have exactly one version marked as storage version"
        )
    if not versions:
        yield Cause("status.storedVersions", INVALID, "Invalid value: null: must have at least one stored version")
