"""What can be asked for: (group, version, plural) → Kind. Built-in kinds come from kinds.yaml, others from CRDs.

Several versions of one resource share one collection of the store; `stored_as` says in which version it is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from schemas.documents import parse_value

KINDS_FILE = Path(__file__).with_name("kinds.yaml")
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class CollectionKey(NamedTuple):
    """Where objects are kept: one per resource, whatever the number of its versions."""

    group: str
    plural: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource in one version."""

    group: str
    version: str
    plural: str
    kind: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    has_generation: bool = False
    returns_deleted: bool = False
    needs_version: bool = False
    model: str = ""
    stored_as: str = ""
    custom: bool = False
    columns: tuple[tuple[str, str, str, int], ...] = ()  # of a custom kind's table: name, type, JSON path, priority

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`deployments.apps`, as in messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def collection(self) -> CollectionKey:
        group, _, version = self.stored_as.rpartition("/")
        return CollectionKey(group if version else self.group, self.plural)

    @property
    def is_stored_version(self) -> bool:
        return self.stored_as in ("", self.api_version)

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


class Registry:
    """The served kinds; changes when CRDs do."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        self._kinds[kind.group, kind.version, kind.plural] = kind

    def remove(self, group: str, plural: str) -> None:
        """All versions of it."""
        for key in [key for key in self._kinds if (key[0], key[2]) == (group, plural)]:
            del self._kinds[key]

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def has_version(self, group: str, version: str) -> bool:
        return any(kind.group == group and kind.version == version for kind in self)

    def stored(self, collection: CollectionKey) -> Kind | None:
        """The kind in the version that the collection is kept in."""
        candidates = (kind for kind in self if kind.collection == collection)
        return next((kind for kind in candidates if kind.is_stored_version), None)

    def by_kind(self, api_version: str, kind_name: str) -> Kind | None:
        """For owner references and manifests, which name the kind instead of the plural."""
        group, _, version = api_version.rpartition("/")
        return next((k for k in self if (k.group, k.version, k.kind) == (group, version, kind_name)), None)

    def groups(self) -> dict[str, dict[str, list[Kind]]]:
        """group → version → kinds; the preferred version first."""
        found: dict[str, dict[str, list[Kind]]] = {}
        for kind in self._kinds.values():
            found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
        return found

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())


@cache
def builtin_kinds() -> tuple[Kind, ...]:
    table: dict[str, list[dict[str, Any]]] = parse_value(KINDS_FILE.read_bytes(), KINDS_FILE.name)
    return tuple(_kind(api_version, row) for api_version, rows in table.items() for row in rows)


def _kind(api_version: str, row: dict[str, Any]) -> Kind:
    group, _, version = api_version.rpartition("/")
    return Kind(
        group=group,
        version=version,
        plural=row["plural"],
        kind=row["kind"],
        singular=row["kind"].lower(),
        namespaced=row.get("scope") != "Cluster",
        short_names=tuple(row.get("short", ())),
        categories=tuple(row.get("categories", ())),
        subresources=tuple(row.get("sub", ())),
        verbs=tuple(row.get("verbs", ALL_VERBS)),
        has_generation=row.get("generation", False),
        returns_deleted=row.get("returns_deleted", False),
        needs_version=row.get("needs_version", False),
        model=row.get("model", f"{version.capitalize()}{row['kind']}"),
        stored_as=row.get("stored_as", ""),
    )
