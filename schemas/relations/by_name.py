"""References by name: the name is a field, the kind and the namespace are fixed or fields beside it. Pure.

One rule, three readers: whatever a rule may say; what says its kind in a field beside the name (owners, targets); what
is of a fixed kind, near by (all that pods mount and use). The last two are the first with less to look at, and nearly
all references are theirs (tests/unit/relations/test_readers.py holds them to it).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from schemas.events import Reference
from schemas.identity import KindId, ResourceId
from schemas.kinds import Surface
from schemas.relations.naming import NAMES, is_name
from schemas.relations.path import At, Step, Where, compile_first, only_field, steps_of
from schemas.relations.places import Read
from schemas.relations.reading import Goal, RuleReader, first_at, is_told_where, shown
from schemas.relations.rule import Rule, pieces
from schemas.relations.run import Run

Add = Callable[[str, At, Run, bool, str], None]  # name, items, object, optional, granule


class Nearly(NamedTuple):
    """A NearNameReader in words, for its closures and for who reads bytes (quick.pyx).

    alone          the name stands at its place; else under `field`, and `word` beside it says that it is optional
    whole, fields  without granules; else there are none where none of these fields is
    head, fixed    how identities begin; the path as it is shown, where there are no items in it
    near, cluster  in the object's own namespace; in none. Neither: it must be asked (`unusual`)
    """

    alone: bool
    field: str
    word: str
    whole: bool
    fields: frozenset[str]
    parts: tuple[tuple[str, tuple[Step, ...]], ...]
    head: str
    fixed: str
    near: bool
    cluster: bool


class Typed(NamedTuple):
    """A TypedNameReader in words. `fields`: name, kind, group, namespace, uid, as they are called."""

    fields: tuple[str, ...]
    goal: Goal | None
    goal_read: Callable[[str, str], Goal | None]
    placed: Callable[[Goal, str, str], ResourceId | None]
    unsaid: Callable[[Run], str]
    skips: bool
    near: bool


class NameReader(RuleReader):
    """Reads `to.name`, and whatever stands beside it."""

    def __init__(self, rule: Rule, where: Where, source: KindId, surface: Surface) -> None:
        super().__init__(rule, where.showing(shown(rule.to.name)), source, surface)
        to = rule.to
        self._namespace_at = compile_first(to.namespace) if is_told_where(to) else None
        self._name, self._uid, self._repeats = first_at(to.name), first_at(to.uid), first_at(rule.repeats)
        steps = steps_of(to.name)
        self._before, _, self._after = (to.called or "*").partition("*")
        self.looks_around = "{" in to.called
        self._composes = None if "{" not in to.called else (composing(self._before), composing(self._after))
        if steps and steps[0] is not None and not to.default:
            self.needs = steps[0]

    def reading(self) -> Read:
        """One reference per granule."""
        return self._read

    def _read(self, value: Any, at: At, run: Run) -> None:
        name = (self._name(value) if self._name is not None else None) or self._to.default
        if not name or not isinstance(name, str) or (self._conditional and not self._applies(value)):
            return
        if self._repeats is not None and self._repeats(value) == name:
            return
        goal = self._goal if self._kind_at is None else self._read_goal(value)
        if goal is None:
            return
        if self._composes is None:
            name = f"{self._before}{name}{self._after}"
        else:
            before, after = (one(run.body, value) for one in self._composes)
            if before is None or after is None:
                return
            name = f"{before}{name}{after}"
        named = None if self._namespace_at is None else self._namespace_at(value)
        namespace = named if named and isinstance(named, str) else "" if self._is_cluster else self._near(run)
        target = self._placed(goal, name, namespace)
        if target is None:
            return
        uid = "" if self._uid is None else self._uid(value)
        uid = uid if isinstance(uid, str) else ""
        optional, soft, permission = self._optional_in(value), self._soft_in(value), self._permitted(namespace, run)
        for granule in self._granules(value):
            run.found.append(self._made(self.path(at), target, None, uid, granule, optional, soft, permission))


def composing(text: str) -> Callable[[Any, Any], str | None]:
    """`{metadata.name}-{.db}-` → a function of an object and of what the rule stands at; None without one of them."""
    rows = [(before, path.startswith("."), first_at(path)) for before, path in pieces(text)]

    def compose(body: Any, value: Any) -> str | None:
        made = ""
        for before, is_beside, first in rows:
            made += before
            if first is not None:
                found = first(value if is_beside else body)
                if not found or not isinstance(found, str):
                    return None
                made += found
        return made

    return compose


class TypedNameReader(RuleReader):
    """`{kind, name}` and more that stands side by side; the whole of the target is meant."""

    def __init__(self, rule: Rule, where: Where, source: KindId, surface: Surface) -> None:
        super().__init__(rule, where.showing(shown(rule.to.name)), source, surface)

    def reading(self) -> Read:
        """A closure: one reference."""
        fields, own_goal, goal_read, placed, unsaid, skips, is_near = self.typed()
        name_at, kind_at, group_at, namespace_at, uid_at = fields
        names, goals, paths, path = NAMES, self._goals, self.paths, self.path
        (rule, relation, phases, confidence, once), (is_optional, is_soft) = self.words(), self.always()

        def read(value: Any, at: At, run: Run) -> None:
            if not isinstance(value, dict):
                return
            name, goal = value.get(name_at), own_goal
            if not name or not isinstance(name, str):
                return
            kind = value.get(kind_at) if kind_at else ""
            if kind and isinstance(kind, str):
                group = value.get(group_at) if group_at else ""
                group = group if isinstance(group, str) else ""
                goal = goals.get((kind, group)) or goal_read(kind, group)
            namespace = value.get(namespace_at) if namespace_at else ""
            if not namespace or not isinstance(namespace, str):
                namespace = run.namespace if is_near else unsaid(run)
            target: Any = None  # ResourceId(…) would be a call
            if goal is not None:
                if name in names and namespace in names and not (goal.is_cluster or skips):
                    target = f"{goal.head}{namespace}/{name}"
                else:
                    target = placed(goal, name, namespace)
            if target is not None:
                uid = value.get(uid_at) if uid_at else ""
                uid = uid if isinstance(uid, str) else ""
                where = paths.get(at) or path(at)
                made = Reference(
                    rule, where, relation, phases, target, None, uid, "", is_optional, is_soft, confidence, False, once
                )
                run.found.append(made)

        return read

    def typed(self) -> Typed:
        """What is known of it before an object comes."""
        to = self._to
        beside = to.name, to.kind_from, to.group_from, to.namespace if is_told_where(to) else "", to.uid
        is_near = not (self._is_cluster or self.is_elsewhere)
        fields = tuple(map(only_field, beside))
        return Typed(fields, self._goal, self._goal_read, self._placed, self._unsaid, bool(self._skip_whole), is_near)

    def _unsaid(self, run: Run) -> str:
        return "" if self._is_cluster else self._near(run)


class NearNameReader(RuleReader):
    """A name of a fixed kind, near by: alone, or with one word and granules beside it.

    Most references are these, so all that is fixed is bound in a closure: that takes half the time of a method.
    """

    def __init__(self, rule: Rule, where: Where, source: KindId, surface: Surface) -> None:
        name, is_alone = rule.to.name, not rule.parts and not isinstance(rule.optional, str)
        place = where.deeper(name) if is_alone else where.showing(shown(name))  # alone: at the field itself
        super().__init__(rule, place, source, surface)
        self.nearly = Nearly(
            is_alone,
            only_field(name),
            only_field(rule.optional) if isinstance(rule.optional, str) else "",
            not self._parts,
            self._part_fields,
            tuple((part, steps_of(path)) for part, paths in rule.parts.items() for path in paths),
            f"{self._kind}/",
            "" if self.where.has_items else self.where.text(()),
            not (self._is_cluster or self.is_elsewhere or self._skip_whole),
            self._is_cluster and not self._skip_whole,
        )
        self.add = self._adding()

    def reading(self) -> Read:
        """A closure: one reference per granule."""
        return self._reading_alone() if self.nearly.alone else self._reading_beside()

    def _reading_alone(self) -> Read:
        add, optional = self.add, self._is_optional

        def read(value: Any, at: At, run: Run) -> None:
            if isinstance(value, str):
                add(value, at, run, optional, "")

        return read

    def _reading_beside(self) -> Read:
        own, add, is_optional, granules_in = self.nearly, self.add, self._is_optional, self._granules
        field, word, is_whole, fields = own.field, own.word, own.whole, own.fields
        part, part_field = self._flat_part()

        def read(value: Any, at: At, run: Run) -> None:
            name = value.get(field) if isinstance(value, dict) else None
            if not isinstance(name, str):
                return
            optional = value.get(word) is True if word else is_optional
            if is_whole or (fields and fields.isdisjoint(value)):
                add(name, at, run, optional, "")
            elif part_field:
                one = value.get(part_field)
                add(name, at, run, optional, "" if one is None else f"{part}:{one}")
            else:
                for granule in granules_in(value):
                    add(name, at, run, optional, granule)

        return read

    def _flat_part(self) -> tuple[str, str]:
        """The only granule and the field that it is; "" when it is more or less than one."""
        rows = [(part, path) for part, paths in self.rule.parts.items() for path in paths]
        return (rows[0][0], only_field(rows[0][1])) if len(rows) == 1 else ("", "")

    def _adding(self) -> Add:
        """What makes the reference and adds it."""
        names, paths, path = NAMES, self.paths, self.path
        own, unusual = self.nearly, self._unusual
        head, fixed, is_near, is_cluster = own.head, own.fixed, own.near, own.cluster
        (rule, relation, phases, confidence, once), (_, is_soft) = self.words(), self.always()

        def add(name: str, at: At, run: Run, optional: bool, granule: str) -> None:
            target: Any = None  # ResourceId(…) would be a call
            if name in names or is_name(name):
                if is_near and run.namespace in names:
                    target = f"{head}{run.namespace}/{name}"
                else:
                    target = head + name if is_cluster else unusual(name, run)
            if target is not None:
                where = fixed or paths.get(at) or path(at)
                made = Reference(
                    rule, where, relation, phases, target, None, "", granule, optional, is_soft, confidence, False, once
                )
                run.found.append(made)

        return add

    def _unusual(self, name: str, run: Run) -> ResourceId | None:
        namespace = "" if self._is_cluster else self._near(run)
        return None if self._goal is None else self._placed(self._goal, name, namespace)


def name_reader(rule: Rule, where: Where, source: KindId, surface: Surface) -> RuleReader:
    """The reader that fits."""
    to = rule.to
    rare = (
        rule.granules
        or to.default
        or to.called
        or rule.repeats
        or rule.permission
        or not to.name
        or rule.when
        or rule.unless
        or rule.absent
        or rule.named_parts
    )
    words = isinstance(rule.soft, str), isinstance(rule.optional, str)
    beside = (to.name, to.kind_from, to.group_from, to.namespace if is_told_where(to) else "", to.uid)
    is_typed = bool(to.kind_from or to.uid or beside[3])
    if rare or words[0]:
        return NameReader(rule, where, source, surface)
    if is_typed:
        flat = all(only_field(path) for path in beside if path) and not words[1] and not rule.parts
        return (TypedNameReader if flat else NameReader)(rule, where, source, surface)
    alone = not words[1] and not rule.parts
    flat = bool(only_field(to.name)) and (not words[1] or bool(only_field(str(rule.optional))))
    return (NearNameReader if alone or flat else NameReader)(rule, where, source, surface)
