"""One rule → a function that reads its references at one place of an object: what all ways of pointing share. Pure.

A reader is made for one kind and one place, so all but the names is known before an object comes. It gets the value
there and which items lie on the way to it, and adds what it finds to the run. Whatever is malformed is read as absent.
A reference is made anew each time: that takes less than looking whether an equal one is there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from schemas.events import Confidence, Reference, Relation, Selector
from schemas.identity import KindId, ResourceId, kind_id, split_kind
from schemas.kinds import Surface, one_group
from schemas.relations.naming import NAMES, is_kind, is_name
from schemas.relations.path import At, First, Where, compile_first, compile_values, only_field, steps_of, suffix_of
from schemas.relations.places import Read
from schemas.relations.rule import EVERY, Rule, Target
from schemas.relations.run import Run

KINDS_MAX: Final = 1_024  # kinds in one rule's references that are remembered
PATHS_MAX: Final = 1_024  # paths of one place that are remembered
NOBODY: Final = ResourceId("")
WHOLE: Final = ("",)  # no granule: the whole target


class Goal(NamedTuple):
    """A kind that a rule points at: how identities of it begin, and whether its objects have namespaces."""

    kind: KindId
    head: str
    is_cluster: bool
    is_served: bool


class RuleReader(ABC):
    """A rule, compiled for the surface of a site, the objects of a kind, and one place in them.

    rule     as it is written
    where    the place, and its path as it is shown
    needs    a mapping without this field says nothing, and is not read at all; "": it always is
    lacks    one with any of these says nothing either
    """

    needs = ""
    lacks: tuple[str, ...] = ()

    def __init__(self, rule: Rule, where: Where, source: KindId, surface: Surface) -> None:
        to = rule.to
        self.where = where
        self.paths: dict[At, str] = {}
        self.rule, self._to, self._source, self._surface = rule, to, source, surface
        self._id, self._confidence = rule.rule, rule.confidence
        self._relation, self._phases, self._once = rule.kind_of_relation, rule.phase_letters, not rule.recurs
        self._kind = KindId(to.kind)
        self._goal = self._goal_of(self._kind)
        self._is_cluster = self._goal is not None and self._goal.is_cluster
        self._constant = to.namespace[1:] if to.namespace.startswith("=") else ""
        self.is_elsewhere = to.namespace == "self" or bool(self._constant)  # not in the source's own namespace
        self._kind_at, self._group_at = first_at(to.kind_from), first_at(to.group_from)
        self._goals: dict[tuple[str, str], Goal | None] = {}
        self._optional = compile_first(rule.optional) if isinstance(rule.optional, str) else None
        self._soft = compile_first(rule.soft) if isinstance(rule.soft, str) else None
        self._is_optional, self._is_soft = rule.optional is True, rule.soft is True
        self._skip = tuple(one[:-1] for one in rule.skip if len(one) > 1 and one.endswith("*"))
        self._skip_within = tuple(one[1:-1] for one in rule.skip if len(one) > 2 and one[0] == one[-1] == "*")
        self._skip_whole = frozenset(rule.skip)
        self._when = tuple((compile_first(path), frozenset(words)) for path, words in rule.when.items())
        self._unless = tuple((compile_first(path), frozenset(words)) for path, words in rule.unless.items())
        self._absent = tuple(map(compile_first, rule.absent))
        if all(map(only_field, rule.absent)):
            self.lacks = rule.absent
        self._conditional = bool(self._when or self._unless or self._absent)
        self._parts = tuple((part, compile_values(path)) for part, paths in rule.parts.items() for path in paths)
        self._part_fields = _first_fields(path for paths in rule.parts.values() for path in paths)
        self._only_part = _only_part(rule)
        self._always = rule.granules

    @abstractmethod
    def reading(self) -> Read:
        """What adds the references that stand in a value, to which these items lead, to the run."""

    def words(self) -> tuple[str, Relation, str, Confidence, bool]:
        """What each of its references says: rule, relation, phases, confidence, whether it is needed once."""
        return self._id, self._relation, self._phases, self._confidence, self._once

    def always(self) -> tuple[bool, bool]:
        """Whether its references are optional, and soft, where no field says so."""
        return self._is_optional, self._is_soft

    def path(self, at: At) -> str:
        """The path as it is shown, with these items in it."""
        found = self.paths.get(at)
        if found is None:
            if len(self.paths) >= PATHS_MAX:
                self.paths.clear()
            found = self.paths[at] = self.where.text(at)
        return found

    # ── conditions, words, granules ─────────────────────────────────────────────────────────────────────────────────

    def _applies(self, value: Any) -> bool:
        for at in self._absent:
            if at(value) is not None:
                return False
        for at, words in self._when:
            if _word(at(value)) not in words:
                return False
        return all(_word(at(value)) not in words for at, words in self._unless)

    def _optional_in(self, value: Any) -> bool:
        return self._is_optional if self._optional is None else self._optional(value) is True

    def _soft_in(self, value: Any) -> bool:
        return self._is_soft if self._soft is None else str(self._soft(value)) in self.rule.soft_when

    def _granules(self, value: Any) -> Sequence[str]:
        if self._always:
            return self._always
        if not self._parts or (self._part_fields and isinstance(value, dict) and self._part_fields.isdisjoint(value)):
            return WHOLE
        if self._only_part is not None:
            part, at = self._only_part
            one = at(value)
            return WHOLE if one is None else (f"{part}:{one}",)
        texts_only = self.rule.named_parts
        rows = [
            f"{part}:{one}"
            for part, every in self._parts
            for one in every(value)
            if not texts_only or isinstance(one, str)
        ]
        return tuple(dict.fromkeys(rows)) or WHOLE

    # ── what it points at ───────────────────────────────────────────────────────────────────────────────────────────

    def _read_goal(self, value: Any) -> Goal | None:
        kind = None if self._kind_at is None else self._kind_at(value)
        if not isinstance(kind, str) or not kind:
            return self._goal
        group = None if self._group_at is None else self._group_at(value)
        return self._goal_read(kind, group if isinstance(group, str) else "")

    def _goal_read(self, kind: str, group: str) -> Goal | None:
        key = (kind, group)
        if key not in self._goals:  # the same few kinds own and are referred to again and again
            if len(self._goals) >= KINDS_MAX:
                self._goals.clear()
            self._goals[key] = self._goal_named(kind, group)
        return self._goals[key]

    def _goal_named(self, kind: str, group: str) -> Goal | None:
        to = self._to
        if not is_name(kind):
            return None
        kind = kind[0].upper() + kind[1:]
        if not group:
            group = split_kind(self._kind)[0]
        elif group == "core":  # as Linkerd spells the one without a name; any other has a dot in it
            group = ""
        elif "/" in group or to.group_from.endswith("apiVersion"):
            group = group.rpartition("/")[0]
        found = kind_id(one_group(group, kind), kind)
        return self._goal_of(found) if not to.kinds or found in to.kinds else None

    def _goal_of(self, kind: KindId) -> Goal | None:
        if not is_kind(kind):
            return None
        served = self._surface.find(kind)
        is_cluster = self._to.namespace in ("cluster", EVERY) or (served is not None and not served.namespaced)
        return Goal(kind, f"{kind}/", is_cluster, served is not None)

    def _near(self, run: Run) -> str:
        """The namespace when the reference names none."""
        return self._constant or (run.name if self._to.namespace == "self" else run.namespace)

    def _placed(self, goal: Goal, name: str, namespace: str) -> ResourceId | None:
        """What is called so, there; None when nothing can be."""
        if (name not in NAMES and not is_name(name)) or (self._skip_whole and self._skips(name)):
            return None
        _, head, is_cluster, is_served = goal
        made: Any = None  # ResourceId(…) would be a call for each reference
        if is_cluster:
            made = head + name
        elif not namespace:
            made = None if is_served else head + name  # a namespaced thing has a namespace
        elif namespace in NAMES or is_name(namespace):
            made = f"{head}{namespace}/{name}"
        return made  # type: ignore[no-any-return]  # as said above

    def _skips(self, name: str) -> bool:
        if name in self._skip_whole or (self._skip and name.startswith(self._skip)):
            return True
        return any(one in name for one in self._skip_within)

    def _permitted(self, namespace: str, run: Run) -> bool:
        """Whether it needs a permission."""
        how = self.rule.permission
        return how == "target" or (how == "grant" and namespace != run.namespace)

    # ── the reference ───────────────────────────────────────────────────────────────────────────────────────────────

    def _made(
        self,
        where: str,
        target: ResourceId,
        selector: Selector | None = None,
        uid: str = "",
        granule: str = "",
        optional: bool | None = None,
        soft: bool | None = None,
        permission: bool = False,
        inferred: bool = False,
    ) -> Reference:
        return Reference(
            self._id,
            where,
            self._relation,
            self._phases,
            target,
            selector,
            uid,
            granule,
            self._is_optional if optional is None else optional,
            self._is_soft if soft is None else soft,
            "inferred" if inferred else self._confidence,
            permission,
            self._once,
        )


def is_told_where(to: Target) -> bool:
    """Whether the namespace stands in a field."""
    return to.namespace not in ("same", "cluster", "self", EVERY) and not to.namespace.startswith("=")


def first_at(path: str) -> First | None:
    """The reader of a path; None for no path."""
    return compile_first(path) if path else None


def shown(path: str) -> str:
    """A relative path as it is added to a concrete one."""
    return "".join("[0]" if step is None else suffix_of(step) for step in steps_of(path))


def _first_fields(paths: Iterable[str]) -> frozenset[str]:
    """The fields of which a value must have one, for anything to stand at these paths; none when that is not said."""
    fields = [steps[0] if steps else None for steps in map(steps_of, paths)]
    return frozenset() if None in fields else frozenset(one for one in fields if one is not None)


def _only_part(rule: Rule) -> tuple[str, First] | None:
    """The common case: one granule, from one field."""
    rows = [(part, path) for part, paths in rule.parts.items() for path in paths]
    if len(rows) != 1 or "[*]" in rows[0][1] or rule.named_parts:
        return None
    return rows[0][0], compile_first(rows[0][1])


def _word(value: Any) -> str:
    """As conditions list it; nothing is no word, not even `None`."""
    return "" if value is None else str(value)
