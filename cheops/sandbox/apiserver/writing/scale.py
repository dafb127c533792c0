"""The subresource `scale`: how many replicas there should be, for any kind that has some, in one form."""

from __future__ import annotations

from typing import Any

from cheops.sandbox.apiserver.schema.decode import JSON_NAMES
from cheops.sandbox.apiserver.statuses import Cause, bad_request, invalid_scale
from cheops.sandbox.apiserver.store import Object

NEGATIVE = "must be greater than or equal to 0"
KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(content: Object) -> Object:
    """autoscaling/v1 Scale of a workload."""
    spec, status = content.get("spec") or {}, content.get("status") or {}
    metadata = {name: content["metadata"][name] for name in KEPT if name in content["metadata"]}
    selector = _selector_text(spec.get("selector"))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": replicas} if (replicas := spec.get("replicas", 0)) else {},
        "status": {"replicas": status.get("replicas", 0), **({"selector": selector} if selector else {})},
    }


def scaled(content: Object, scale: Object) -> Object:
    """The workload with the replicas of the scale, and its version, which may be a precondition."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request(f'Scale in version "v1" cannot be handled as a Scale: {_unmarshalled(replicas)}')
    if replicas < 0:
        cause = Cause("spec.replicas", "FieldValueInvalid", f"Invalid value: {replicas}: {NEGATIVE}")
        raise invalid_scale(content["metadata"]["name"], cause)
    said = scale.get("metadata") or {}
    metadata = {**content["metadata"], "name": said.get("name", content["metadata"]["name"])}
    metadata["resourceVersion"] = said.get("resourceVersion", "")
    return {**content, "metadata": metadata, "spec": {**(content.get("spec") or {}), "replicas": replicas}}


def _unmarshalled(value: Any) -> str:
    found = JSON_NAMES.get(type(value), "value")
    return f"json: cannot unmarshal {found} into Go struct field ScaleSpec.spec.replicas of type int32"


def _selector_text(selector: Any) -> str:
    if not isinstance(selector, dict):
        return ""
    labels = selector.get("matchLabels", {} if "matchExpressions" in selector else selector)
    terms = [f"{name}={value}" for name, value in sorted(labels.items())]
    for expression in selector.get("matchExpressions") or ():
        terms.append(_expression_text(expression))
    return ",".join(terms)


def _expression_text(expression: dict[str, Any]) -> str:
    key, values = expression["key"], ",".join(expression.get("values") or ())
    match expression["operator"]:
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "DoesNotExist":
            return f"!{key}"
    return str(key)
