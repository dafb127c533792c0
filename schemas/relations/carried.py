"""ConfigMap that carries rules → fact of its state → rule files → the catalogue of a site, made anew with them. Pure.

    ConfigMap, label cheops.io/rules: "true"; each value of `data` is a rule file (docs/adr/0031)
      └▶ watcher: fact `rules` of its state, {key: text} as JSON ─▶ Rulebook of the resolver ─▶ catalogue
                  fact `rules_before`: what files that cannot be used said when they last could

A file that cannot be used is left out, with its reason, and all others hold; in its place holds what was noted as said
before (docs/adr/0042). What is in force follows from what was noted and from nothing else, so that whoever starts
again, and whoever was there all the time, read by the same rules.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from schemas.documents import Document
from schemas.identity import KindId, ResourceId, resource_id
from schemas.kinds import Surface
from schemas.relations.loader import ANY_KIND, STRANGE_KIND, Catalogue, assembled, shipped_files
from schemas.relations.rule_file import ReadFile, RuleError, RuleText, Source, read
from schemas.release import release
from schemas.ties import RULES, RULES_BEFORE_FACT, RULES_FACT
from schemas.untyped import mapping_of

KIND: Final = KindId("ConfigMap")
BYTES_MAX: Final = 256 * 1024  # of all that a site's ConfigMaps carry, as their facts say it
FILES_MAX: Final = 100  # of them
SELECTOR: Final = f"{RULES}=true"
TOO_LARGE: Final = False  # the fact of one that is larger by itself
HELD: Final = "what it said before is in force"


def carries(labels: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap with these labels holds rules."""
    return labels.get(RULES) == "true"


def fact_of(data: Any) -> str | bool:
    """The fact of a ConfigMap whose `data` this is."""
    texts = {key: text for key, text in mapping_of(data).items() if isinstance(text, str)}
    if sum(map(len, texts.values())) > BYTES_MAX:
        return TOO_LARGE
    fact = said(texts)
    return fact if len(fact.encode("utf-8", "replace")) <= BYTES_MAX else TOO_LARGE


def said(texts: Mapping[str, str]) -> str:
    """Rule files by their keys → a fact that says them."""
    return json.dumps(texts, ensure_ascii=False, sort_keys=True)


class Rulebook:
    """The rules of a site: shipped ones, those of files, and those of ConfigMaps in `namespace` ("": none are read).

    edition     a digest of the version of Cheops and of the rules in files: who has the same reads objects alike, where
                the same ConfigMaps are
    catalogue   as of the last `renew`, like the rest
    in_force    what of the ConfigMaps is, by ConfigMap and key
    refused     what of the ConfigMaps is not in force, by ConfigMap
    """

    def __init__(self, files: Sequence[Path] = (), namespace: str = "") -> None:
        """Raises RuleError for a file."""
        self.namespace = namespace
        self._base = assembled(files)
        self.edition = _edition(one for one in self._base.catalogue.files if isinstance(one, Path))
        self.catalogue = self._base.catalogue
        self.in_force: dict[ResourceId, dict[str, str]] = {}
        self.refused: dict[ResourceId, tuple[RuleError, ...]] = {}
        self._crowded = frozenset[ResourceId]()  # refused for want of room: they may say what they said before
        self._carried: dict[ResourceId, tuple[object, object]] = {}  # what is said, and what was said before
        self._read = dict(self._carried)
        self._sources: list[Source] = []
        self._beginning = resource_id("", KIND, namespace, "") if namespace else ""

    @property
    def count(self) -> int:
        """How many ConfigMaps carry some."""
        return len(self._carried)

    def concerns(self, resource: ResourceId) -> bool:
        """Whether it may carry rules of this site."""
        return bool(self._beginning) and resource.startswith(self._beginning)

    def note(self, resource: ResourceId, facts: Mapping[str, object] | None) -> None:
        """A resource has these facts now; None: it is gone."""
        if not self.concerns(resource):
            return
        if facts is None or RULES_FACT not in facts:
            self._carried.pop(resource, None)
        else:
            self._carried[resource] = (facts[RULES_FACT], facts.get(RULES_BEFORE_FACT, ""))

    def keep(self, there: Collection[ResourceId]) -> None:
        """All others are gone."""
        for resource in self._carried.keys() - set(there):
            del self._carried[resource]

    def renew(self) -> Catalogue | None:
        """Read what was noted; the catalogue before when there is another one now, None when all is as it was."""
        if self._carried == self._read:
            return None
        self._read = dict(self._carried)
        reading = _Reading(self._carried)
        while True:
            try:
                made = self._base.copy()
                made.add(reading.files)
                break
            except RuleError as error:
                reading.drop(error)
        self.in_force, self.refused, self._crowded = reading.in_force, reading.refused, reading.crowded
        if [one.source for one in reading.files] == self._sources:
            return None
        before, self._sources = self.catalogue, [one.source for one in reading.files]
        self.catalogue = made.catalogue if reading.files else self._base.catalogue
        return before

    def held(self, resource: ResourceId) -> str:
        """The fact of what holds in place of files of it that cannot be used; "" when nothing does."""
        texts = {one.key: one.text for one in texts_of(resource, self._read.get(resource, ("", ""))[0])}
        files = self.in_force.get(resource, {})
        held = files if resource in self._crowded else {key: one for key, one in files.items() if texts.get(key) != one}
        return said(held) if held else ""

    def words(self) -> Iterator[str]:
        """What is not in force, and why, a line each."""
        for errors in self.refused.values():
            yield from map(str, errors)


