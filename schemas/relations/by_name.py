"""References by name: the name is a field, the kind and the namespace are fixed or fields beside it. Pure."""

from __future__ import annotations

from typing import Any

from schemas.identity import ResourceId
from schemas.kinds import Surface
from schemas.relations.path import Step, compile_first, steps_of
from schemas.relations.reading import WHOLE, RuleReader, Run, first_at, is_name, shown
from schemas.relations.rule import Rule


class NameReader(RuleReader):
    """Reads `to.name`, and what stands beside it."""

    def __init__(self, rule: Rule, surface: Surface) -> None:
        super().__init__(rule, surface)
        to = rule.to
        self._head = f"{to.kind}/"
        is_path = to.namespace not in ("same", "cluster", "self") and not self._constant
        self._namespace_at = compile_first(to.namespace) if is_path else None
        self._name, self._uid, self._repeats = first_at(to.name), first_at(to.uid), first_at(rule.repeats)
        self._suffix = shown(to.name)
        beside = self._repeats or self._namespace_at or self._uid or to.default or rule.permission
        self.is_plain = bool(to.name) and self._is_simple and not beside

    def read(self, value: Any, path: str, run: Run) -> None:
        """One reference per granule."""
        name = (self._name(value) if self._name is not None else None) or self._to.default
        if not name or not isinstance(name, str) or (self._conditional and not self._applies(value)):
            return
        if self._repeats is not None and self._repeats(value) == name:
            return
        kind = self._kind if self._kind_at is None else self._read_kind(value)
        if kind is None:
            return
        named = None if self._namespace_at is None else self._namespace_at(value)
        namespace = named if named and isinstance(named, str) else "" if self._is_cluster else self._near(run)
        optional = self._is_optional if self._optional is None else self._optional_in(value)
        soft = self._is_soft if self._soft is None else self._soft_in(value)
        uid = "" if self._uid is None else self._uid(value)
        uid = uid if isinstance(uid, str) else ""
        for granule in self._granules(value) if self._parts else WHOLE:
            key = (self, path, kind, name, namespace, granule, optional, soft, uid)
            found = run.shared.get(key)
            if found is None:
                target = self._placed(kind, name, namespace)
                if target is None:
                    return
                where = path + self._suffix if path else self._suffix[1:]
                permission = self._permitted(namespace, run)
                made = self._made(where, target, None, uid, granule, optional, soft, permission)
                found = self._keep(run, key, made)
            run.found.append(found)


class PlainNameReader(NameReader):
    """The common case, at the field itself: the value is the name, and nothing else has to be looked at."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The field."""
        return steps_of(self._to.name)

    def read(self, value: Any, path: str, run: Run) -> None:
        """One reference."""
        if not isinstance(value, str):
            return
        namespace = "" if self._is_cluster else self._near(run)
        key = (self, path, value, namespace)
        found = run.shared.get(key)
        if found is None:
            target = self._fixed(value, namespace)
            if target is None:
                return
            found = self._keep(run, key, self._made(path, target))
        run.found.append(found)

    def _fixed(self, name: str, namespace: str) -> ResourceId | None:
        if not is_name(name) or name in self._skip_whole or (self._skip and name.startswith(self._skip)):
            return None
        if self._is_cluster or not namespace:
            return None if self._must_be_placed else ResourceId(f"{self._head}{name}")
        return ResourceId(f"{self._head}{namespace}/{name}") if is_name(namespace) else None


def name_reader(rule: Rule, surface: Surface) -> RuleReader:
    """The reader that fits."""
    reader = NameReader(rule, surface)
    return PlainNameReader(rule, surface) if reader.is_plain else reader
