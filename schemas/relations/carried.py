"""ConfigMap that carries rules → fact of its state → rule files → the catalogue of a site, made anew with them. Pure.

    ConfigMap, label cheops.io/rules: "true"; each value of `data` is a rule file (docs/adr/0031)
      └▶ watcher: fact `rules` of its state, {key: text} as JSON ─▶ Rulebook of the resolver ─▶ catalogue

What is in force follows from what is there now, and from nothing before: a file that cannot be used is left out, with
its reason, and all others hold. So whoever starts again, and whoever was there all the time, read by the same rules.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from schemas.documents import Document
from schemas.identity import KindId, ResourceId, resource_id
from schemas.kinds import Surface
from schemas.relations.loader import ANY_KIND, STRANGE_KIND, Catalogue, assembled
from schemas.relations.rule_file import ReadFile, RuleError, RuleText, Source, read
from schemas.ties import RULES, RULES_FACT
from schemas.untyped import mapping_of

KIND: Final = KindId("ConfigMap")
BYTES_MAX: Final = 256 * 1024  # of all that a site's ConfigMaps carry, as their facts say it
FILES_MAX: Final = 100  # of them
SELECTOR: Final = f"{RULES}=true"
TOO_LARGE: Final = False  # the fact of one that is larger by itself


def carries(labels: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap with these labels holds rules."""
    return labels.get(RULES) == "true"


def fact_of(data: Any) -> str | bool:
    """The fact of a ConfigMap whose `data` this is."""
    texts = {key: text for key, text in mapping_of(data).items() if isinstance(text, str)}
    if sum(map(len, texts.values())) > BYTES_MAX:
        return TOO_LARGE
    fact = json.dumps(texts, ensure_ascii=False, sort_keys=True)
    return fact if len(fact.encode("utf-8", "replace")) <= BYTES_MAX else TOO_LARGE


class Rulebook:
    """The rules of a site: shipped ones, those of files, and those of ConfigMaps in `namespace` ("": none are read).

    edition     a digest of the version of Cheops and of the rules in files: who has the same reads objects alike, where
                the same ConfigMaps are
    catalogue   as of the last `renew`
    refused     what of the ConfigMaps is not in force, by ConfigMap
    """

    def __init__(self, files: Sequence[Path] = (), namespace: str = "") -> None:
        """Raises RuleError for a file."""
        self.namespace = namespace
        self._base = assembled(files)
        self.edition = _edition(one for one in self._base.catalogue.files if isinstance(one, Path))
        self.catalogue = self._base.catalogue
        self.refused: dict[ResourceId, tuple[RuleError, ...]] = {}
        self._carried: dict[ResourceId, object] = {}
        self._read = dict(self._carried)
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
            self._carried[resource] = facts[RULES_FACT]

    def keep(self, there: set[ResourceId]) -> None:
        """All others are gone."""
        for resource in self._carried.keys() - there:
            del self._carried[resource]

    def renew(self) -> Catalogue | None:
        """Read what was noted; the catalogue before when there is another one now, None when all is as it was."""
        if self._carried == self._read:
            return None
        before, self._read = self.catalogue, dict(self._carried)
        refused: list[tuple[ResourceId, RuleError]] = []
        files = [*self._files_in(refused)]
        while True:
            try:
                made = self._base.copy()
                made.add(files)
                break
            except RuleError as error:
                bad = error.text or files[-1].source  # a fragment of a file, which nobody had used before
                refused.append((_config_map(bad), error))
                files = [one for one in files if one.source != bad]
        self.catalogue = made.catalogue if files else self._base.catalogue
        by_resource = sorted({resource for resource, _ in refused})
        self.refused = {one: tuple(error for resource, error in refused if resource == one) for one in by_resource}
        return before

    def _files_in(self, refused: list[tuple[ResourceId, RuleError]]) -> Iterator[ReadFile]:
        """Those that can be understood by themselves, within the bounds."""
        bytes_left, files_left = BYTES_MAX, FILES_MAX
        for resource in sorted(self._carried):
            fact = self._carried[resource]
            texts = texts_of(resource, fact)
            size = len(fact.encode("utf-8", "replace")) if isinstance(fact, str) else BYTES_MAX + 1
            if size > bytes_left or len(texts) > files_left:
                reason = f"more than {BYTES_MAX // 1024} KiB or {FILES_MAX} files of rules in all"
                refused.append((resource, RuleError(_name(resource), 1, reason)))
                continue
            bytes_left, files_left = bytes_left - size, files_left - len(texts)
            for text in texts:
                try:
                    yield read(text)
                except RuleError as error:
                    refused.append((resource, error))

    def words(self) -> Iterator[str]:
        """What is not in force, and why, a line each."""
        for errors in self.refused.values():
            yield from map(str, errors)


def _edition(files: Iterable[Path]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in (version("cheops").encode(), *(path.read_bytes() for path in sorted(files))):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


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


def _config_map(text: Source) -> ResourceId:
    assert isinstance(text, RuleText), "files are read before"
    return ResourceId(f"{KIND}/{text.name.partition(' ')[2]}")
