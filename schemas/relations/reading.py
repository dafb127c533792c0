"""One rule → a function that reads its references at one place of an object: what all ways of pointing share. Pure.

A reader gets the value at the rule's place and the path to it, and adds what it finds to the run. Whatever is malformed
is read as absent. Equal references are made once and shared: the pods of one workload refer to the same things in the
same way, so most of the work is one look into `Run.shared`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.events import Reference, Selector
from schemas.identity import NAME_LEN_MAX, KindId, ResourceId, ResourceKey, kind_id, resource_id, split_kind
from schemas.kinds import Surface, one_group
from schemas.relations.path import First, Step, compile_first, compile_values, steps_of, suffix_of
from schemas.relations.rule import Rule

SHARED_MAX: Final = 65_536
KINDS_MAX: Final = 1_024  # kinds in one rule's references that are remembered
NOBODY: Final = ResourceId("")
WHOLE: Final = ("",)  # no granule: the whole target
Key = tuple[Any, ...]


@dataclass(slots=True)
class Run:
    """One object on its way through the rules of its kind.

    shared, texts   the references that were made before: by what was read, by the text that was read
    """

    source: ResourceKey
    body: Mapping[str, Any]
    shared: dict[Key, Reference]
    texts: dict[Key, tuple[Reference, ...]]
    found: list[Reference] = field(default_factory=list)


Read = Callable[[Any, str, Run], None]


class RuleReader:
    """A rule, compiled for the surface of a site."""

    def __init__(self, rule: Rule, surface: Surface) -> None:
        to = rule.to
        self._rule, self._to, self._surface = rule, to, surface
        self._kind = KindId(to.kind)
        served = surface.find(self._kind)
        self._must_be_placed = served is not None and served.namespaced  # a namespaced thing has a namespace
        self._is_cluster = to.namespace == "cluster" or (served is not None and not served.namespaced)
        self._constant = to.namespace[1:] if to.namespace.startswith("=") else ""
        self._kind_at, self._group_at = first_at(to.kind_from), first_at(to.group_from)
        self._kinds_read: dict[tuple[str, str], KindId | None] = {}
        self._optional = compile_first(rule.optional) if isinstance(rule.optional, str) else None
        self._soft = compile_first(rule.soft) if isinstance(rule.soft, str) else None
        self._is_optional, self._is_soft = rule.optional is True, rule.soft is True
        self._skip = tuple(one[:-1] for one in rule.skip if len(one) > 1 and one.endswith("*"))
        self._skip_whole = frozenset(rule.skip)
        self._when = tuple((compile_first(path), frozenset(words)) for path, words in rule.when.items())
        self._unless = tuple((compile_first(path), frozenset(words)) for path, words in rule.unless.items())
        self._absent = tuple(map(compile_first, rule.absent))
        self._conditional = bool(self._when or self._unless or self._absent)
        self._parts = tuple((part, compile_values(path)) for part, paths in rule.parts.items() for path in paths)
        self._only_part = _only_part(rule)
        # It looks at the value alone: then it may stand deeper, at the very field that it reads.
        self._is_simple = not (self._conditional or self._parts or self._optional or self._soft or self._kind_at)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What the place of this reader has below the rule's `at`."""
        return ()

    def read(self, value: Any, path: str, run: Run) -> None:
        """Add the references that stand in `value`, which stands at `path`."""
        raise NotImplementedError

    # ── conditions, words, granules ─────────────────────────────────────────────────────────────────────────────────

    def _applies(self, value: Any) -> bool:
        for at in self._absent:
            if at(value) is not None:
                return False
        for at, words in self._when:
            if str(at(value)) not in words:
                return False
        return all(str(at(value)) not in words for at, words in self._unless)

    def _optional_in(self, value: Any) -> bool:
        return self._is_optional if self._optional is None else self._optional(value) is True

    def _soft_in(self, value: Any) -> bool:
        return self._is_soft if self._soft is None else str(self._soft(value)) in self._rule.soft_when

    def _granules(self, value: Any) -> Sequence[str]:
        if not self._parts:
            return WHOLE
        if self._only_part is not None:
            part, at = self._only_part
            one = at(value)
            return WHOLE if one is None else (f"{part}:{one}",)
        return tuple(dict.fromkeys(self._found_parts(value))) or WHOLE

    def _found_parts(self, value: Any) -> Iterator[str]:
        for part, every in self._parts:
            for one in every(value):
                if isinstance(one, str) or not self._rule.named_parts:
                    yield f"{part}:{one}"

    # ── what it points at ───────────────────────────────────────────────────────────────────────────────────────────

    def _read_kind(self, value: Any) -> KindId | None:
        kind = None if self._kind_at is None else self._kind_at(value)
        if not isinstance(kind, str) or not kind:
            return self._kind or None
        group = None if self._group_at is None else self._group_at(value)
        key = (kind, group if isinstance(group, str) else "")
        if key not in self._kinds_read:  # the same few kinds own and are referred to again and again
            if len(self._kinds_read) >= KINDS_MAX:
                self._kinds_read.clear()
            self._kinds_read[key] = self._kind_named(*key)
        return self._kinds_read[key]

    def _kind_named(self, kind: str, group: str) -> KindId | None:
        to = self._to
        if not is_name(kind):
            return None
        kind = kind[0].upper() + kind[1:]
        if not group:
            group = split_kind(self._kind)[0]
        elif "/" in group or to.group_from.endswith("apiVersion"):
            group = group.rpartition("/")[0]
        found = kind_id(one_group(group, kind), kind)
        return found if is_kind(found) and (not to.kinds or found in to.kinds) else None

    def _near(self, run: Run) -> str:
        """The namespace when the reference names none."""
        return self._constant or (run.source.name if self._to.namespace == "self" else run.source.namespace)

    def _placed(self, kind: KindId, name: str, namespace: str) -> ResourceId | None:
        served = self._surface.find(kind)
        if self._to.namespace == "cluster" or (served is not None and not served.namespaced):
            namespace = ""
        elif served is not None and not namespace:
            return None
        if not is_name(name) or (namespace and not is_name(namespace)):
            return None
        if name in self._skip_whole or (self._skip and name.startswith(self._skip)) or not is_kind(kind):
            return None
        return resource_id(*split_kind(kind), namespace, name)

    def _permitted(self, namespace: str, run: Run) -> bool:
        """Whether it needs a permission."""
        how = self._rule.permission
        return how == "target" or (how == "grant" and namespace != run.source.namespace)

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
            "inferred" if inferred else rule.confidence,
            permission,
            not rule.recurs,
        )

    def _keep(self, run: Run, key: Key, made: Reference) -> Reference:
        if len(run.shared) >= SHARED_MAX:
            run.shared.clear()
        run.shared[key] = made
        return made


def is_name(text: str) -> bool:
    """Whether it can be a name in an identity; a template (`${…}`, `{{…}}`) is none."""
    strange = "/" in text or "$" in text or "{{" in text or not text.isprintable()
    return bool(text) and not strange and len(text) <= NAME_LEN_MAX


def is_kind(kind: KindId) -> bool:
    """Whether it can be a kind in an identity: a group does not begin with a capital letter, a kind does."""
    group, name = split_kind(kind)
    return name[:1].isupper() and is_name(name) and (not group or (is_name(group) and not group[0].isupper()))


def first_at(path: str) -> First | None:
    """The reader of a path; None for no path."""
    return compile_first(path) if path else None


def shown(path: str) -> str:
    """A relative path as it is added to a concrete one."""
    return "".join("[0]" if step is None else suffix_of(step) for step in steps_of(path))


def _only_part(rule: Rule) -> tuple[str, First] | None:
    """The common case: one granule, from one field."""
    rows = [(part, path) for part, paths in rule.parts.items() for path in paths]
    if len(rows) != 1 or "[*]" in rows[0][1] or rule.named_parts:
        return None
    return rows[0][0], compile_first(rows[0][1])
