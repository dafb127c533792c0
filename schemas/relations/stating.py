"""What was found of an object on the way through it → its state, and what is kept of it while it rests. Pure.

stating.pyx stands in for this module where `make compiled` was called (docs/adr/0041).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from schemas.events import Grant, Reference, ResourceState, Scalar
from schemas.identity import KindId
from schemas.relations.facts import Facts
from schemas.relations.health import health, is_unwell
from schemas.relations.run import Rested, Run
from schemas.relations.selector import NAME_LABEL, labels_of

NAMESPACE: Final = KindId("Namespace")


class Stating:
    """How states of one kind are made, read at one version of it."""

    def __init__(self, head: KindId, version: str, facts: Facts) -> None:
        """`facts`: where what they say stands."""
        self._is_namespace = head == NAMESPACE
        self._version = version
        self._facts = facts

    def said(self, run: Run) -> tuple[Any, ...]:
        """The slots without those of parts, which lie among values that nobody is to keep."""
        values = run.values.copy()
        for slot in self._facts.offers:
            values[slot] = None
        return tuple(values)

    def rested(
        self,
        run: Run,
        digest: str,
        found: list[Reference],
        values: tuple[Any, ...],
        grants: tuple[Grant, ...],
        mark: int,
    ) -> Rested:
        """What does not change by itself."""
        finalizers = run.metadata.get("finalizers")
        labels = labels_of(run.metadata.get("labels")) if run.labels is None else run.labels
        if self._is_namespace:
            labels = {**labels, NAME_LABEL: run.name}  # the API server sets it on every one
        return Rested(
            digest,
            tuple(found),
            values,
            labels,
            self._template_labels(run),
            self._parts(run),
            tuple(map(str, finalizers)) if isinstance(finalizers, list) else (),
            grants,
            mark,
        )

    def told(self, run: Run, rested: Rested) -> ResourceState:
        """All of it."""
        metadata = run.metadata
        return ResourceState(
            run.resource,
            self._version,
            str(metadata.get("uid") or ""),
            str(metadata.get("resourceVersion") or ""),
            rested.digest,
            metadata.get("deletionTimestamp") is not None,
            rested.labels,
            rested.template_labels,
            (*rested.references, *run.found) if run.found else rested.references,
            rested.parts,
            self._told_facts(run),
            rested.finalizers,
            rested.grants,
        )

    def _template_labels(self, run: Run) -> dict[str, str] | None:
        """Labels of the pods that it makes; None when it makes none."""
        template = self._facts.template
        return None if template is None else labels_of(run.values[template])

    def _parts(self, run: Run) -> dict[str, tuple[str, ...]]:
        """What others can need of it; a map at a path offers its keys."""
        made: dict[str, tuple[str, ...]] = {}
        for part, slots in self._facts.parts:
            found: dict[str, None] = {}
            for slot in slots:
                for value in run.values[slot] or ():
                    if isinstance(value, (str, int)):
                        found[str(value)] = None
                    else:
                        rows = map(str, value) if isinstance(value, (dict, Mapping)) else (str(value),)
                        found.update(dict.fromkeys(rows))
            if found or part not in self._facts.open:
                made[part] = tuple(found)
        return made

    def _told_facts(self, run: Run) -> dict[str, Scalar]:
        """The facts; what is absent is left out."""
        made: dict[str, Scalar] = {}
        values = run.values
        for name, slot in self._facts.facts:
            value = values[slot]
            if value is None:
                continue
            if isinstance(value, (str, int, float, bool)):
                made[name] = value
            elif isinstance(value, dict):
                made.update((f"{name}.{key}", one) for key, one in value.items() if isinstance(one, (str, int)))
        if self._facts.never:
            made["recurs"] = False
        for name, conditions in self._facts.flags:
            flag = True
            for slot, holds, anyway, words in conditions:
                flag = flag and (holds(values[slot]) or (anyway is not None and values[anyway] in words))
            made[name] = flag
        if "status" in run.body:
            kind, status = self._facts.kind, run.body["status"]
            if self._facts.replicas is not None:
                made["health"] = health(kind, values[self._facts.replicas], run.metadata, status)
            if is_unwell(kind, status):
                made["unwell"] = True
        return made
