"""References in texts with a grammar of their own: hosts in env values, annotations, users (readers.py). Pure.

What a text says depends on nothing but the text and on whose it is, so it is read once for all pods of a workload.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.events import Selector
from schemas.identity import kind_id, split_kind
from schemas.kinds import Surface, one_group
from schemas.relations.readers import READERS, Pointer, Source
from schemas.relations.reading import NOBODY, SHARED_MAX, Key, RuleReader, Run
from schemas.relations.rule import Rule

OWN_NAMESPACE: Final = "own-namespace"  # says the same for every object of a namespace


class TextReader(RuleReader):
    """Reads with `to.reads`."""

    def __init__(self, rule: Rule, surface: Surface) -> None:
        super().__init__(rule, surface)
        self._grammar = READERS[rule.to.reads]

    def read(self, value: Any, path: str, run: Run) -> None:
        """A reference per thing that the text names."""
        source = run.source
        if self._to.reads == OWN_NAMESPACE:
            key: Key = (self, path, source.namespace)
        elif isinstance(value, str):
            key = (self, path, value, source.namespace, source.kind, source.group)
        else:
            self._understand(value, path, run)
            return
        found = run.texts.get(key)
        if found is not None:
            run.found.extend(found)
            return
        before = len(run.found)
        self._understand(value, path, run)
        if len(run.texts) >= SHARED_MAX:
            run.texts.clear()
        run.texts[key] = tuple(run.found[before:])

    def _understand(self, value: Any, path: str, run: Run) -> None:
        if self._conditional and not self._applies(value):
            return
        for pointer in self._grammar(value, self._kind, Source(run.source, run.body, self._surface)):
            where = path + pointer.suffix if path else pointer.suffix.removeprefix(".")
            if pointer.name:
                self._name(pointer, where, run)
            elif pointer.namespace is not None:
                chosen = Selector(pointer.kind, (pointer.namespace,) if pointer.namespace else ())
                run.found.append(self._made(where, NOBODY, chosen, "", pointer.granule))

    def _name(self, pointer: Pointer, where: str, run: Run) -> None:
        namespace = self._near(run) if pointer.namespace is None else pointer.namespace
        key = (self, where, pointer.kind, pointer.name, namespace, pointer.granule, pointer.inferred)
        found = run.shared.get(key)
        if found is None:
            group, bare = split_kind(pointer.kind)
            target = self._placed(kind_id(one_group(group, bare), bare), pointer.name, namespace)
            if target is None:
                return
            permission, inferred = self._permitted(namespace, run), pointer.inferred
            made = self._made(where, target, None, "", pointer.granule, permission=permission, inferred=inferred)
            found = self._keep(run, key, made)
        run.found.append(found)
