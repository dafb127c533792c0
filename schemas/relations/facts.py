"""What is known of an object besides its references: parts that others may need, and small facts. Pure.

The catalogue says per kind where they stand. What stands at a path is put into a slot on the one way through the object
that finds its references too (places.py), and made into facts afterwards; health is by kstatus rules (health.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from itertools import islice, product
from typing import Any, Final

from schemas.identity import KindId, split_kind
from schemas.relations.kind_facts import Condition, KindFacts
from schemas.relations.made_keys import annotated_keys, certificate_keys, external_keys, labelled_keys, token_keys
from schemas.relations.path import First, Step, compile_values, steps_of
from schemas.relations.places import Keeps, Row, Slot

WITH_HEALTH: Final = frozenset(
    ("Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Pod", "Job", "PersistentVolumeClaim")
)


class Facts:
    """Compiled knowledge of one kind. `rows`: what has to be read for it, and where; each row fills its slot."""

    def __init__(self, kind: KindId, known: KindFacts | None, every: KindFacts | None = None) -> None:
        """`every`: facts of every kind."""
        known = known or KindFacts(kind="")
        self.rows: list[Row] = []
        self.slots_count = 0
        self._taken: dict[str, int] = {}
        self.template = self._first(known.template_labels) if known.template_labels else None
        self.parts = tuple((part, tuple(map(self._offered, paths))) for part, paths in known.parts.items())
        self.open = frozenset(known.open)
        facts = {**(every.facts if every else {}), **known.facts}
        self.facts = tuple((name, self._first(path)) for name, path in facts.items())
        self.never = known.recurs is False
        recurs = known.recurs if isinstance(known.recurs, tuple) else () if known.recurs else None
        flags = {"recurs": recurs, "takes": known.takes or None, "restores": known.restores or None}
        self.flags = tuple((name, self._conditions(rows)) for name, rows in flags.items() if rows is not None)
        self.offers = {slot for _, many in self.parts for slot in many}  # whole values, unlike facts
        self.kind = split_kind(kind)[1]
        self.replicas = self._first("spec.replicas") if self.kind in WITH_HEALTH else None

    # ── where things stand ──────────────────────────────────────────────────────────────────────────────────────────

    def mark(self, name: str, places: Iterable[str]) -> int:
        """A slot with something in it when anything stands at one of these places."""
        slot = self._take(name)
        self.rows += [Row(steps_of(path), Slot(slot)) for path in places]
        return slot

    def _first(self, path: str) -> int:
        """The slot of the first thing at a path."""
        return self._slot(path, steps_of(path), "first" if "[*]" in path else "last")

    def _offered(self, path: str) -> int:
        """The slot of everything at a path."""
        if path in PARTS:
            return self._slot(f"part {path}", (), make=PARTS[path])
        place, _, last = path.rpartition(".")
        if last in PARTS_AT:
            return self._slot(f"part {path}", steps_of(place), make=PARTS_AT[last])
        return self._slot(f"each {path}", steps_of(path), "all")

    def _conditions(
        self, rows: Iterable[Condition]
    ) -> tuple[tuple[int, Callable[[Any], bool], int | None, list[Any]], ...]:
        """Of each its slot, its test, and where what lifts it stands."""
        return tuple((self._condition(one), _test_of(one), *self._anyway(one)) for one in rows)

    def _condition(self, one: Condition) -> int:
        if not one.condition:
            return self._first(one.path)
        return self._slot(f"condition {one.condition}", CONDITIONS, make=_status_of(one.condition))

    def _anyway(self, one: Condition) -> tuple[int | None, list[Any]]:
        words = one.unless_equals if isinstance(one.unless_equals, list) else [one.unless_equals]
        return (self._first(one.unless), words) if one.unless else (None, [])

    def _slot(
        self, key: str, steps: tuple[Step, ...], keeps: Keeps = "last", make: Callable[[Any], Any] | None = None
    ) -> int:
        if key not in self._taken:
            self.rows.append(Row(steps, Slot(self._take(key), keeps, make)))
        return self._taken[key]

    def _take(self, key: str) -> int:
        slot = self._taken[key] = self.slots_count
        self.slots_count += 1
        return slot

    def offers_from(self, slots: Set[int]) -> bool:
        """Whether labels of a template or a part are made of one of these."""
        return not (self.offers | {self.template}).isdisjoint(slots)


def _served_versions(body: Any) -> Iterator[Any]:
    for row in compile_values("spec.versions[*]")(body):
        if isinstance(row, dict) and row.get("served") is True:
            yield row.get("name")


def _scaled_versions(body: Any) -> Iterator[Any]:
    """The served versions at which its objects can be scaled."""
    everywhere = compile_values("spec.subresources.scale")(body)
    for row in compile_values("spec.versions[*]")(body):
        if isinstance(row, dict) and row.get("served") is True:
            own = row.get("subresources")
            if everywhere or (isinstance(own, dict) and own.get("scale") is not None):
                yield row.get("name")


def _service_ports(spec: Any) -> Iterator[Any]:
    """Ports of a Service, by name and number; one that is but another name for a host stands in the way of none."""
    if isinstance(spec, dict) and spec.get("type") != "ExternalName":
        yield from compile_values("ports[*].name")(spec)
        yield from compile_values("ports[*].port")(spec)


def _sidecar_ports(containers: Any) -> Iterator[Any]:
    """Ports by name of the init containers that run on; the others are over before their pod serves anyone."""
    for row in compile_values("[*]")(containers):
        if isinstance(row, dict) and row.get("restartPolicy") == "Always":
            yield from compile_values("ports[*].name")(row)


def _sidecar_names(containers: Any) -> Iterator[Any]:
    """The names of the init containers that run on."""
    for row in compile_values("[*]")(containers):
        if isinstance(row, dict) and row.get("restartPolicy") == "Always":
            yield row.get("name")


def _taints(body: Any) -> Iterator[Any]:
    """`key=value:NoSchedule` for each taint of a node."""
    for row in compile_values("spec.taints[*]")(body):
        if isinstance(row, dict):
            yield f"{row.get('key')}={row.get('value') or ''}:{row.get('effect')}"


def _role_rules(body: Any) -> Iterator[Any]:
    """`verb group/resource` for each combination that a role allows, and the name where it allows only that."""
    for row in compile_values("rules[*]")(body):
        rows = [
            [str(one) for one in row.get(name) or ()]
            if isinstance(row, dict) and isinstance(row.get(name), list)
            else []
            for name in ("verbs", "apiGroups", "resources", "resourceNames")
        ]
        for verb, group, resource, name in islice(product(*rows[:3], rows[3] or [""]), ROLE_RULES_MAX):
            place = f"{group}/{resource}" if group else resource
            yield f"{verb} {place} {name}".rstrip()


def _quota_scopes(body: Any) -> Iterator[Any]:
    """`BestEffort`, `PriorityClass In high,low`: what a quota asks of a pod that it counts."""
    yield from (one for one in compile_values("spec.scopes[*]")(body) if isinstance(one, str))
    for row in compile_values("spec.scopeSelector.matchExpressions[*]")(body):
        if isinstance(row, dict):
            values = row.get("values") if isinstance(row.get("values"), list) else []
            yield f"{row.get('scopeName')} {row.get('operator')} {','.join(map(str, values or ()))}".strip()


def _limit_lines(body: Any) -> Iterator[Any]:
    """`Container max cpu 2` for each bound and default of a LimitRange."""
    for row in compile_values("spec.limits[*]")(body):
        for what in LIMITS if isinstance(row, dict) else ():
            bounds = row.get(what)
            for resource, amount in bounds.items() if isinstance(bounds, dict) else ():
                yield f"{row.get('type')} {what} {resource} {amount}"


CONDITIONS: Final = steps_of("status.conditions")
LIMITS: Final = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
ROLE_RULES_MAX: Final = 256
PARTS: Final[Mapping[str, Callable[[Any], Iterable[Any]]]] = {
    "served-versions": _served_versions,
    "scaled-versions": _scaled_versions,
    "taints": _taints,
    "role-rules": _role_rules,
    "quota-scopes": _quota_scopes,
    "limit-lines": _limit_lines,
    "external-keys": external_keys,
    "certificate-keys": certificate_keys,
}  # of the body
PARTS_AT: Final[Mapping[str, Callable[[Any], Iterable[Any]]]] = {
    "service-ports": _service_ports,
    "sidecar-ports": _sidecar_ports,
    "sidecar-names": _sidecar_names,
    "annotated-keys": annotated_keys,
    "labelled-keys": labelled_keys,
    "token-keys": token_keys,
}  # of what is there


def _status_of(wanted: str) -> First:
    rows = compile_values("[*]")

    def status(conditions: Any) -> Any:
        return next(
            (row.get("status") for row in rows(conditions) if isinstance(row, dict) and row.get("type") == wanted), None
        )

    return status


def _test_of(condition: Condition) -> Callable[[Any], bool]:
    """A condition → does it hold of what was found? Nothing found is its default."""
    default, equals, above, begins = condition.default, condition.equals, condition.above, condition.begins
    if begins:
        return lambda found: isinstance(found, list) and any(str(one).startswith(begins) for one in found)
    if equals is not None:
        return lambda found: bool((default if found is None else found) == equals)
    if condition.differs is not None:
        excluded = condition.differs if isinstance(condition.differs, list) else [condition.differs]
        return lambda found: (default if found is None else found) not in excluded

    def is_above(found: Any) -> bool:
        value = default if found is None else found
        return isinstance(value, (int, float)) and above is not None and value > above

    return is_above
