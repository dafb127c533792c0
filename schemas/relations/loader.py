"""Rule files → one catalogue, checked: fragments mounted, kinds merged. A bad file is refused with its line.

Texts that something else holds (carried.py) are read like files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from schemas.documents import Document
from schemas.identity import KindId
from schemas.relations.compiled import bodies_of
from schemas.relations.kind_facts import KindFacts
from schemas.relations.path import steps_of
from schemas.relations.rule import Entry, Rule, Use, pieces
from schemas.relations.rule_file import ReadFile, RuleFile, RuleText, Source, read
from schemas.relations.surface import builtin_surface

CATALOGUE: Final = Path(__file__).resolve().parent / "catalogue"
ANY_KIND: Final = "*"
STRANGE_KIND: Final = "?"
PLACES_MAX: Final = 20_000  # of one file or fragment; all the shipped ones have 8,700
TRAIL_MAX: Final = 10  # fragments that use each other
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"  # repeats the values of a Secret


@dataclass(frozen=True, slots=True)
class MountedRule:
    """A rule at its places in the objects of a kind."""

    rule: Rule
    at: tuple[str, ...]
    area: str


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Every rule by the kind of its source (`*`: all, `?`: strangers), and what is known of the kinds."""

    rules: Mapping[KindId, tuple[MountedRule, ...]]
    kinds: Mapping[KindId, KindFacts]
    files: tuple[Source, ...] = field(default=())

    def sources_of(self, kind: KindId) -> frozenset[KindId]:
        """The kinds whose objects can use objects of `kind`, however weakly; kinds read from fields count."""
        builtin = builtin_surface()
        known = builtin.find(kind)
        found = set()
        for source, rules in self.rules.items():
            from_ = builtin.find(source)
            # what has no namespace cannot mean what is in its own
            is_outside = from_ is not None and not from_.namespaced and known is not None and known.namespaced
            for mounted in rules:
                to = mounted.rule.to
                is_far = (
                    is_outside and to.namespace == "same" and not (to.reads or to.namespaces or to.namespace_selector)
                )
                if not mounted.rule.is_policy and not is_far and to.may_mean(kind, is_custom=known is None):
                    found.add(source)
        return frozenset(found)

    def divides(self, kind: KindId) -> tuple[str, ...]:
        """The paths of the numbers by which objects of a kind are divided over sites; () when they cannot be."""
        known = self.kinds.get(kind)
        return tuple(known.divides) if known is not None else ()


def shipped_files() -> list[Path]:
    """The rule files that come with Cheops."""
    return sorted(CATALOGUE.rglob("*.yaml"))


@lru_cache(maxsize=1)
def _shipped() -> tuple[ReadFile, ...]:
    paths = shipped_files()
    bodies = bodies_of(paths)
    if bodies is None:
        return tuple(map(read, paths))
    documents = [Document(str(path), 1, body) for path, body in zip(paths, bodies, strict=True)]
    return tuple(ReadFile(Path(one.file), one, RuleFile.model_validate(one.body)) for one in documents)


@lru_cache(maxsize=1)
def _shipped_assembly() -> Assembly:
    made = Assembly()
    made.add(_shipped())
    made.ship()
    return made


def load_catalogue(extra: Sequence[Source] = ()) -> Catalogue:
    """The shipped rules and the user's (a shipped file may be named, too). Raises RuleError."""
    return assembled(extra).catalogue


def assembled(extra: Sequence[Source] = ()) -> Assembly:
    """The same, so that others can be added to a copy."""
    shipped = {one.source for one in _shipped()}
    mine = [one for one in extra if isinstance(one, RuleText) or one.resolve() not in shipped]
    if not mine:
        return _shipped_assembly()
    made = _shipped_assembly().copy()
    made.add([*map(read, mine)])
    return made


# ── assembling ──────────────────────────────────────────────────────────────────────────────────────────────────────

_Rows = list[tuple[Rule, tuple[str, ...]]]


class Assembly:
    """Files that stand beside each other."""

    def __init__(self) -> None:
        self._files: list[ReadFile] = []
        self._fragments = _Fragments()
        self._rules: dict[KindId, tuple[MountedRule, ...]] = {}
        self._kinds: dict[KindId, KindFacts] = {}
        self._seen: dict[tuple[str, str, str], ReadFile] = {}
        self._catalogue: Catalogue | None = None

    @property
    def catalogue(self) -> Catalogue:
        """What they say together."""
        if self._catalogue is None:
            self._catalogue = Catalogue(dict(self._rules), dict(self._kinds), tuple(one.source for one in self._files))
        return self._catalogue

    def copy(self) -> Assembly:
        """Another one, to be added to."""
        made = Assembly()
        made._files, made._fragments = [*self._files], self._fragments.copy()
        made._rules, made._kinds, made._seen = dict(self._rules), dict(self._kinds), dict(self._seen)
        return made

    def ship(self) -> None:
        """All that is there comes with Cheops."""
        self._fragments.ship()

    def add(self, files: Sequence[ReadFile]) -> None:
        """Files that may use each other's fragments. Raises RuleError for one of them; then this is of no use."""
        self._catalogue = None
        for file in files:
            self._fragments.add(file)
        for file in files:
            self._files.append(file)
            self._mount(file)

    def _mount(self, file: ReadFile) -> None:
        mounted: dict[KindId, list[MountedRule]] = defaultdict(list)
        count = 0
        for place, mount in enumerate(file.content.mounts):
            where = ("mounts", place)
            rows = [(rule, rule.at) for rule in mount.rules]
            for name in mount.use:
                rows += self._fragments.rules(name, file, where)
            count += len(mount.kinds) * len(mount.at) * sum(len(at) for _, at in rows)
            if count > PLACES_MAX:
                raise file.error(where, f"more than {PLACES_MAX} places of rules in one file")
            for rule, at in rows:
                places = _joined(mount.at, at)
                made = MountedRule(rule, places, file.content.area)
                for kind in mount.kinds:
                    _refuse_twins(self._seen, kind, places, rule, file, where)
                    _refuse_values(self._kinds, kind, (*places, *_called_by(rule)), file, where)
                    mounted[KindId(kind)].append(made)
        for kind_id, rules in mounted.items():
            self._rules[kind_id] = (*self._rules.get(kind_id, ()), *rules)
        for place, one in enumerate(file.content.kinds):
            _refuse_values(self._kinds, one.kind, ("",), file, ("kinds", place))
            self._kinds[KindId(one.kind)] = one


