"""What is known of an object besides its references: parts that others may need, and small facts. Pure.

The catalogue says per kind where they stand; health is by kstatus rules (health.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any, Final

from schemas.events import Grant, Scalar
from schemas.identity import ResourceKey
from schemas.relations.grants import read_listeners, read_reference_grant
from schemas.relations.health import health
from schemas.relations.path import First, Values, compile_first, compile_values
from schemas.relations.rule import Condition, KindFacts
from schemas.relations.selector import labels_of

WITH_HEALTH: Final = frozenset(
    ("Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Pod", "Job", "PersistentVolumeClaim")
)


class Facts:
    """Compiled knowledge of one kind."""

    def __init__(self, known: KindFacts | None, every: KindFacts | None = None) -> None:
        """`every`: facts of every kind."""
        known = known or KindFacts(kind="")
        self.confidential = known.confidential
        self._template = compile_first(known.template_labels) if known.template_labels else None
        self._parts = tuple((part, tuple(map(_offered, paths))) for part, paths in known.parts.items())
        facts = {**(every.facts if every else {}), **known.facts}
        self._facts = tuple((name, compile_first(path)) for name, path in facts.items())
        self._grants = {"ReferenceGrant": read_reference_grant, "listeners": read_listeners}.get(known.grants or "")
        self._never = known.recurs is False
        self._recurs = _recurrence(known)

    def template_labels(self, body: Mapping[str, Any]) -> dict[str, str] | None:
        """Labels of the pods that it makes; None when it makes none."""
        return None if self._template is None else labels_of(self._template(body))

    def parts(self, body: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """What others can need of it; a map at a path offers its keys."""
        made: dict[str, tuple[str, ...]] = {}
        for part, walks in self._parts:
            found: dict[str, None] = {}
            for walk in walks:
                for value in walk(body):
                    rows = map(str, value) if isinstance(value, (dict, Mapping)) else (str(value),)
                    found.update(dict.fromkeys(rows))
            made[part] = tuple(found)
        return made

    def grants(self, body: Mapping[str, Any], key: ResourceKey) -> tuple[Grant, ...]:
        """Permissions that it gives."""
        return () if self._grants is None else tuple(self._grants(body, key))

    def read(self, body: Mapping[str, Any]) -> dict[str, Scalar]:
        """The facts; what is absent is left out."""
        made: dict[str, Scalar] = {}
        for name, walk in self._facts:
            value = walk(body)
            if isinstance(value, (str, int, float, bool)):
                made[name] = value
            elif isinstance(value, dict):
                made.update((f"{name}.{key}", one) for key, one in value.items() if isinstance(one, (str, int)))
        if self._never:
            made["recurs"] = False
        elif self._recurs is not None:
            made["recurs"] = all(_holds(condition, walk, body) for condition, walk in self._recurs)
        if str(body.get("kind")) in WITH_HEALTH and "status" in body:
            made["health"] = health(body)
        return made


def _offered(path: str) -> Values:
    return PARTS[path] if path in PARTS else compile_values(path)


def _served_versions(body: Any) -> Iterator[Any]:
    for row in compile_values("spec.versions[*]")(body):
        if isinstance(row, dict) and row.get("served") is True:
            yield row.get("name")


def _role_rules(body: Any) -> Iterator[Any]:
    """`verb group/resource` for each combination that a role allows."""
    for row in compile_values("rules[*]")(body):
        rows = [
            [str(one) for one in row.get(name) or ()]
            if isinstance(row, dict) and isinstance(row.get(name), list)
            else []
            for name in ("verbs", "apiGroups", "resources")
        ]
        for verb, group, resource in islice(product(*rows), ROLE_RULES_MAX):
            yield f"{verb} {group}/{resource}" if group else f"{verb} {resource}"


ROLE_RULES_MAX: Final = 256
PARTS: Final[Mapping[str, Values]] = {"served-versions": _served_versions, "role-rules": _role_rules}


def _recurrence(known: KindFacts) -> tuple[tuple[Condition, First], ...] | None:
    if known.recurs is None:
        return None
    conditions = known.recurs if isinstance(known.recurs, tuple) else ()
    return tuple((one, _condition(one.condition) if one.condition else compile_first(one.path)) for one in conditions)


def _condition(wanted: str) -> First:
    rows = compile_values("status.conditions[*]")

    def status(body: Any) -> Any:
        return next(
            (row.get("status") for row in rows(body) if isinstance(row, dict) and row.get("type") == wanted), None
        )

    return status


def _holds(condition: Condition, walk: First, body: Mapping[str, Any]) -> bool:
    found = walk(body)
    value = condition.default if found is None else found
    if condition.equals is not None:
        return bool(value == condition.equals)
    if condition.differs is not None:
        excluded = condition.differs if isinstance(condition.differs, list) else [condition.differs]
        return value not in excluded
    return isinstance(value, (int, float)) and condition.above is not None and value > condition.above
