"""managedFields: read, changed by an update, written back.

An update makes its manager the owner of what it changed, and takes what it removed from everybody. An object whose
managedFields are gone is not tracked again before somebody applies: then "before-first-apply" owns what was there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cheops.sandbox.apiserver.ownership.paths import FieldsV1, Paths, compare, from_fields_v1, to_fields_v1
from cheops.sandbox.apiserver.realm import now_text
from cheops.sandbox.apiserver.schema.shape import Shape
from cheops.sandbox.apiserver.store import Object

Operation = Literal["Apply", "Update"]

OWNED_METADATA = ("labels", "annotations", "finalizers", "ownerReferences", "generateName")
BEFORE_FIRST_APPLY = "before-first-apply"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whoever writes. The same manager owns separately what it applies and what it updates."""

    manager: str
    operation: Operation
    api_version: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one owner owns."""

    owner: Owner
    paths: frozenset[tuple[str, ...]]
    time: str
    fields: FieldsV1 | None = field(default=None, compare=False)  # the same paths as they are stored

    def minus(self, paths: Paths) -> Entry:
        """Itself when it has none of them: most entries are not touched by most writes."""
        return replace(self, paths=self.paths - paths, fields=None) if self.paths & paths else self

    def body(self) -> Object:
        owner = self.owner
        body: Object = {"manager": owner.manager, "operation": owner.operation, "apiVersion": owner.api_version}
        body |= {"time": self.time, "fieldsType": "FieldsV1", "fieldsV1": self.fields or to_fields_v1(self.paths)}
        return {**body, "subresource": owner.subresource} if owner.subresource else body


def read_entries(metadata: Object) -> list[Entry]:
    return [_entry(body) for body in metadata.get("managedFields") or () if body]


def _entry(body: dict[str, Any]) -> Entry:
    owner = Owner(
        body.get("manager", ""),
        body.get("operation", "Update"),
        body.get("apiVersion", ""),
        body.get("subresource", ""),
    )
    fields = body.get("fieldsV1") or {}
    return Entry(owner, frozenset(from_fields_v1(fields)), body.get("time", ""), fields)


def write_entries(metadata: Object, entries: list[Entry]) -> None:
    """In the server's order; empty ones are left out."""
    kept = [entry for entry in entries if entry.paths]
    kept.sort(key=lambda entry: (entry.owner.operation, entry.time, entry.owner.manager, entry.owner.api_version))
    metadata.pop("managedFields", None)
    if kept:
        metadata["managedFields"] = [entry.body() for entry in kept]


def track_create(shape: Shape, content: Object, owner: Owner) -> None:
    """The creator owns everything that is there."""
    changed, _ = compare(shape, {}, ownable(content))
    write_entries(content["metadata"], [Entry(owner, frozenset(changed), now_text())])


def track_update(shape: Shape, before: Object, after: Object, owner: Owner) -> None:
    """Writes the managedFields of `after`; those that it brings itself are taken as the starting point."""
    entries = _starting_entries(before["metadata"], after["metadata"])
    if not entries:
        after["metadata"].pop("managedFields", None)
        return
    changed, removed = compare(shape, ownable(before), ownable(after))
    write_entries(after["metadata"], updated_entries(entries, owner, changed, removed))


def updated_entries(entries: list[Entry], owner: Owner, changed: Paths, removed: Paths) -> list[Entry]:
    """What somebody changed becomes theirs alone."""
    kept: list[Entry] = []
    own: Paths = set(changed)
    touched = changed | removed
    for entry in entries:
        if entry.owner == owner:
            own |= entry.paths - removed
        else:
            kept.append(entry.minus(touched))
    known = next((entry for entry in entries if entry.owner == owner), None)
    same = known is not None and known.paths == own
    kept.append(known if known is not None and same else Entry(owner, frozenset(own), now_text()))
    return kept


def _starting_entries(before: Object, after: Object) -> list[Entry]:
    given = after.get("managedFields")
    if given in ([{}], []):
        return []
    return read_entries(after if given else before)


def ownable(content: Object) -> Object:
    """The fields that have owners: not identity, not what the server keeps."""
    found = {name: value for name, value in content.items() if name not in ("kind", "apiVersion", "metadata")}
    metadata = content.get("metadata") or {}
    owned = {name: metadata[name] for name in OWNED_METADATA if name in metadata}
    return {"metadata": owned, **found} if owned else found
