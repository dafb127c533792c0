"""One rule → a function that reads its references at one place of an object. Compiled once; the hot path. Pure.

A reader gets the value at the rule's place and the path to it, and adds what it finds to the run. Whatever is malformed
is read as absent. Equal references are made once and shared: the pods of one workload refer to the same things in the
same way, so most of the work is one look into `Run.shared`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from schemas.events import LabelSelector, Reference, Selector
from schemas.identity import NAME_LEN_MAX, KindId, ResourceId, ResourceKey, kind_id, resource_id, split_kind
from schemas.kinds import Surface, one_group
from schemas.relations.path import First, Step, compile_first, compile_values, steps_of, suffix_of
from schemas.relations.readers import READERS, Pointer, Source
from schemas.relations.rule import Rule
from schemas.relations.selector import from_object, labels_of

SHARED_MAX: Final = 65_536
EVERYTHING: Final = LabelSelector()
NOBODY: Final = ResourceId("")
WHOLE: Final = ("",)
OWN_NAMESPACE: Final = "own-namespace"
Shared = dict[tuple[Any, ...], Reference]
Texts = dict[tuple[Any, ...], tuple[Reference, ...]]


@dataclass(slots=True)
class Run:
    """One object on its way through the rules of its kind. `shared`, `texts`: the references that were made before."""

    source: ResourceKey
    body: Mapping[str, Any]
    shared: Shared
    texts: Texts
    found: list[Reference] = field(default_factory=list)


Read = Callable[[Any, str, Run], None]


class RuleReader:
    """A rule, compiled for the surface of a site. `steps`: what its place still needs below the rule's `at`."""

    def __init__(self, rule: Rule, surface: Surface) -> None:
        to = rule.to
        self._rule, self._to, self._surface = rule, to, surface
        self._kind = KindId(to.kind)
        self._head = f"{to.kind}/"
        served = surface.find(self._kind)
        self._must_be_placed = served is not None and served.namespaced  # a namespaced thing has a namespace
        self._is_cluster = to.namespace == "cluster" or (served is not None and not served.namespaced)
        self._constant = to.namespace[1:] if to.namespace.startswith("=") else ""
        is_path = to.namespace not in ("same", "cluster", "self") and not self._constant
        self._namespace_at = compile_first(to.namespace) if is_path else None
        self._name, self._kind_at = _first(to.name), _first(to.kind_from)
        self._group_at, self._uid = _first(to.group_from), _first(to.uid)
        self._optional = compile_first(rule.optional) if isinstance(rule.optional, str) else None
        self._soft = compile_first(rule.soft) if isinstance(rule.soft, str) else None
        self._is_optional, self._is_soft = rule.optional is True, rule.soft is True
        self._parts = tuple((part, compile_values(path)) for part, paths in rule.parts.items() for path in paths)
        alone = [(part, paths[0]) for part, paths in rule.parts.items() if "[*]" not in paths[0] and len(paths) == 1]
        is_alone = len(alone) == len(rule.parts) == 1 and not rule.named_parts
        self._only_part = (alone[0][0], compile_first(alone[0][1])) if is_alone else None
        self._skip = tuple(one[:-1] for one in rule.skip if len(one) > 1 and one.endswith("*"))
        self._skip_whole = frozenset(rule.skip)
        self._repeats = _first(rule.repeats)
        self._when = tuple((compile_first(path), frozenset(words)) for path, words in rule.when.items())
        self._unless = tuple((compile_first(path), frozenset(words)) for path, words in rule.unless.items())
        self._absent = tuple(map(compile_first, rule.absent))
        self._conditional = bool(self._when or self._unless or self._absent)
        self._selector = None if to.selector is None else compile_first(to.selector)
        self._unsaid = _first(to.marked_default)
        self._namespaces, self._namespace_labels = _first(to.namespaces), _first(to.namespace_selector)
        self._text = READERS.get(to.reads)
        plain = to.name and not (
            self._conditional or self._parts or self._optional or self._soft or self._repeats or self._namespace_at
            or self._kind_at or self._uid or to.default or rule.permission
        )  # fmt: skip
        chooses = to.selector and to.absent == "nothing" and not (
            self._conditional or self._parts or self._optional or self._soft or self._kind_at or to.namespaces
            or to.namespace_selector
        )  # fmt: skip
        self.steps: tuple[Step, ...] = steps_of(to.name if plain else to.selector or "") if plain or chooses else ()
        if chooses:
            self._selector = compile_first("")
        shown = "" if plain or chooses else to.name or to.selector or to.marked_default
        self._suffix = "".join("[0]" if step is None else suffix_of(step) for step in steps_of(shown))
        self.read: Read = self._read_here if plain else self._read_name
        if self._text is not None:
            self.read = self._read_text
        elif self._selector is not None or to.every or self._unsaid is not None:
            self.read = self._read_selector

    # ── by name ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read_here(self, value: Any, path: str, run: Run) -> None:
        """The value is the name, and nothing else has to be looked at."""
        namespace = "" if self._is_cluster else self._near(run)
        if not isinstance(value, str):
            return
        found = run.shared.get((self, path, value, namespace))
        if found is None:
            target = self._fixed(value, namespace)
            if target is None:
                return
            found = self._keep(run, (self, path, value, namespace), self._made(path, target))
        run.found.append(found)

    def _read_name(self, value: Any, path: str, run: Run) -> None:
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
        optional = self._is_optional if self._optional is None else self._optional(value) is True
        soft = self._is_soft if self._soft is None else str(self._soft(value)) in self._rule.soft_when
        uid = "" if self._uid is None else self._uid(value)
        for granule in self._granules(value) if self._parts else WHOLE:
            key = (self, path, kind, name, namespace, granule, optional, soft, uid)
            found = run.shared.get(key)
            if found is None:
                target = self._fixed(name, namespace) if kind is self._kind else self._placed(kind, name, namespace)
                if target is None:
                    return
                where = path + self._suffix if path else self._suffix[1:]
                permission = self._permitted(namespace, run)
                uid = uid if isinstance(uid, str) else ""
                made = self._made(where, target, None, uid, granule, optional, soft, permission)
                found = self._keep(run, key, made)
            run.found.append(found)

    def _fixed(self, name: str, namespace: str) -> ResourceId | None:
        if not is_name(name) or name in self._skip_whole or (self._skip and name.startswith(self._skip)):
            return None
        if self._is_cluster or not namespace:
            return None if self._must_be_placed else ResourceId(f"{self._head}{name}")
        return ResourceId(f"{self._head}{namespace}/{name}") if is_name(namespace) else None

    def _placed(self, kind: KindId, name: str, namespace: str) -> ResourceId | None:
        served = self._surface.find(kind)
        if self._to.namespace == "cluster" or (served is not None and not served.namespaced):
            namespace = ""
        elif served is not None and not namespace:
            return None
        if not is_name(name) or (namespace and not is_name(namespace)) or name in self._skip_whole:
            return None
        return resource_id(*split_kind(kind), namespace, name)

    def _near(self, run: Run) -> str:
        return self._constant or (run.source.name if self._to.namespace == "self" else run.source.namespace)

    def _read_kind(self, value: Any) -> KindId | None:
        kind = None if self._kind_at is None else self._kind_at(value)
        to = self._to
        if not isinstance(kind, str) or not kind:
            return self._kind or None
        if not is_name(kind):
            return None
        kind = kind[0].upper() + kind[1:]
        group = None if self._group_at is None else self._group_at(value)
        if not isinstance(group, str) or not group:
            group = "" if to.group_from.endswith("apiVersion") else split_kind(self._kind)[0]
        elif "/" in group or to.group_from.endswith("apiVersion"):
            group = group.rpartition("/")[0]
        found = kind_id(one_group(group, kind), kind)
        return found if not to.kinds or found in to.kinds else None

    # ── by labels, by kind ──────────────────────────────────────────────────────────────────────────────────────────

    def _read_selector(self, value: Any, path: str, run: Run) -> None:
        if self._unsaid is not None and self._unsaid(value) is not None:
            return
        granules = self._granules(value) if self._parts else WHOLE
        labels = None if not granules else EVERYTHING if self._selector is None else self._labels(self._selector(value))
        if labels is None or (self._conditional and not self._applies(value)):
            return
        kind = self._read_kind(value)
        if kind is None:
            return
        namespaces, of_labels = self._where(kind, value, run)
        chosen = Selector(kind, namespaces, labels, of_labels, self._unsaid is not None)
        where = path + self._suffix if path else self._suffix[1:]
        optional = self._is_optional if self._optional is None else self._optional(value) is True
        soft = self._is_soft if self._soft is None else str(self._soft(value)) in self._rule.soft_when
        for granule in granules:
            run.found.append(self._made(where, NOBODY, chosen, "", granule, optional, soft))

    def _labels(self, raw: Any) -> LabelSelector | None:
        to = self._to
        if raw is None:
            return None if to.absent == "nothing" else EVERYTHING
        if not raw:
            return None if to.empty == "nothing" else EVERYTHING
        if to.form == "labels":
            return LabelSelector(labels_of(raw)) if isinstance(raw, dict) else None
        read = from_object(raw)
        return None if read == EVERYTHING and to.empty == "nothing" else read

    def _where(self, kind: KindId, value: Any, run: Run) -> tuple[tuple[str, ...], LabelSelector | None]:
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

    # ── by a text of its own grammar ────────────────────────────────────────────────────────────────────────────────

    def _read_text(self, value: Any, path: str, run: Run) -> None:
        """What a text says depends on nothing but the text and whose it is; so pods of a workload are read once."""
        source = run.source
        if self._to.reads == OWN_NAMESPACE:
            key: tuple[Any, ...] = (self, path, source.namespace)
        elif isinstance(value, str):
            key = (self, path, value, source.namespace, source.kind, source.group)
        else:
            self._read_grammar(value, path, run)
            return
        found = run.texts.get(key)
        if found is None:
            before = len(run.found)
            self._read_grammar(value, path, run)
            if len(run.texts) >= SHARED_MAX:
                run.texts.clear()
            run.texts[key] = tuple(run.found[before:])
        elif found:
            run.found.extend(found)

    def _read_grammar(self, value: Any, path: str, run: Run) -> None:
        if self._text is None or (self._conditional and not self._applies(value)):
            return
        for pointer in self._text(value, self._kind, Source(run.source, run.body, self._surface)):
            where = path + pointer.suffix if path else pointer.suffix.removeprefix(".")
            if pointer.name:
                self._spoken(pointer, where, run)
            elif pointer.namespace is not None:
                chosen = Selector(pointer.kind, (pointer.namespace,) if pointer.namespace else ())
                run.found.append(self._made(where, NOBODY, chosen, "", pointer.granule))

    def _spoken(self, pointer: Pointer, where: str, run: Run) -> None:
        kind = pointer.kind
        namespace = self._near(run) if pointer.namespace is None else pointer.namespace
        key = (self, where, kind, pointer.name, namespace, pointer.granule, pointer.inferred)
        found = run.shared.get(key)
        if found is None:
            group, bare = split_kind(kind)
            target = self._placed(kind_id(one_group(group, bare), bare), pointer.name, namespace)
            if target is None or (self._skip and pointer.name.startswith(self._skip)):
                return
            permission = self._permitted(namespace, run)
            made = self._made(where, target, None, "", pointer.granule, permission=permission)
            found = self._keep(run, key, _inferred(made) if pointer.inferred else made)
        run.found.append(found)

    # ── what every way has in common ────────────────────────────────────────────────────────────────────────────────

    def _applies(self, value: Any) -> bool:
        for at in self._absent:
            if at(value) is not None:
                return False
        for at, words in self._when:
            if str(at(value)) not in words:
                return False
        return all(str(at(value)) not in words for at, words in self._unless)

    def _granules(self, value: Any) -> Sequence[str]:
        if self._only_part is not None:
            one = self._only_part[1](value)
            return (f"{self._only_part[0]}:{one}",) if one is not None else WHOLE
        found = dict.fromkeys(self._found_parts(value))
        return tuple(found) or (() if self._rule.named_parts else WHOLE)

    def _found_parts(self, value: Any) -> Iterator[str]:
        for part, every in self._parts:
            for one in every(value):
                if isinstance(one, str) or not self._rule.named_parts:
                    yield f"{part}:{one}"

    def _permitted(self, namespace: str, run: Run) -> bool:
        how = self._rule.permission
        return how == "target" or (how == "grant" and namespace != run.source.namespace)

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
    ) -> Reference:
        rule = self._rule
        return Reference(
            rule.rule,
            where,
            rule.kind_of_relation,
            rule.phase_letters,
            target,
            selector,
            uid,
            granule,
            self._is_optional if optional is None else optional,
            self._is_soft if soft is None else soft,
            rule.confidence,
            permission,
            not rule.recurs,
        )

    def _keep(self, run: Run, key: tuple[Any, ...], made: Reference) -> Reference:
        if len(run.shared) >= SHARED_MAX:
            run.shared.clear()
        run.shared[key] = made
        return made


def is_name(text: str) -> bool:
    """Whether it can be a name in an identity; a template (`${…}`, `{{…}}`) is none."""
    strange = "/" in text or "$" in text or "{{" in text or not text.isprintable()
    return bool(text) and not strange and len(text) <= NAME_LEN_MAX


def _first(path: str) -> First | None:
    return compile_first(path) if path else None


def _inferred(made: Reference) -> Reference:
    return msgspec.structs.replace(made, confidence="inferred")
