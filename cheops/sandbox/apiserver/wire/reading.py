"""application/vnd.kubernetes.protobuf → the same object as JSON would have brought.

    "k8s\\0" + Unknown{apiVersion and kind, bytes} → message by number → names and values of fields.yaml

kubectl writes so where it makes an object itself (create namespace, run, auth can-i); answers may be JSON, which it
accepts as well. A field that Go always writes is dropped when it is empty, as JSON's omitempty does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

MAGIC = b"k8s\0"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
TABLE_FILE = Path(__file__).with_name("fields.yaml")
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
GROUPS = {"rbac.authorization.k8s.io": "rbac", "": "core"}  # others are the first word of the API group
SIGN_BIT, MODULUS = 1 << 63, 1 << 64

Value = int | bytes


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the table."""

    name: str
    kind: str
    mark: str


def read_protobuf(raw: bytes) -> dict[str, Any]:
    """Raises ValueError."""
    if not raw.startswith(MAGIC):
        raise ValueError("it does not begin like protobuf of Kubernetes")
    envelope = dict(_fields(raw[len(MAGIC) :]))
    head = {number: _text(value) for number, value in _fields(_bytes(envelope.get(1, b"")))}
    api_version, kind = head.get(1, ""), head.get(2, "")
    content = _message(_message_name(api_version, kind), _bytes(envelope.get(2, b"")))
    return {"kind": kind, "apiVersion": api_version, **content}


def _message_name(api_version: str, kind: str) -> str:
    if kind == "DeleteOptions":
        return "meta.v1.DeleteOptions"
    group, _, version = api_version.rpartition("/")
    return f"{GROUPS.get(group) or group.partition('.')[0]}.{version}.{kind}"


def _message(name: str, raw: bytes) -> dict[str, Any]:
    rows = _table().get(name)
    if rows is None:
        raise ValueError(f"protobuf of {name} is not known here, JSON is")
    content: dict[str, Any] = {}
    for number, value in _fields(raw):
        if (field := rows.get(number)) is not None:
            _put(content, field, value)
    return {key: value for key, value in content.items() if value is not None}


def _put(content: dict[str, Any], field: Field, value: Value) -> None:
    if field.mark == "^":
        content |= _message(field.kind, _bytes(value))
    elif field.kind.startswith("map<"):
        key, item = _entry(field.kind[4:-1], _bytes(value))
        content.setdefault(field.name, {})[key] = item
    elif field.mark == "*":
        content.setdefault(field.name, []).append(_value(field.kind, value))
    else:
        found = _value(field.kind, value)
        if field.mark == "?" or found not in ("", 0, None, {}):
            content[field.name] = found


def _entry(kind: str, raw: bytes) -> tuple[str, Any]:
    parts = dict(_fields(raw))
    return _text(parts.get(1, b"")), _value(kind, parts.get(2, b""))


def _value(kind: str, value: Value) -> Any:
    if (read := _PLAIN.get(kind)) is not None:
        return read(value)
    return _message(kind, _bytes(value))


def _text(value: Value) -> str:
    return _bytes(value).decode()


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number where bytes are expected")
    return value


def _int(value: Value) -> int:
    if not isinstance(value, int):
        raise ValueError("bytes where a number is expected")
    return value - MODULUS if value >= SIGN_BIT else value


def _time(value: Value) -> str | None:
    """None for the zero time, which Go writes as nothing."""
    parts = dict(_fields(_bytes(value)))
    if not parts:
        return None
    return datetime.fromtimestamp(_int(parts.get(1, 0)), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(value: Value) -> str | None:
    parts = dict(_fields(_bytes(value)))
    if not parts:
        return None
    seconds, nanos = _int(parts.get(1, 0)), _int(parts.get(2, 0))
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{nanos // 1000:06d}Z"


def _quantity(value: Value) -> str:
    return _text(dict(_fields(_bytes(value))).get(1, b""))


def _int_or_text(value: Value) -> int | str:
    parts = dict(_fields(_bytes(value)))
    return _text(parts.get(3, b"")) if parts.get(1) else _int(parts.get(2, 0))


def _json(value: Value) -> Any:
    raw = dict(_fields(_bytes(value))).get(1, b"")
    return json.loads(_bytes(raw)) if raw else None


_PLAIN: dict[str, Callable[[Value], Any]] = {
    "": _text,
    "text": _text,
    "int": _int,
    "bool": lambda value: bool(_int(value)),
    "bytes": lambda value: base64.b64encode(_bytes(value)).decode(),
    "time": _time,
    "microtime": _micro_time,
    "quantity": _quantity,
    "intstr": _int_or_text,
    "json": _json,
}


def _fields(raw: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field, in the order of the bytes."""
    place = 0
    while place < len(raw):
        tag, place = _varint(raw, place)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            value, place = _varint(raw, place)
            yield number, value
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(wire_type, -1)
        if wire_type == BYTES:
            size, place = _varint(raw, place)
        if size < 0 or place + size > len(raw):
            raise ValueError("protobuf ends too early")
        yield number, raw[place : place + size]
        place += size


def _varint(raw: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(raw) and shift < 70:  # ten bytes hold 64 bits
        byte = raw[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise ValueError("protobuf ends too early")


@cache
def _table() -> dict[str, dict[int, Field]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    rows: dict[str, dict[int, str]] = yaml.load(TABLE_FILE.read_text(encoding="utf-8"), Loader=loader)
    return {name: {number: _field(said) for number, said in row.items()} for name, row in rows.items()}


def _field(said: str) -> Field:
    name, _, kind = said.partition(" ")
    mark = kind[-1:] if kind[-1:] in ("*", "?", "^") else ""
    return Field(name, kind.removesuffix(mark) if mark else kind, mark)