class _Reading:
    """Which files can be used: what each says, or what it said before, or nothing."""

    def __init__(self, carried: Mapping[ResourceId, tuple[object, object]]) -> None:
        """`carried`: of each ConfigMap the fact of what it says, and of what it said before."""
        self._before: dict[tuple[str, str], RuleText] = {}
        self._errors: dict[ResourceId, dict[str, RuleError]] = {}  # by key; "" for all of a ConfigMap
        texts: list[RuleText] = []
        room, self._room_before = _Room(), _Room()  # of what is held as much again, whatever else was said before
        for resource in sorted(carried):
            fact, fact_before = carried[resource]
            now, before = texts_of(resource, fact), texts_of(resource, fact_before)
            if room.takes(fact, now):
                self._before |= {(one.name, one.key): one for one in before}
            else:
                reason = f"more than {BYTES_MAX // 1024} KiB or {FILES_MAX} files of rules in all"
                self._errors[resource] = {"": RuleError(_name(resource), 1, reason)}
                now = before if self._room_before.takes(fact_before, before) else []
            texts += now
        self.files = [file for text in texts for file in self._read(text)]

    def drop(self, error: RuleError) -> None:
        """One of them cannot stand beside the others."""
        bad = error.text or self.files[-1].source  # a fragment of a file, which nobody had used before
        assert isinstance(bad, RuleText), "files are read before"
        at = next(place for place, one in enumerate(self.files) if one.source == bad)
        self.files[at : at + 1] = self._instead(bad, error)

    def _read(self, text: RuleText) -> list[ReadFile]:
        try:
            return [read(text)]
        except RuleError as error:
            return self._instead(text, error)

    def _instead(self, text: RuleText, error: RuleError) -> list[ReadFile]:
        self._errors.setdefault(_config_map(text), {}).setdefault(text.key, error)
        before = self._before.pop((text.name, text.key), text)
        is_held = before != text and self._room_before.takes(before.text, [before])
        return self._read(before) if is_held else []

    @property
    def in_force(self) -> dict[ResourceId, dict[str, str]]:
        """What is used, by ConfigMap and key."""
        found: dict[ResourceId, dict[str, str]] = {}
        for text in (one.source for one in self.files):
            assert isinstance(text, RuleText), "files are read before"
            found.setdefault(_config_map(text), {})[text.key] = text.text
        return found

    @property
    def crowded(self) -> frozenset[ResourceId]:
        """Those that did not fit in."""
        return frozenset(resource for resource, errors in self._errors.items() if "" in errors)

    @property
    def refused(self) -> dict[ResourceId, tuple[RuleError, ...]]:
        """What is not, and whether something holds in its place."""
        return {
            resource: tuple(self._said(resource, key, error) for key, error in sorted(errors.items()))
            for resource, errors in sorted(self._errors.items())
        }

    def _said(self, resource: ResourceId, key: str, error: RuleError) -> RuleError:
        files = self.in_force.get(resource, {})
        is_held = key in files if key else bool(files)
        return RuleError(error.file, error.line, f"{error.reason} ({HELD})", error.text) if is_held else error


