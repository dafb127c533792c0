"""References by labels, to all of a kind, and to the default of a kind. Pure.

What an empty and an absent selector select differs per kind of source, so each rule says it.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.events import LabelSelector, Requirement, Selector
from schemas.identity import KindId
from schemas.kinds import Surface
from schemas.relations.path import At, Where, compile_first
from schemas.relations.places import Read
from schemas.relations.reading import NOBODY, Goal, RuleReader, first_at, shown
from schemas.relations.rule import Rule
from schemas.relations.run import Run
from schemas.relations.selector import excludes_only, from_object, labels_of

EVERYTHING: Final = LabelSelector()


class LabelReader(RuleReader):
    """Reads `to.selector` (or nothing: `every`, `marked_default`) and where it looks."""

    def __init__(self, rule: Rule, where: Where, source: KindId, surface: Surface) -> None:
        super().__init__(rule, where, source, surface)
        to = rule.to
        self._unsaid = first_at(to.marked_default)
        self._namespaces, self._namespace_labels = first_at(to.namespaces), first_at(to.namespace_selector)
        # Read at the field itself when nothing beside it matters.
        words = self._optional or self._soft or self._kind_at or self._conditional or self._parts
        beside = self._namespaces or self._namespace_labels or to.absent != "nothing" or words
        is_at_field = to.selector is not None and not beside
        if is_at_field:
            self.where = where.deeper(to.selector or "")
        else:
            self.where = where.showing(shown(to.selector or to.marked_default))
        self._selector = None if to.selector is None else compile_first("" if is_at_field else to.selector)

    def reading(self) -> Read:
        """One reference per granule."""
        return self._read

    def _read(self, value: Any, at: At, run: Run) -> None:
        if self._unsaid is not None and self._unsaid(value) is not None:
            return
        if self._conditional and not self._applies(value):
            return
        labels = EVERYTHING if self._selector is None else self._labels(self._selector(value))
        goal = self._read_goal(value)
        if labels is None or goal is None:
            return
        namespaces, of_labels = self._where(goal, value, run)
        chosen = Selector(goal.kind, namespaces, labels, of_labels, self._unsaid is not None)
        where = self.path(at)
        optional, soft = self._optional_in(value), self._soft_in(value)
        for granule in self._granules(value):
            run.found.append(self._made(where, NOBODY, chosen, "", granule, optional, soft))

    def _labels(self, raw: Any) -> LabelSelector | None:
        """What is selected; None: nothing, so there is no reference."""
        to = self._to
        if raw is None:
            return None if to.absent == "nothing" else EVERYTHING
        if to.form == "LabelSelector":
            read = from_object(raw) if raw else EVERYTHING
        elif to.form == "labels":
            read = LabelSelector(labels_of(raw)) if isinstance(raw, dict) else None
        else:
            read = LabelSelector({}, (Requirement(raw, "Exists"),)) if raw and isinstance(raw, str) else None
        if read is None or (to.empty == "nothing" and read == EVERYTHING):
            return None
        return None if to.excluding == "nothing" and excludes_only(read) else read

    def _where(self, goal: Goal, value: Any, run: Run) -> tuple[tuple[str, ...], LabelSelector | None]:
        """Namespaces by name and by labels; ((), None): everywhere."""
        if goal.is_cluster:
            return (), None
        rows = self._namespaces(value) if self._namespaces is not None else None
        named = tuple(map(str, rows)) if isinstance(rows, list) else (rows,) if rows and isinstance(rows, str) else ()
        chosen = self._namespace_labels(value) if self._namespace_labels is not None else None
        if chosen is not None:
            of_labels = from_object(chosen)
            return ((), None) if of_labels == EVERYTHING else (named, of_labels)
        own = self._near(run)
        return named or ((own,) if own else ()), None
