"""References by labels, to all of a kind, and to the default of a kind. Pure.

What an empty and an absent selector select differs per kind of source, so each rule says it.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.events import LabelSelector, Requirement, Selector
from schemas.identity import KindId
from schemas.kinds import Surface
from schemas.relations.path import Step, compile_first, steps_of
from schemas.relations.reading import NOBODY, RuleReader, Run, first_at, shown
from schemas.relations.rule import Rule
from schemas.relations.selector import from_object, labels_of

EVERYTHING: Final = LabelSelector()


class LabelReader(RuleReader):
    """Reads `to.selector` (or nothing: `every`, `marked_default`) and where it looks."""

    def __init__(self, rule: Rule, surface: Surface) -> None:
        super().__init__(rule, surface)
        to = rule.to
        self._unsaid = first_at(to.marked_default)
        self._namespaces, self._namespace_labels = first_at(to.namespaces), first_at(to.namespace_selector)
        # Read at the field itself when nothing beside it matters.
        beside = self._namespaces or self._namespace_labels or to.absent != "nothing" or not self._is_simple
        self._is_at_field = to.selector is not None and not beside
        self._selector = None if to.selector is None else compile_first("" if self._is_at_field else to.selector)
        self._suffix = "" if self._is_at_field else shown(to.selector or to.marked_default)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The field, when nothing beside it matters."""
        return steps_of(self._to.selector or "") if self._is_at_field else ()

    def read(self, value: Any, path: str, run: Run) -> None:
        """One reference per granule."""
        if self._unsaid is not None and self._unsaid(value) is not None:
            return
        if self._conditional and not self._applies(value):
            return
        labels = EVERYTHING if self._selector is None else self._labels(self._selector(value))
        kind = self._read_kind(value)
        if labels is None or kind is None:
            return
        namespaces, of_labels = self._where(kind, value, run)
        chosen = Selector(kind, namespaces, labels, of_labels, self._unsaid is not None)
        where = path + self._suffix if path else self._suffix[1:]
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
        return None if read == EVERYTHING and to.empty == "nothing" else read

    def _where(self, kind: KindId, value: Any, run: Run) -> tuple[tuple[str, ...], LabelSelector | None]:
        """Namespaces by name and by labels; ((), None): everywhere."""
        served = self._surface.find(kind)
        if self._to.namespace == "cluster" or (served is not None and not served.namespaced):
            return (), None
        rows = self._namespaces(value) if self._namespaces is not None else None
        named = tuple(map(str, rows)) if isinstance(rows, list) else (rows,) if rows and isinstance(rows, str) else ()
        chosen = self._namespace_labels(value) if self._namespace_labels is not None else None
        if chosen is not None:
            of_labels = from_object(chosen)
            return ((), None) if of_labels == EVERYTHING else (named, of_labels)
        own = self._near(run)
        return named or ((own,) if own else ()), None