_Made = tuple[ReadFile, tuple[Entry, ...]]
_Key = tuple[Source | None, str]


class _Fragments:
    """Those of all files, each unfolded once: the rules of it and of the fragments that it uses, with their places.

    A file may call one as a shipped one is called: it means its own then, and all others the shipped one.
    """

    def __init__(self) -> None:
        self._made: dict[_Key, _Made] = {}  # by name; and by file and name where it is the file's alone
        self._unfolded: dict[_Key, _Rows] = {}
        self._shipped: frozenset[str] = frozenset()

    def copy(self) -> _Fragments:
        """Another one, to be added to."""
        made = _Fragments()
        made._made, made._unfolded, made._shipped = dict(self._made), dict(self._unfolded), self._shipped
        return made

    def ship(self) -> None:
        """All that are there are shipped ones."""
        self._shipped = frozenset(name for _, name in self._made)

    def add(self, file: ReadFile) -> None:
        """Those of a file. Raises RuleError."""
        for name, entries in file.content.fragments.items():
            key: _Key = (file.source if name in self._shipped else None, name)
            if key in self._made:
                raise file.error(("fragments", name), f"fragment {name!r} is also in {self._made[key][0].source}")
            self._made[key] = (file, entries)

    def rules(self, name: str, file: ReadFile, where: Sequence[str | int], trail: tuple[str, ...] = ()) -> _Rows:
        """Raises RuleError; `where`: the place in `file` that uses it."""
        if name in trail:
            raise file.error(where, f"fragment {name!r} uses itself ({' → '.join((*trail, name))})")
        key: _Key = (file.source, name)
        key = key if key in self._made else (None, name)
        if key not in self._made:
            there = ", ".join(sorted({one for _, one in self._made}))
            raise file.error(where, f"use: no fragment is called {name!r} (there are {there})")
        found = self._unfolded.get(key)
        if found is None:
            found = self._unfolded[key] = self._unfold(key, trail)
        return found

    def _unfold(self, key: _Key, trail: tuple[str, ...]) -> _Rows:
        (home, entries), name = self._made[key], key[1]
        rows: _Rows = []
        count = 0
        for place, entry in enumerate(entries):
            where = ("fragments", name, place)
            if len(trail) > TRAIL_MAX:
                raise home.error(where, f"fragments that use each other more than {TRAIL_MAX} deep")
            inner = (
                self.rules(entry.use, home, where, (*trail, name)) if isinstance(entry, Use) else [(entry, entry.at)]
            )
            count += sum(len(at) for _, at in inner) * (len(entry.at) if isinstance(entry, Use) else 1)
            if count > PLACES_MAX:
                raise home.error(where, f"more than {PLACES_MAX} places of rules in one fragment")
            if isinstance(entry, Use):
                rows += [(entry.adapt(rule), _joined(entry.at, at)) for rule, at in inner]
            else:
                rows += inner
        return rows


def _refuse_twins(
    seen: dict[tuple[str, str, str], ReadFile],
    kind: str,
    places: Sequence[str],
    rule: Rule,
    file: ReadFile,
    where: Sequence[str | int],
) -> None:
    for at in places:
        twin = seen.get((kind, at, rule.rule))
        if twin is not None:
            reason = f"rule {rule.rule!r} stands twice for {kind}, at {at or 'its root'}"
            raise file.error(where, f"{reason} (the first is in {twin.source})")
        seen[(kind, at, rule.rule)] = file


def _refuse_values(
    kinds: Mapping[KindId, KindFacts], kind: str, places: Sequence[str], file: ReadFile, where: Sequence[str | int]
) -> None:
    """What is read becomes the name of a target, and is told: no value of a Secret or a ConfigMap may become one."""
    if not isinstance(file.source, RuleText) or not file.source.strict:
        return
    known = kinds.get(KindId(kind))
    if kind not in (ANY_KIND, "ConfigMap") and not (known is not None and known.confidential):
        return
    for at in places:
        match steps_of(at):
            case ("metadata", "labels" | "annotations", str(name), *_) if name != _LAST_APPLIED:
                continue
        reason = "only a file may read more of it than one label or annotation (expected at: metadata.labels['…'] …)"
        raise file.error(where, f"{'every kind' if kind == ANY_KIND else kind}: {reason}")


def _called_by(rule: Rule) -> list[str]:
    """What else of an object, besides its name, becomes a part of the target's."""
    paths = (path for _, path in pieces(rule.to.called))
    return [path for path in paths if path not in ("", "metadata.name") and not path.startswith(".")]


def _joined(mounts: Sequence[str], places: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"{mount}.{one}" if mount and one and one[0] != "[" else f"{mount}{one}" for mount in mounts for one in places
    )
