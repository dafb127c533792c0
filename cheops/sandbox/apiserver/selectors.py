"""Label and field selectors as the API spells them → a predicate on objects.

app=web,tier in (a,b),!legacy      metadata.name=web,status.phase!=Running
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.statuses import bad_request

Predicate = Callable[[Mapping[str, Any]], bool]

_TERM = re.compile(
    r"""\s*(?:
      (?P<absent>!)\s*(?P<absent_key>[\w./-]+)
    | (?P<key>[\w./-]+)\s*(?:
        (?P<operator>==|=|!=|>|<)\s*(?P<value>[\w.-]*)
      | \s(?P<set>in|notin)\s*\((?P<values>[^()]*)\)
      )?
    )\s*(?:,(?=.)|$)""",
    re.VERBOSE,
)

COMMON_FIELDS = ("metadata.name", "metadata.namespace")
MORE_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase"),
    "events": (
        *(f"involvedObject.{part}" for part in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
        *("reason", "reportingComponent", "source", "type"),
    ),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "replicasets": ("status.replicas",),
    "replicationcontrollers": ("status.replicas",),
    "jobs": ("status.successful",),
    "services": ("spec.clusterIP", "spec.type"),
    "certificatesigningrequests": ("spec.signerName",),
}


def label_selector(text: str) -> Predicate | None:
    """None selects everything. Raises StatusError 400."""
    if not text.strip():
        return None
    terms, position = [], 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or match.end() == position:
            raise bad_request(
                f"unable to parse requirement: found '{text[position:]}', expected: ',' or 'end of string'"
            )
        terms.append(_label_term(match))
        position = match.end()
    return lambda content: all(term(content["metadata"].get("labels") or {}) for term in terms)


def _label_term(match: re.Match[str]) -> Predicate:
    if match["absent"]:
        absent = match["absent_key"]
        return lambda labels: absent not in labels
    key, operator, value = match["key"], match["operator"], match["value"]
    if match["set"]:
        values = {part.strip() for part in match["values"].split(",")}
        if match["set"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if operator in ("=", "=="):
        return lambda labels: labels.get(key) == value
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    if operator in (">", "<"):
        return _number_term(key, operator, value)
    return lambda labels: key in labels


def _number_term(key: str, operator: str, value: str) -> Predicate:
    if not re.fullmatch(r"-?[0-9]+", value):
        raise bad_request(f"for 'Gt', 'Lt' operators, the value must be an integer: {value}")
    bound, above = int(value), operator == ">"

    def holds(labels: Mapping[str, Any]) -> bool:
        found = labels.get(key, "")
        return bool(re.fullmatch(r"-?[0-9]+", found)) and (int(found) > bound if above else int(found) < bound)

    return holds


def field_selector(kind: Kind, text: str) -> Predicate | None:
    """None selects everything. Raises StatusError 400 for a field that the kind cannot be selected by."""
    if not text.strip():
        return None
    known = (*COMMON_FIELDS, *(() if kind.custom else MORE_FIELDS.get(kind.plural, ())))
    terms = [_field_term(term, known) for term in text.split(",") if term]
    return lambda content: all(term(content) for term in terms)


def _field_term(term: str, known: tuple[str, ...]) -> Predicate:
    match = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", term)
    if match is None:
        raise bad_request(f"invalid selector: '{term}'; can't understand '{term}'")
    path, operator, value = match.groups()
    if path not in known:
        names = ", ".join(f'"{name}"' for name in COMMON_FIELDS)
        raise bad_request(f'"{path}" is not a known field selector: only {names}')
    steps, equal = path.split("."), operator != "!="
    return lambda content: (_field_text(content, steps) == value) is equal


def _field_text(content: Mapping[str, Any], steps: list[str]) -> str:
    value: Any = content
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):  # the source of an event is asked for by its component
        value = value.get("component")
    return "" if value is None else str(value)


def both(first: Predicate | None, second: Predicate | None) -> Predicate | None:
    if first is None or second is None:
        return first or second
    return lambda content: first(content) and second(content)
