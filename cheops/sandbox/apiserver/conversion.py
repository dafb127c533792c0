"""Objects that are served in several versions → the stored one and back.

Versions of custom kinds differ in their name only (conversion strategy None). Of the built-in kinds two have a second
version: events, whose fields are named differently, and the autoscaler, whose first version knows one metric.
"""

from __future__ import annotations

from typing import Any

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.store import Object

EVENT_NAMES = {  # core/v1 → events.k8s.io/v1
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
CPU_TARGET = "targetCPUUtilizationPercentage"


def from_stored(kind: Kind, content: Object) -> Object:
    """The object in the version of `kind`."""
    if content["apiVersion"] == kind.api_version:
        return content
    return {"kind": kind.kind, "apiVersion": kind.api_version, **_body(kind, content, to_stored=False)}


def to_stored(kind: Kind, content: Object) -> Object:
    """The object, which is in the version of `kind`, in the stored one."""
    if kind.is_stored_version:
        return content
    return {"kind": kind.kind, "apiVersion": kind.stored_as, **_body(kind, content, to_stored=True)}


def _body(kind: Kind, content: Object, *, to_stored: bool) -> Object:
    body = {name: value for name, value in content.items() if name not in ("kind", "apiVersion")}
    if kind.custom:
        return body
    if kind.plural == "events":
        names = {new: old for old, new in EVENT_NAMES.items()} if to_stored else EVENT_NAMES
        return {names.get(name, name): value for name, value in body.items()}
    if "spec" in body:
        body["spec"] = (_metrics_from_target if to_stored else _target_from_metrics)(body["spec"])
    return body


def _metrics_from_target(spec: dict[str, Any]) -> dict[str, Any]:
    spec = dict(spec)
    if (percentage := spec.pop(CPU_TARGET, None)) is not None:
        target = {"type": "Utilization", "averageUtilization": percentage}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    return spec


def _target_from_metrics(spec: dict[str, Any]) -> dict[str, Any]:
    spec = {name: value for name, value in spec.items() if name != "behavior"}
    for metric in spec.pop("metrics", []):
        resource = metric.get("resource", {})
        if resource.get("name") == "cpu" and "averageUtilization" in resource.get("target", {}):
            spec[CPU_TARGET] = resource["target"]["averageUtilization"]
    return spec
