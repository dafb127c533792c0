"""Server-side apply: what is there, what is applied, who owns what → what will be there, or a conflict.

    merge into what is there → take away what the manager stated before and no longer does → whom does it hurt?

A field that somebody else owns and that would change is a conflict; with `force` it changes hands. A field that
is stated with the value it has already gets one more owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cheops.sandbox.apiserver.ownership.entries import BEFORE_FIRST_APPLY, Entry, Owner, ownable, read_entries
from cheops.sandbox.apiserver.ownership.paths import (
    Path,
    Paths,
    compare,
    elements,
    is_granular,
    parts,
    spelled,
    stated,
    with_parents,
)
from cheops.sandbox.apiserver.realm import now_text
from cheops.sandbox.apiserver.schema.shape import ANY, Shape
from cheops.sandbox.apiserver.statuses import Cause, apply_conflict
from cheops.sandbox.apiserver.store import Object


@dataclass(frozen=True, slots=True)
class Applied:
    """What will be there, before the server completes it, and what every manager then owns."""

    content: Object
    entries: list[Entry]


def apply(shape: Shape, live: Object, config: Object, owner: Owner, *, force: bool) -> Applied:
    """`config` without what has no owner is merged. Raises StatusError 409 and UntypedError."""
    entries = _entries_of(shape, live, owner)
    last = next((entry.paths for entry in entries if entry.owner == owner), frozenset())
    others = [entry for entry in entries if entry.owner != owner]
    wanted = ownable(config)
    new = stated(shape, wanted)
    kept = with_parents(new.union(*(entry.paths for entry in others)))
    merged = without(shape, merge(shape, ownable(live), wanted), with_parents(set(last)), kept, ())
    changed, removed = compare(shape, ownable(live), merged)
    others = _settle(others, changed, removed, force)
    own = Entry(owner, frozenset(new), _time(entries, owner, new))
    return Applied(_with_identity(live, merged), [*others, own])


def _entries_of(shape: Shape, live: Object, owner: Owner) -> list[Entry]:
    entries = read_entries(live["metadata"])
    if entries or not live["metadata"].get("uid"):  # without a uid it is not there yet
        return entries
    there, _ = compare(shape, {}, ownable(live))
    first = Owner(BEFORE_FIRST_APPLY, "Update", owner.api_version)
    return [Entry(first, frozenset(there), now_text())]


def _settle(others: list[Entry], changed: Paths, removed: Paths, force: bool) -> list[Entry]:
    conflicts = [
        Cause(spelled(path), "FieldManagerConflict", f"conflict with {_said(entry.owner)}")
        for entry in others
        for path in sorted(entry.paths & changed)
    ]
    if conflicts and not force:
        raise apply_conflict(conflicts)
    return [entry.minus(changed | removed) for entry in others]


def _said(owner: Owner) -> str:
    said = f'"{owner.manager}"'
    if owner.subresource:
        said += f' with subresource "{owner.subresource}"'
    return f"{said} using {owner.api_version}" if owner.operation == "Update" else said


def _time(entries: list[Entry], owner: Owner, paths: Paths) -> str:
    """Owning the same as before is no news."""
    known = next((entry for entry in entries if entry.owner == owner), None)
    return known.time if known is not None and known.paths == paths else now_text()


def merge(shape: Shape, live: Any, config: Any) -> Any:
    """What is applied, over what is there."""
    if config is None and is_granular(shape, live):
        return live  # stated to be nothing, which takes away nothing
    if not (is_granular(shape, live) and is_granular(shape, config) and type(live) is type(config)):
        return config
    if isinstance(config, dict):
        merged = dict(live)
        for name, value in config.items():
            merged[name] = merge(shape.child(name), live[name], value) if name in live else value
        return merged
    return _merge_items(shape, live, config)


def _merge_items(shape: Shape, live: list[Any], config: list[Any]) -> list[Any]:
    """In the order of structured-merge-diff: what both have as it is applied, what only one has where it was."""
    left, right = elements(shape, live), elements(shape, config)
    there, wanted = dict(zip(left, live, strict=True)), dict(zip(right, config, strict=True))
    shared = [key for key in right if key in there]
    merged: dict[str, Any] = {}
    place, next_place = 0, 0
    while place < len(left) or next_place < len(right):
        key = left[place] if place < len(left) else ""
        is_ahead = next_place < len(right) and key != right[next_place]
        if key in wanted and is_ahead and shared and shared[0] != key:  # comes later, where it is applied
            place += 1
            continue
        if key and key not in wanted:
            merged[key] = there[key]
            place += 1
            continue
        if key in merged:
            place += 1
            continue
        if next_place < len(right):
            key = right[next_place]
            merged[key] = merge(shape.items or ANY, there[key], wanted[key]) if key in there else wanted[key]
            next_place += 1
            if shared and shared[0] == key:
                shared.pop(0)
    return list(merged.values())


def without(shape: Shape, value: Any, last: Paths, kept: Paths, path: Path) -> Any:
    """What the manager stated last time goes, unless somebody, it or another, still wants it."""
    if not is_granular(shape, value):
        return value
    remaining = dict(parts(shape, value))
    for element, (below, part) in parts(shape, value).items():
        inner = (*path, element)
        if inner in last and inner not in kept:
            del remaining[element]
        elif inner in last:
            remaining[element] = (below, without(below, part, last, kept, inner))
    if isinstance(value, dict):
        return {element[2:]: part for element, (_, part) in remaining.items()}
    return [part for _, part in remaining.values()]


def _with_identity(live: Object, merged: Object) -> Object:
    """The merged fields in an object that is still the live one."""
    metadata = {**live["metadata"]}
    for name in ("labels", "annotations", "finalizers", "ownerReferences", "generateName"):
        metadata.pop(name, None)
    metadata |= merged.get("metadata") or {}
    body = {name: value for name, value in merged.items() if name != "metadata"}
    return {"kind": live["kind"], "apiVersion": live["apiVersion"], "metadata": metadata, **body}
