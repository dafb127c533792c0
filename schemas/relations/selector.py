"""Label selectors: Kubernetes' form → ours, and does it match? Pure.

Operators as in k8s.io/apimachinery: `NotIn` and `DoesNotExist` match an object without the key. What an empty or absent
selector means differs per kind and is said by the rule, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from schemas.events import LabelSelector, Operator, Requirement, ResourceState, Selector
from schemas.identity import kind_of

OPERATORS: Final[dict[str, Operator]] = {one: one for one in get_args(Operator)}
NAME_LABEL: Final = "kubernetes.io/metadata.name"  # the API server sets it on every namespace
EXCLUDING: Final = frozenset[Operator](("NotIn", "DoesNotExist"))
MARKS: Final = ("default", "default.beta")  # facts: of two annotations that say it, either is enough
NEVER: Final = Requirement("", "In")


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether these labels satisfy every requirement; an empty selector matches everything."""
    for key, value in selector.match_labels.items():
        if labels.get(key) != value:
            return False
    return not selector.match_expressions or all(_holds(one, labels) for one in selector.match_expressions)


def excludes_only(selector: LabelSelector) -> bool:
    """Whether it names but those whom it does not mean."""
    negative = [one.operator in EXCLUDING for one in selector.match_expressions]
    return not selector.match_labels and bool(negative) and all(negative)


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
    """A `LabelSelector` (or a NodeSelectorTerm) → ours; None when it is no selector at all.

    A line that cannot be read, such as one with an unknown operator, matches nothing: the link is there, and dangles.
    """
    if not isinstance(value, Mapping):
        return None
    rows = value.get("matchExpressions")
    expressions = tuple(map(_expression, rows)) if isinstance(rows, list) else ()
    return LabelSelector(labels_of(value.get("matchLabels")), expressions)


def _expression(row: Any) -> Requirement:
    if not isinstance(row, Mapping):
        return NEVER
    key, operator, listed = row.get("key"), row.get("operator"), row.get("values") or ()
    if not isinstance(key, str):
        return NEVER
    known = OPERATORS.get(operator) if isinstance(operator, str) else None
    if known is None or not isinstance(listed, (list, tuple)):
        return Requirement(key, "In")  # in an empty list: never
    return Requirement(key, known, tuple(map(str, listed)))


def selects(selector: Selector, state: ResourceState) -> bool:
    """Whether a selector matches a resource, or the pods that it makes. Where it looks is the caller's question."""
    if selector.default and not marked_default(state):
        return False
    if kind_of(state.resource) == selector.kind and matches(selector.labels, state.labels):
        return True
    template = state.template_labels
    return template is not None and selector.kind == "Pod" and matches(selector.labels, template)


def marked_default(state: ResourceState) -> bool:
    """Whether it says of itself that it is the default of its kind."""
    return any(str(state.facts.get(one)).lower() == "true" for one in MARKS)


def labels_of(value: Any) -> dict[str, str]:
    """A map of labels, whatever was written."""
    if not isinstance(value, (dict, Mapping)):  # a dict first: it is one nearly always, and that is known at once
        return {}
    if isinstance(value, dict):
        try:
            "".join(value), "".join(value.values())  # nothing but texts, as nearly always: joining refuses all else
        except TypeError:
            pass
        else:
            return value.copy()
    return {str(key): str(one) for key, one in value.items() if one is not None}
