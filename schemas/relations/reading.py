"""One rule → a function that reads its references at one place of an object. Compiled once; the hot path. Pure.

A reader gets the value at the rule's place and the path to it, and adds what it finds to the run. Whatever is malformed
is read as absent. Equal references are shared: the pods of one workload refer to the same things in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.events import LabelSelector, Reference, Selector
from schemas.identity import NAME_LEN_MAX, KindId, ResourceId, ResourceKey, kind_id, resource_id, split_kind
from schemas.kinds import Surface, one_group
from schemas.relations.path import First, compile_first, compile_values, steps_of, suffix_of
from schemas.relations.readers import READERS, Pointer, Source
from schemas.relations.rule import Rule
from schemas.relations.selector import from_object, labels_of

SHARED_MAX: Final = 65_536
EVERYTHING: Final = LabelSelector()
NOBODY: Final = ResourceId("")
Shared = dict[tuple[Any, ...], Reference]


@dataclass(slots=True)
class Run:
    """One object on its way through the rules of its kind. `shared`: the references that were made before."""

    source: ResourceKey
    body: Mapping[str, Any]
    shared: Shared
    found: list[Reference] = field(default_factory=list)


Read = Callable[[Any, str, Run], None]


class RuleReader:
    """A rule, compiled for the surface of a site."""

    def __init__(self, rule: Rule, surface: Surface) -> None:
        to = rule.to
        self._rule, self._to, self._surface = rule, to, surface
        self._relation, self._phases, self._id = rule.kind_of_relation, rule.phase_letters, rule.rule
        self._name = _first(to.name)
        self._suffix = _suffix(to.name)
        self._kind_at, self._group_at, self._uid = _first(to.kind_from), _first(to.group_from), _first(to.uid)
        self._is_path = to.namespace not in ("same", "cluster", "self") and not to.namespace.startswith("=")
        self._namespace_at = compile_first(to.namespace) if self._is_path else None
        self._selector = None if to.selector is None else compile_first(to.selector)
        self._unsaid = _first(to.marked_default)
        self._selector_suffix = _suffix(to.selector or to.marked_default)
        self._namespaces, self._namespace_labels = _first(to.namespaces), _first(to.namespace_selector)
        self._optional = compile_first(rule.optional) if isinstance(rule.optional, str) else None
        self._soft = compile_first(rule.soft) if isinstance(rule.soft, str) else None
        self._is_optional, self._is_soft = rule.optional is True, rule.soft is True
        self._parts = tuple((part, compile_values(path)) for part, paths in rule.parts.items() for path in paths)
        self._skip = tuple(one[:-1] for one in rule.skip if len(one) > 1 and one.endswith("*"))
        self._skip_whole = frozenset(rule.skip)
        self._repeats = _first(rule.repeats)
        self._when = tuple((compile_first(path), frozenset(words)) for path, words in rule.when.items())
        self._unless = tuple((compile_first(path), frozenset(words)) for path, words in rule.unless.items())
        self._absent = tuple(map(compile_first, rule.absent))
        self._conditional = bool(self._when or self._unless or self._absent)
        self._text = READERS.get(to.reads)
        self._kind = KindId(to.kind)
        self._head = f"{to.kind}/"
        served = surface.find(self._kind)
        self._fixed_cluster = to.namespace == "cluster" or (served is not None and not served.namespaced)

    @property
    def read(self) -> Read:
        """The reader that fits the rule's way of pointing."""
        if self._text is not None:
            return self._read_text
        if self._selector is not None or self._to.every or self._to.marked_default:
            return self._read_selector
        return self._read_name

    # ── by name ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _read_name(self, value: Any, path: str, run: Run) -> None:
        name = self._name(value) if self._name is not None else None
        if name is None or name == "":
            name = self._to.default
            if not name:
                return
        if not isinstance(name, str) or (self._conditional and not self._applies(value)):
            return
        if name in self._skip_whole or (self._skip and name.startswith(self._skip)):
            return
        if self._repeats is not None and self._repeats(value) == name:
            return
        where = path + self._suffix if path else self._suffix[1:]
        if self._kind_at is None and not self._is_path:
            if not is_name(name):
                return
            namespace = "" if self._fixed_cluster else self._near(run)
            target = ResourceId(f"{self._head}{namespace}/{name}" if namespace else f"{self._head}{name}")
            if not namespace and not self._fixed_cluster and self._surface.find(self._kind) is not None:
                return  # a namespaced thing has a namespace: that of a cluster-scoped source says nothing
            self._add(value, where, run, target, namespace)
            return
        kind = self._read_kind(value)
        if kind is not None:
            named = self._namespace_at(value) if self._namespace_at is not None else None
            self._point(value, where, run, kind, name, named if isinstance(named, str) and named else None)

    def _point(self, value: Any, where: str, run: Run, kind: KindId, name: str, namespace: str | None) -> None:
        served = self._surface.find(kind)
        if self._to.namespace == "cluster" or (served is not None and not served.namespaced):
            namespace = ""
        else:
            namespace = self._near(run) if namespace is None else namespace
            if not namespace and served is not None:
                return
        if is_name(name) and (not namespace or is_name(namespace)):
            self._add(value, where, run, resource_id(*split_kind(kind), namespace, name), namespace)

    def _near(self, run: Run) -> str:
        how = self._to.namespace
        return how[1:] if how[0] == "=" else run.source.name if how == "self" else run.source.namespace

    def _read_kind(self, value: Any) -> KindId | None:
        if self._kind_at is None:
            return self._kind
        kind, to = self._kind_at(value), self._to
        if not isinstance(kind, str) or not kind:
            return self._kind or None
        if not is_name(kind):
            return None
        kind = kind[0].upper() + kind[1:]
        group = self._group_at(value) if self._group_at is not None else None
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
        if self._conditional and not self._applies(value):
            return
        labels = EVERYTHING if self._selector is None else self._labels(self._selector(value))
        kind = self._read_kind(value)
        if labels is None or kind is None:
            return
        namespaces, of_labels = self._where(kind, value, run)
        chosen = Selector(kind, namespaces, labels, of_labels, self._unsaid is not None)
        where = path + self._selector_suffix if path else self._selector_suffix[1:]
        for granule in self._granules(value):
            run.found.append(self._made(value, where, run, granule=granule, selector=chosen))

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
        named = tuple(map(str, rows)) if isinstance(rows, list) else (rows,) if isinstance(rows, str) else ()
        chosen = self._namespace_labels(value) if self._namespace_labels is not None else None
        if chosen is not None:
            of_labels = from_object(chosen)
            return ((), None) if of_labels == EVERYTHING else (named, of_labels)
        own = self._near(run)
        return named or ((own,) if own else ()), None

    # ── by a text of its own grammar ────────────────────────────────────────────────────────────────────────────────

    def _read_text(self, value: Any, path: str, run: Run) -> None:
        if self._text is None or (self._conditional and not self._applies(value)):
            return
        for pointer in self._text(value, self._kind, Source(run.source, run.body, self._surface)):
            where = path + pointer.suffix if path else pointer.suffix.removeprefix(".")
            if not pointer.name:
                self._all_of(pointer, value, where, run)
            elif pointer.name not in self._skip_whole and not pointer.name.startswith(self._skip or "\0"):
                self._spoken(pointer, value, where, run)

    def _spoken(self, pointer: Pointer, value: Any, where: str, run: Run) -> None:
        kind = KindId(kind_id(one_group(*split_kind(pointer.kind)), split_kind(pointer.kind)[1]))
        served = self._surface.find(kind)
        namespace = self._near(run) if pointer.namespace is None else pointer.namespace
        if served is not None and not served.namespaced:
            namespace = ""
        elif served is not None and not namespace:
            return
        if not is_name(pointer.name) or (namespace and not is_name(namespace)):
            return
        target = resource_id(*split_kind(kind), namespace, pointer.name)
        permission = self._permitted(namespace, run)
        run.found.append(self._made(value, where, run, target, pointer.granule, None, permission, pointer.inferred))

    def _all_of(self, pointer: Pointer, value: Any, where: str, run: Run) -> None:
        if pointer.namespace is None:
            return
        chosen = Selector(pointer.kind, (pointer.namespace,) if pointer.namespace else ())
        run.found.append(self._made(value, where, run, granule=pointer.granule, selector=chosen))

    # ── what every way has in common ────────────────────────────────────────────────────────────────────────────────

    def _applies(self, value: Any) -> bool:
        return (
            all(str(at(value)) in words for at, words in self._when)
            and not any(str(at(value)) in words for at, words in self._unless)
            and all(at(value) is None for at in self._absent)
        )

    def _granules(self, value: Any) -> list[str]:
        if self._rule.named_parts:
            return [f"{part}:{one}" for part, every in self._parts for one in every(value) if isinstance(one, str)]
        found = dict.fromkeys(f"{part}:{one}" for part, every in self._parts for one in every(value))
        return list(found) or [""]

    def _permitted(self, namespace: str, run: Run) -> bool:
        how = self._rule.permission
        return how == "target" or (how == "grant" and namespace != run.source.namespace)

    def _add(self, value: Any, where: str, run: Run, target: ResourceId, namespace: str) -> None:
        permission = self._rule.permission is not None and self._permitted(namespace, run)
        if not self._parts:
            run.found.append(self._made(value, where, run, target, "", None, permission))
            return
        for granule in self._granules(value):
            run.found.append(self._made(value, where, run, target, granule, None, permission))

    def _made(
        self,
        value: Any,
        where: str,
        run: Run,
        target: ResourceId = NOBODY,
        granule: str = "",
        selector: Selector | None = None,
        permission: bool = False,
        inferred: bool = False,
    ) -> Reference:
        optional = self._optional(value) is True if self._optional is not None else self._is_optional
        soft = str(self._soft(value)) in self._rule.soft_when if self._soft is not None else self._is_soft
        uid = self._uid(value) if self._uid is not None else ""
        uid = uid if isinstance(uid, str) else ""
        key = (self._id, where, target, granule, optional, soft, permission, uid, inferred)
        found = None if selector is not None else run.shared.get(key)
        if found is not None:
            return found
        confidence = "inferred" if inferred else self._rule.confidence
        made = Reference(self._id, where, self._relation, self._phases, target, selector, uid, granule, optional, soft,
                         confidence, permission, not self._rule.recurs)  # fmt: skip
        if selector is None:
            if len(run.shared) >= SHARED_MAX:
                run.shared.clear()
            run.shared[key] = made
        return made


def is_name(text: str) -> bool:
    """Whether it can be a name in an identity; a template (`${…}`, `{{…}}`) is none."""
    return text.isprintable() and "/" not in text and "$" not in text and "{{" not in text and len(text) <= NAME_LEN_MAX


def _first(path: str) -> First | None:
    return compile_first(path) if path else None


def _suffix(path: str) -> str:
    return "".join("[0]" if step is None else suffix_of(step) for step in steps_of(path))
