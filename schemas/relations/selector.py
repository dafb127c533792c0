"""Label selectors: Kubernetes' form → ours, and does it match? Pure.

Operators as in k8s.io/apimachinery: `NotIn` and `DoesNotExist` match an object without the key. What an empty or absent
selector means differs per kind and is said by the rule, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from schemas.events import LabelSelector, Operator, Requirement

OPERATORS: Final[frozenset[str]] = frozenset(get_args(Operator))


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether these labels satisfy every requirement; an empty selector matches everything."""
    for key, value in selector.match_labels.items():
        if labels.get(key) != value:
            return False
    return all(_holds(one, labels) for one in selector.match_expressions)


def _holds(one: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(one.key)
    match one.operator:
        case "In":
            return value is not None and value in one.values
        case "NotIn":
            return value is None or value not in one.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case _:
            return _compares(one, value)


def _compares(one: Requirement, value: str | None) -> bool:
    try:
        left, right = int(value or ""), int(one.values[0])
    except (ValueError, IndexError):
        return False
    return left > right if one.operator == "Gt" else left < right


def from_object(value: Any) -> LabelSelector | None:
    """A `LabelSelector` object → ours; None when it cannot be read (an unknown operator selects nothing)."""
    if not isinstance(value, Mapping):
        return None
    expressions = []
    for row in value.get("matchExpressions") or ():
        if not isinstance(row, Mapping) or row.get("operator") not in OPERATORS or not isinstance(row.get("key"), str):
            return None
        expressions.append(Requirement(row["key"], row["operator"], tuple(map(str, row.get("values") or ()))))
    return LabelSelector(labels_of(value.get("matchLabels")), tuple(expressions))


def labels_of(value: Any) -> dict[str, str]:
    """A map of labels, whatever was written."""
    return {str(key): str(one) for key, one in value.items() if one is not None} if isinstance(value, Mapping) else {}
