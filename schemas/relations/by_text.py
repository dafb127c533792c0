"""References in texts with a grammar of their own: hosts in env values, annotations, users (readers.py). Pure.

What a text says depends on nothing but the text and on whose it is, so it is read once for all pods of a workload.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.events import Reference, Selector
from schemas.identity import KindId, kind_id, split_kind
from schemas.kinds import Surface, one_group
from schemas.relations.path import At, Where
from schemas.relations.places import Read
from schemas.relations.pointers import Pointer, Source
from schemas.relations.readers import READERS
from schemas.relations.reading import NOBODY, RuleReader
from schemas.relations.rule import Rule
from schemas.relations.run import Run
from schemas.relations.silence import LOOKS_AROUND, MUTE, NEEDS

Key = tuple[Any, ...]
TEXTS_MAX: Final = 8_192  # texts at one place that are remembered
OWN_NAMESPACE: Final = "own-namespace"
NAMESPACES_MAX: Final = 8_192  # that are remembered


class TextReader(RuleReader):
    """Reads with `to.reads`."""

    def __init__(self, rule: Rule, where: Where, source: KindId, surface: Surface) -> None:
        super().__init__(rule, where, source, surface)
        self.reads = rule.to.reads
        self._grammar = READERS[rule.to.reads]
        self.looks_around = rule.to.reads in LOOKS_AROUND
        self.needs = NEEDS.get(rule.to.reads, "")
        self._is_mute = MUTE.get(rule.to.reads)
        self._group, self._bare = split_kind(source)
        self._texts: dict[Key, tuple[Reference, ...]] = {}

    def reading(self) -> Read:
        """A reference per thing that the text names."""
        return self._read

    def _read(self, value: Any, at: At, run: Run) -> None:
        is_mute = self._is_mute
        if is_mute is not None and is_mute(value):
            return
        if isinstance(value, str) and not self.looks_around:
            key = (at, value, run.namespace, run.name if self.is_elsewhere else "")
        else:
            self._understand(value, at, run)
            return
        found = self._texts.get(key)
        if found is None:
            before = len(run.found)
            self._understand(value, at, run)
            if len(self._texts) >= TEXTS_MAX:
                self._texts.clear()
            self._texts[key] = tuple(run.found[before:])
        elif found:
            run.found.extend(found)

    def _understand(self, value: Any, at: At, run: Run) -> None:
        if self._conditional and not self._applies(value):
            return
        source = Source(self._group, self._bare, run.namespace, run.name, run.body, self._surface)
        for pointer in self._grammar(value, self._kind, source):
            where = self.where.showing(pointer.suffix).text(at)
            if pointer.name:
                self._name(pointer, where, run)
            elif pointer.namespace is not None:
                chosen = Selector(pointer.kind, (pointer.namespace,) if pointer.namespace else ())
                run.found.append(self._made(where, NOBODY, chosen, "", pointer.granule))

    def _name(self, pointer: Pointer, where: str, run: Run) -> None:
        namespace = self._near(run) if pointer.namespace is None else pointer.namespace
        group, bare = split_kind(pointer.kind)
        goal = self._goal_of(kind_id(one_group(group, bare), bare))
        target = None if goal is None else self._placed(goal, pointer.name, namespace)
        if target is not None:
            permission, inferred = self._permitted(namespace, run), pointer.inferred
            optional = True if pointer.doubtful else None
            made = self._made(where, target, None, "", pointer.granule, optional, None, permission, inferred)
            run.found.append(made)


class OwnNamespaceReader(TextReader):
    """Says the same for every object of a namespace."""

    def __init__(self, rule: Rule, where: Where, source: KindId, surface: Surface) -> None:
        super().__init__(rule, where, source, surface)
        self._said: dict[str, list[Reference]] = {}

    def _read(self, value: Any, at: At, run: Run) -> None:
        said = self._said.get(run.namespace)
        if said is None:
            before = len(run.found)
            self._understand(value, at, run)
            if len(self._said) >= NAMESPACES_MAX:
                self._said.clear()
            self._said[run.namespace] = run.found[before:]
        else:
            run.found += said
