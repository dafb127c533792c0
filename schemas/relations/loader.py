"""Rule files → one catalogue, checked: fragments mounted, kinds merged. A bad file is refused with its line.

A file holds rules, and after `---` their examples (examples.py), which are read only when somebody runs them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.documents import FILE_BYTES_MAX, Document, DocumentError, parse
from schemas.envelope import describe
from schemas.identity import KindId
from schemas.relations.compiled import bodies_of
from schemas.relations.rule import Entry, KindFacts, Mount, Rule, Use
from schemas.relations.surface import builtin_surface

CATALOGUE: Final = Path(__file__).resolve().parent / "catalogue"
ANY_KIND: Final = "*"
STRANGE_KIND: Final = "?"
_SEPARATOR: Final = b"\n---\n"
_Model = TypeVar("_Model", bound=BaseModel)


class RuleError(ValueError):
    """A rule file that cannot be used; names file, line and reason."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file, self.line, self.reason = file, line, reason


class RuleFile(BaseModel):
    """One file: fragments (named rule sets), mounts of rules and fragments, facts of kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    area: str
    fragments: dict[str, tuple[Entry, ...]] = {}
    mounts: tuple[Mount, ...] = ()
    kinds: tuple[KindFacts, ...] = ()


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
    files: tuple[Path, ...] = field(default=())

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


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    document: Document
    content: RuleFile

    def error(self, where: Sequence[str | int], reason: str) -> RuleError:
        return RuleError(str(self.path), self.document.line_of(where), reason)


def shipped_files() -> list[Path]:
    """The rule files that come with Cheops."""
    return sorted(CATALOGUE.rglob("*.yaml"))


@lru_cache(maxsize=1)
def _shipped() -> tuple[_File, ...]:
    paths = shipped_files()
    bodies = bodies_of(paths)
    if bodies is None:
        return tuple(map(_read, paths))
    documents = [Document(str(path), 1, body) for path, body in zip(paths, bodies, strict=True)]
    return tuple(_File(Path(one.file), one, RuleFile.model_validate(one.body)) for one in documents)


@lru_cache(maxsize=1)
def _shipped_catalogue() -> Catalogue:
    return _assemble(_shipped())


def load_catalogue(extra: Sequence[Path] = ()) -> Catalogue:
    """The shipped rules and the user's (a shipped file may be named, too). Raises RuleError."""
    shipped = {one.path for one in _shipped()}
    mine = [path for path in extra if path.resolve() not in shipped]
    return _assemble((*_shipped(), *map(_read, mine))) if mine else _shipped_catalogue()


def read_part(path: Path, place: int, model: type[_Model]) -> tuple[Document, _Model] | None:
    """Document `place` of a rule file (0: the rules, 1: the examples), checked; None when it has none."""
    raw = _bytes(path)
    parts = raw.split(_SEPARATOR)
    if len(parts) > 2:
        line = _SEPARATOR.join(parts[:2]).count(b"\n") + 2
        raise RuleError(str(path), line, "a third document (expected rules, then ---, then their examples)")
    if place >= len(parts):
        return None
    before = _SEPARATOR.join(parts[:place]).count(b"\n") + 2 if place else 0
    try:
        documents = parse(b"\n" * before + parts[place], str(path))
    except DocumentError as error:
        raise RuleError(error.file, max(error.line, 1), error.reason) from error
    if len(documents) != 1:
        raise RuleError(str(path), before + 1, "nothing in it (expected a mapping with `area`)")
    document = documents[0]
    try:
        return document, model.model_validate(document.body)
    except ValidationError as error:
        raise RuleError(str(path), _line(document, error), describe(error, limit=1)) from error


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as source:
            return source.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise RuleError(str(path), 1, f"cannot be read ({error.strerror})") from error


def _read(path: Path) -> _File:
    found = read_part(path, 0, RuleFile)
    assert found is not None, "a file has a first part"
    return _File(path, *found)


def _line(document: Document, error: ValidationError) -> int:
    return document.line_of([step for step in error.errors()[0]["loc"] if step not in ("rule", "use")])


# ── assembling ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _assemble(files: Sequence[_File]) -> Catalogue:
    fragments = _fragments(files)
    mounted: dict[KindId, list[MountedRule]] = defaultdict(list)
    kinds: dict[KindId, KindFacts] = {}
    seen: dict[tuple[str, str, str], _File] = {}
    for file in files:
        for place, mount in enumerate(file.content.mounts):
            where = ("mounts", place)
            rows = [(rule, rule.at) for rule in mount.rules]
            for name in mount.use:
                rows += _unfold(fragments, name, file, where, ())
            for kind in mount.kinds:
                for rule, at in rows:
                    places = _joined(mount.at, at)
                    _refuse_twins(seen, kind, places, rule, file, where)
                    mounted[KindId(kind)].append(MountedRule(rule, places, file.content.area))
        kinds.update({KindId(one.kind): one for one in file.content.kinds})
    return Catalogue({kind: tuple(rules) for kind, rules in mounted.items()}, kinds, tuple(one.path for one in files))


def _fragments(files: Sequence[_File]) -> dict[str, tuple[_File, tuple[Entry, ...]]]:
    made: dict[str, tuple[_File, tuple[Entry, ...]]] = {}
    for file in files:
        for name, entries in file.content.fragments.items():
            if name in made:
                raise file.error(("fragments", name), f"fragment {name!r} is also in {made[name][0].path}")
            made[name] = (file, entries)
    return made


def _unfold(
    fragments: Mapping[str, tuple[_File, tuple[Entry, ...]]],
    name: str,
    file: _File,
    where: Sequence[str | int],
    trail: tuple[str, ...],
) -> Iterator[tuple[Rule, tuple[str, ...]]]:
    """The rules of a fragment and of the fragments that it uses, with their places."""
    if name in trail:
        raise file.error(where, f"fragment {name!r} uses itself ({' → '.join((*trail, name))})")
    if name not in fragments:
        raise file.error(where, f"use: no fragment is called {name!r} (there are {', '.join(sorted(fragments))})")
    home, entries = fragments[name]
    for place, entry in enumerate(entries):
        if isinstance(entry, Use):
            inner = _unfold(fragments, entry.use, home, ("fragments", name, place), (*trail, name))
            for rule, at in inner:
                yield entry.adapt(rule), _joined(entry.at, at)
        else:
            yield entry, entry.at


def _refuse_twins(
    seen: dict[tuple[str, str, str], _File],
    kind: str,
    places: Sequence[str],
    rule: Rule,
    file: _File,
    where: Sequence[str | int],
) -> None:
    for at in places:
        twin = seen.get((kind, at, rule.rule))
        if twin is not None:
            reason = f"rule {rule.rule!r} stands twice for {kind}, at {at or 'its root'}"
            raise file.error(where, f"{reason} (the first is in {twin.path})")
        seen[(kind, at, rule.rule)] = file


def _joined(mounts: Sequence[str], places: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        f"{mount}.{one}" if mount and one and one[0] != "[" else f"{mount}{one}" for mount in mounts for one in places
    )
