"""The subresource `scale`: how many replicas there should be, for any kind that has some, in one form."""

from __future__ import annotations

from typing import Any

from cheops.sandbox.apiserver.statuses import bad_request
from cheops.sandbox.apiserver.store import Object

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
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": {"replicas": status.get("replicas", 0), **({"selector": selector} if selector else {})},
    }


def scaled(content: Object, scale: Object) -> Object:
    """The workload with the replicas of the scale, and its version, which may be a precondition."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        raise bad_request(f"Scale.spec.replicas: not a number of replicas: {replicas!r}")
    said = scale.get("metadata") or {}
    metadata = {**content["metadata"], "name": said.get("name", content["metadata"]["name"])}
    metadata["resourceVersion"] = said.get("resourceVersion", "")
    return {**content, "metadata": metadata, "spec": {**(content.get("spec") or {}), "replicas": replicas}}


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
