"""Object → its state: identity, references, parts, facts. One pass, used live by the watcher and offline. Pure.

Rules are compiled once per kind (by_name.py, by_labels.py, by_text.py) and walked as one tree (places.py). Values of
ConfigMaps and Secrets end here: their keys become parts, and the digest of a confidential object is taken over key
names only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from schemas.events import Reference, ResourceState, ServedKind
from schemas.identity import KindId, ResourceKey, kind_id, split_kind
from schemas.kinds import Surface, one_group
from schemas.relations.facts import Facts
from schemas.relations.fixed import FixedFields
from schemas.relations.loader import ANY_KIND, STRANGE_KIND, Catalogue
from schemas.relations.mounts import VOLUME_RULES, start_only
from schemas.relations.places import places_of, roam
from schemas.relations.reading import KINDS_MAX, Key, Read, Run
from schemas.relations.selector import labels_of

_SERVER_SET: Final = frozenset(
    ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp")
)
_MAPPINGS: Final = (dict, Mapping)  # nearly all are dicts, and that is asked for in no time
_NOTHING: Final[dict[str, Any]] = {}
_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Extractor:
    """The rules of a catalogue, ready for the kinds of one site."""

    def __init__(self, catalogue: Catalogue, surface: Surface) -> None:
        self._catalogue = catalogue
        self._surface = _with_packs(surface, catalogue)
        self._places: dict[KindId, Read] = {}
        self._facts: dict[KindId, Facts] = {}
        self._kinds: dict[tuple[str, str], tuple[str, bool | None]] = {}
        strange = catalogue.rules.get(KindId(STRANGE_KIND), ())
        self._stranger_place = places_of([(mounted.rule, mounted.at) for mounted in strange], self._surface)
        self._strangers: set[KindId] = set()
        self._mounting: set[KindId] = set()  # kinds that make pods with volumes
        self._shared: dict[Key, Reference] = {}
        self._texts: dict[Key, tuple[Reference, ...]] = {}
        self._fixed: dict[KindId, FixedFields] = {}

    def key(self, body: Mapping[str, Any]) -> ResourceKey:
        """The identity; a cluster-scoped object loses its namespace, as at the API server."""
        metadata = body.get("metadata")
        metadata = metadata if isinstance(metadata, _MAPPINGS) else _NOTHING
        kind = str(body.get("kind") or "")
        group, namespaced = self._served(str(body.get("apiVersion") or ""), kind)
        namespace = str(metadata.get("namespace") or "")
        if namespaced is not None:
            namespace = (namespace or "default") if namespaced else ""
        return ResourceKey(group, kind, namespace, str(metadata.get("name") or metadata.get("generateName") or ""))

    def _served(self, version: str, kind: str) -> tuple[str, bool | None]:
        """The group of a kind, and whether its objects have namespaces (None: nobody serves it)."""
        found = self._kinds.get((version, kind))
        if found is None:
            if len(self._kinds) >= KINDS_MAX:
                self._kinds.clear()
            group = one_group(version.rpartition("/")[0], kind)
            served = self._surface.find(kind_id(group, kind))
            found = self._kinds[version, kind] = group, None if served is None else served.namespaced
        return found

    def state(self, body: Mapping[str, Any]) -> ResourceState:
        """The whole state, without values."""
        key = self.key(body)
        kind = key.kind_id
        metadata = body.get("metadata")
        metadata = metadata if isinstance(metadata, _MAPPINGS) else _NOTHING
        facts = self._facts.get(kind) or self._learn(kind)
        run = Run(key, body, self._shared, self._texts)
        self._places[kind](body, "", run)
        if kind in self._strangers:
            roam(self._stranger_place, body, run)
        finalizers = metadata.get("finalizers")
        return ResourceState(
            resource=key.id,
            version=str(body.get("apiVersion") or "v1").rpartition("/")[2],
            uid=str(metadata.get("uid") or ""),
            resource_version=str(metadata.get("resourceVersion") or ""),
            digest=_digest(body, facts.confidential),
            deleting=metadata.get("deletionTimestamp") is not None,
            labels=labels_of(metadata.get("labels")),
            template_labels=facts.template_labels(body),
            references=tuple(start_only(run.found, body) if kind in self._mounting else run.found),
            parts=facts.parts(body),
            facts=facts.read(body),
            finalizers=tuple(map(str, finalizers)) if isinstance(finalizers, list) else (),
            grants=facts.grants(body, key),
        )

    def fixed(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
        """Paths of immutable fields that `new` would change."""
        kind = self.key(new).kind_id
        found = self._fixed.get(kind)
        if found is None:
            found = self._fixed[kind] = FixedFields(self._catalogue.kinds.get(kind))
        return found.changed(old, new)

    def _learn(self, kind: KindId) -> Facts:
        rules = (*self._catalogue.rules.get(kind, ()), *self._catalogue.rules.get(KindId(ANY_KIND), ()))
        self._places[kind] = places_of([(mounted.rule, mounted.at) for mounted in rules], self._surface)
        if any(mounted.rule.rule.startswith(VOLUME_RULES) for mounted in rules):
            self._mounting.add(kind)
        known = self._catalogue.kinds.get(kind)
        if known is None and kind not in self._catalogue.rules and not self._surface.is_built_in(split_kind(kind)[0]):
            self._strangers.add(kind)
        facts = self._facts[kind] = Facts(known, self._catalogue.kinds.get(KindId(ANY_KIND)))
        return facts


def _with_packs(surface: Surface, catalogue: Catalogue) -> Surface:
    """What the site serves, and what the catalogue knows of custom kinds that it does not serve (yet)."""
    known = [
        ServedKind(kind, facts.plural, (), facts.namespaced)
        for kind, facts in catalogue.kinds.items()
        if facts.plural and surface.find(kind) is None
    ]
    return Surface((*surface.served.values(), *known)) if known else surface


def _digest(body: Mapping[str, Any], confidential: bool) -> str:
    metadata = body.get("metadata")
    kept = (
        {name: one for name, one in metadata.items() if name not in _SERVER_SET} if isinstance(metadata, dict) else {}
    )
    rest: dict[str, Any] = {name: one for name, one in body.items() if name not in ("metadata", "status")}
    if confidential:
        rest = {name: sorted(one) if isinstance(one, dict) else one for name, one in rest.items()}
        kept.pop("annotations", None)  # kubectl's last-applied annotation repeats the values
    return hashlib.blake2b(_encode({"metadata": kept, **rest}), digest_size=12).hexdigest()
