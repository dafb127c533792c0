"""What one manager had said of an object, and who has changed it since: read off `managedFields`. Pure.

Applying again exactly what we had applied before puts an object back: fields that a later step of ours added go, those
it changed get their value again, and nobody else's are touched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

Object = dict[str, Any]
# They write what follows from an object (a claim's volume, a revision's number), not what somebody wants.
_SYSTEM: Final = ("kube-controller-manager", "kube-scheduler", "kubelet")
_MISSING: Final = object()


def owned(live: Mapping[str, Any], manager: str) -> Object:
    """The fields that `manager` has applied, with their values; what names the object is always among them."""
    found: Object = {}
    for row in _rows(live):
        if row.get("manager") == manager and row.get("operation") == "Apply" and not row.get("subresource"):
            picked = _pick(live, row.get("fieldsV1") or {})
            found |= picked if isinstance(picked, dict) else {}
    metadata = {**_mapping(found.get("metadata")), "name": live["metadata"]["name"]}
    if live["metadata"].get("namespace"):
        metadata["namespace"] = live["metadata"]["namespace"]
    found.pop("status", None)
    return {**found, "apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}


def left(live: Mapping[str, Any], marker: str) -> str:
    """`<resource version>:<digest of who has said what when>`: a status that goes on does not change the second."""
    rows = sorted(json.dumps(row, sort_keys=True) for row in _wanting(live))
    digest = hashlib.sha256("\n".join((marker, *rows)).encode()).hexdigest()[:16] if rows else ""
    return f"{_mapping(live.get('metadata')).get('resourceVersion', '')}:{digest}"


def changed_since(live: Mapping[str, Any], marker: str, before: str) -> str:
    """Who has changed the object after it was left like that; "" when nobody has."""
    now = left(live, marker)
    (version, _, digest), (version_now, _, digest_now) = before.partition(":"), now.partition(":")
    if version == version_now or (digest and digest == digest_now):
        return ""
    rows = sorted(_wanting(live), key=lambda row: str(row.get("time") or ""))
    return str(rows[-1].get("manager") or "somebody") if rows else "somebody"


def _wanting(live: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for row in _rows(live):
        if not row.get("subresource") and row.get("manager") not in _SYSTEM:
            yield row


def _rows(live: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = _mapping(live.get("metadata")).get("managedFields")
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _pick(value: Any, fields: Mapping[str, Any]) -> Any:
    """The part of a value that a set of fields names (FieldsV1: `f:` a field, `k:` an item by its keys, `v:` a value).

    Of an item that is named as such (`.`) the keys are kept.
    """
    inner = {name: inside for name, inside in fields.items() if name != "."}
    if not inner:
        return value
    if isinstance(value, Mapping):
        found = {}
        for name, inside in inner.items():
            one = value.get(name[2:], _MISSING) if name.startswith("f:") else _MISSING
            if one is not _MISSING:
                found[name[2:]] = _pick(one, inside)
        return found
    if isinstance(value, list):
        return [one for name, inside in inner.items() for one in _items(value, name, inside)]
    return value


def _items(values: list[Any], name: str, inside: Mapping[str, Any]) -> Iterator[Any]:
    kind, _, text = name.partition(":")
    if kind == "v":
        wanted = json.loads(text)
        yield from (one for one in values if one == wanted)
    elif kind == "k":
        keys = json.loads(text)
        for one in values:
            if isinstance(one, Mapping) and all(one.get(key) == wanted for key, wanted in keys.items()):
                picked = _pick(one, inside)
                yield {**keys, **picked} if isinstance(picked, dict) else one
    elif kind == "i" and int(text) < len(values):
        yield _pick(values[int(text)], inside)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
