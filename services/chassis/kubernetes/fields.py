"""Fields as `managedFields` names them (FieldsV1): whose they are, their part of an object, what differs in them. Pure.

`f:name` a field, `k:{…}` an item of a list by its keys, `v:…` a value of a set, `i:0` an item by its place, `.` the
thing itself. The API server knows from its schema which lists have keys; whoever reads this need not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Fields = Mapping[str, Any]
MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not what it was. `now` is MISSING when it is gone."""

    path: str
    before: Any
    now: Any


def applied_by(live: Mapping[str, Any], manager: str) -> dict[str, Any]:
    """The fields that `manager` has applied."""
    found: dict[str, Any] = {}
    for row in rows(live):
        if row.get("manager") == manager and row.get("operation") == "Apply" and not row.get("subresource"):
            found |= row.get("fieldsV1") or {}
    return found


def rows(live: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Who has said what of an object."""
    metadata = live.get("metadata")
    found = metadata.get("managedFields") if isinstance(metadata, Mapping) else None
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def pick(value: Any, fields: Fields) -> Any:
    """The part of a value that a set of fields names; of an item that is named as such (`.`) the keys are kept."""
    inner = _inner(fields)
    if not inner:
        return value
    if isinstance(value, Mapping):
        found = {}
        for name, inside in inner.items():
            one = _child(value, name)
            if one is not MISSING:
                found[name[2:]] = pick(one, inside)
        return found
    if isinstance(value, list):
        picked = [_picked_item(value, name, inside) for name, inside in inner.items()]
        return [one for one in picked if one is not MISSING]
    return value


def differing(fields: Fields, before: Any, now: Any, path: str = "") -> Iterator[Difference]:
    """What these fields were and are not any more. What others have added beside them does not count."""
    inner = _inner(fields)
    if not inner:
        is_only_there = isinstance(now, Mapping) and ("." in fields or before == {})  # others may fill it
        if not is_only_there and before != now:
            yield Difference(path, before, now)
        return
    for name, inside in inner.items():
        was, is_now = _child(before, name), _child(now, name)
        there = f"{path}{_step(name, path)}"
        if was is MISSING:
            continue
        if is_now is MISSING:
            yield Difference(there, was, MISSING)
        elif not name.startswith("v:"):
            yield from differing(inside, was, is_now, there)


def _inner(fields: Fields) -> dict[str, Any]:
    return {name: inside for name, inside in fields.items() if name != "."}


def _picked_item(values: list[Any], name: str, inside: Fields) -> Any:
    one = _child(values, name)
    if one is MISSING or name.startswith("v:"):
        return one
    picked = pick(one, inside)
    return {**json.loads(name[2:]), **picked} if name.startswith("k:") and isinstance(picked, dict) else picked


def _child(value: Any, name: str) -> Any:
    """What a field's name leads to."""
    kind, _, text = name.partition(":")
    if kind == "f":
        return value.get(text, MISSING) if isinstance(value, Mapping) else MISSING
    if not isinstance(value, list):
        return MISSING
    if kind == "i":
        return value[int(text)] if int(text) < len(value) else MISSING
    wanted = json.loads(text)
    if kind == "v":
        return next((one for one in value if one == wanted), MISSING)
    return next((one for one in value if isinstance(one, Mapping) and _has(one, wanted)), MISSING)


def _has(item: Mapping[str, Any], keys: Mapping[str, Any]) -> bool:
    return all(item.get(key) == wanted for key, wanted in keys.items())


def _step(name: str, path: str) -> str:
    """As people write it: `.image`, `['cheops.io/parts']`, `[name=web]`."""
    kind, _, text = name.partition(":")
    if kind == "f" and text.replace("_", "").replace("-", "").isalnum():
        return f".{text}" if path else text
    if kind == "k":
        return f"[{','.join(f'{key}={one}' for key, one in json.loads(text).items())}]"
    return f"['{text}']" if kind == "f" else f"[{text}]"
