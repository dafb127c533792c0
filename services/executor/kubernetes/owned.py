"""What one manager had said of an object, and who has changed it since: read off `managedFields`. Pure.

Applying again exactly what we had applied before puts an object back: fields that a later step of ours added go, those
it changed get their value again, and nobody else's are touched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.untyped import mapping_of
from services.chassis.kubernetes.fields import applied_by, pick, rows

Object = dict[str, Any]
# They write what follows from an object (a claim's volume, a revision's number), not what somebody wants.
_SYSTEM: Final = ("kube-controller-manager", "kube-scheduler", "kubelet")


def owned(live: Mapping[str, Any], manager: str) -> Object:
    """The fields that `manager` has applied, with their values; what names the object is always among them."""
    fields = applied_by(live, manager)
    found: Object = pick(live, fields) if fields else {}
    metadata = {**mapping_of(found.get("metadata")), "name": live["metadata"]["name"]}
    if live["metadata"].get("namespace"):
        metadata["namespace"] = live["metadata"]["namespace"]
    found.pop("status", None)
    return {**found, "apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}


def left(live: Mapping[str, Any], marker: str) -> str:
    """`<resource version>:<digest of who has said what when>`: a status that goes on does not change the second."""
    said = sorted(json.dumps(row, sort_keys=True) for row in _wanting(live))
    digest = hashlib.sha256("\n".join((marker, *said)).encode()).hexdigest()[:16] if said else ""
    return f"{mapping_of(live.get('metadata')).get('resourceVersion', '')}:{digest}"


def changed_since(live: Mapping[str, Any], marker: str, before: str) -> str:
    """Who has changed the object after it was left like that; "" when nobody has."""
    now = left(live, marker)
    (version, _, digest), (version_now, _, digest_now) = before.partition(":"), now.partition(":")
    if version == version_now or (digest and digest == digest_now):
        return ""
    said = sorted(_wanting(live), key=lambda row: str(row.get("time") or ""))
    return str(said[-1].get("manager") or "somebody") if said else "somebody"


def _wanting(live: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for row in rows(live):
        if not row.get("subresource") and row.get("manager") not in _SYSTEM:
            yield row
