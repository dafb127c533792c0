"""Rule files → one catalogue, checked: fragments mounted, kinds merged. A bad file is refused with its line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.documents import Document, DocumentError, read_documents
from schemas.envelope import describe
from schemas.events import ServedKind
from schemas.identity import KindId
from schemas.relations.rule import KindFacts, Mount, Rule

CATALOGUE: Final = Path(__file__).parent / "catalogue"
ANY_KIND: Final = "*"


class RuleError(ValueError):
    """A rule file that cannot be used; names file, line and reason."""

    def __init__(self, file: str, line: int, reason: str) -> None:
        super().__init__(f"{file}:{line}: {reason}")
        self.file, self.line, self.reason = file, line, reason


class RuleFile(BaseModel):
    """One file: fragments (named rule sets), mounts of rules and fragments, facts of kinds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    area: str
    fragments: dict[str, tuple[Rule, ...]] = {}
    mounts: tuple[Mount, ...] = ()
    kinds: tuple[KindFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class MountedRule:
    """A rule at its place in the objects of a kind."""

    rule: Rule
    at: tuple[str, ...]
    area: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every rule by the kind of its source (`*`: all), and what is known of the kinds."""

    rules: Mapping[KindId, tuple[MountedRule, ...]]
    kinds: Mapping[KindId, KindFacts]
    files: tuple[str, ...] = field(default=())

    def sources_of(self, kind: KindId) -> frozenset[KindId]:
        """The kinds whose objects can refer to objects of `kind`; kinds that are read from fields count for all."""
        found = set()
        for source, rules in self.rules.items():
            for mounted in rules:
                target = mounted.rule.to
                if target.kind == kind or kind in target.kinds or (target.kind_from and not target.kinds):
                    found.add(source)
        return frozenset(found)


@lru_cache(maxsize=1)
def _shipped() -> tuple[tuple[str, RuleFile], ...]:
    return tuple(pair for path in sorted(CATALOGUE.rglob("*.yaml")) for pair in _read(path) if path.stem != "ambient")


def load_catalogue(extra: Sequence[Path] = ()) -> Catalogue:
    """The shipped rules and the user's. Raises RuleError."""
    files = [*_shipped(), *(pair for path in extra for pair in _read(path))]
    fragments = {name: rules for _, file in files for name, rules in file.fragments.items()}
    mounted: dict[KindId, list[MountedRule]] = defaultdict(list)
    kinds: dict[KindId, KindFacts] = {}
    seen: dict[tuple[str, str], str] = {}
    for name, file in files:
        for mount in file.mounts:
            rules = (*mount.rules, *(rule for one in mount.use for rule in _fragment(fragments, one, name)))
            for kind in mount.kinds:
                for rule in rules:
                    _refuse_twin(seen, kind, mount.at, rule, name)
                    mounted[KindId(kind)].append(MountedRule(rule, _joined(mount.at, rule.at), file.area))
        kinds.update({KindId(one.kind): one for one in file.kinds})
    return Catalogue({kind: tuple(rules) for kind, rules in mounted.items()}, kinds, tuple(name for name, _ in files))


def _read(path: Path) -> Iterable[tuple[str, RuleFile]]:
    try:
        documents = read_documents(path)
    except DocumentError as error:
        raise RuleError(error.file, error.line, error.reason) from error
    for document in documents:
        try:
            yield str(path), RuleFile.model_validate(document.body)
        except ValidationError as error:
            raise RuleError(str(path), _line(document, error), describe(error, limit=1)) from error


def _line(document: Document, error: ValidationError) -> int:
    return document.line_of([step for step in error.errors()[0]["loc"] if isinstance(step, (str, int))])


def _fragment(fragments: Mapping[str, tuple[Rule, ...]], name: str, file: str) -> tuple[Rule, ...]:
    if name not in fragments:
        raise RuleError(file, 1, f"use: no fragment is called {name!r} (there are {', '.join(sorted(fragments))})")
    return fragments[name]


def _refuse_twin(seen: dict[tuple[str, str], str], kind: str, at: str, rule: Rule, file: str) -> None:
    key = (kind, f"{at} {rule.rule}")
    if seen.get(key):
        raise RuleError(file, 1, f"rule {rule.rule!r} stands twice for {kind} (also in {seen[key]})")
    seen[key] = file


def _joined(mount: str, places: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{mount}.{one}" if mount and one else mount or one for one in places)


def surface_entry(body: Mapping[str, Any]) -> ServedKind:
    """A row of the built-in surface."""
    return ServedKind(
        KindId(body["kind"]),
        body["plural"],
        tuple(body["versions"]),
        body.get("namespaced", True),
        body.get("singular", ""),
        tuple(body.get("short", ())),
    )