@dataclass(slots=True)
class _Room:
    """What is left of the bounds."""

    bytes_left: int = BYTES_MAX
    files_left: int = FILES_MAX

    def takes(self, fact: object, texts: Sequence[RuleText]) -> bool:
        """Whether these fit in; then they do."""
        size = len(fact.encode("utf-8", "replace")) if isinstance(fact, str) else BYTES_MAX + 1
        if size > self.bytes_left or len(texts) > self.files_left:
            return False
        self.bytes_left, self.files_left = self.bytes_left - size, self.files_left - len(texts)
        return True


def _edition(files: Iterable[Path]) -> str:
    shipped, digest = _shipped_edition()
    digest = digest.copy()
    _take_in(digest, (path.read_bytes() for path in sorted({*files} - shipped)))
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _shipped_edition() -> tuple[frozenset[Path], hashlib.blake2b]:
    """The shipped files, and a digest to which others are added: they are read once, as for the catalogue."""
    files, digest = shipped_files(), hashlib.blake2b(digest_size=16)
    _take_in(digest, (release().encode(), *(path.read_bytes() for path in files)))
    return frozenset(files), digest


def _take_in(digest: hashlib.blake2b, parts: Iterable[bytes]) -> None:
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)


def texts_of(resource: ResourceId, fact: object) -> list[RuleText]:
    """The rule files of a ConfigMap. A fact that no watcher of ours has told holds none."""
    try:
        found = mapping_of(json.loads(str(fact)))
    except ValueError:
        return []
    return [
        RuleText(_name(resource), text, 1, key, strict=True)
        for key, text in sorted(found.items())
        if isinstance(text, str)
    ]


def texts_in(document: Document) -> list[RuleText] | None:
    """The rule files of a manifest, with their lines; None when it is no ConfigMap that carries rules."""
    metadata = mapping_of(document.body.get("metadata"))
    if document.body.get("kind") != KIND or not carries(mapping_of(metadata.get("labels"))):
        return None
    found = []
    for key, text in mapping_of(document.body.get("data")).items():
        where = ("data", key)
        line = document.text_line(where)
        if not isinstance(text, str):
            raise RuleError(document.file, document.line_of(where), f"data.{key}: expected text")
        named = f"data[{key}]"
        found.append(
            RuleText(document.file, text, line or document.line_of(where), named, folded=line is None, strict=True)
        )
    return found


def differing(before: Catalogue, after: Catalogue, served: Surface) -> frozenset[KindId]:
    """The watched kinds whose objects are read otherwise by `after`, as far as a site serves them."""
    changed = {
        kind for kind in before.rules.keys() | after.rules.keys() if before.rules.get(kind) != after.rules.get(kind)
    }
    known = {
        kind for kind in before.kinds.keys() | after.kinds.keys() if before.kinds.get(kind) != after.kinds.get(kind)
    }
    for kind in known:
        if served.find(kind) is None:  # who names it by a field may find it elsewhere now
            changed |= before.sources_of(kind) | after.sources_of(kind)
    changed |= known
    watched = {kind for kind, one in served.served.items() if one.watched}
    return frozenset(watched if changed & {ANY_KIND, STRANGE_KIND} else watched & changed)


def _name(resource: ResourceId) -> str:
    return "ConfigMap " + resource.partition("/")[2]


def _config_map(text: RuleText) -> ResourceId:
    return ResourceId(f"{KIND}/{text.name.partition(' ')[2]}")
