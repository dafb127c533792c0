"""Bytes of a request → an object, with the duplicate fields that were found on the way.

JSON, or YAML where the API takes it. A duplicate field is a mistake that parsers hide, so it is looked for here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.statuses import StatusError, bad_request, unsupported_media_type
from cheops.sandbox.apiserver.store import Object
from cheops.sandbox.apiserver.wire.reading import MEDIA_TYPE, read_protobuf

JSON, YAML = "application/json", "application/yaml"
ACCEPTED = f"{JSON}, {YAML}, {MEDIA_TYPE}"


@dataclass(slots=True)
class Body:
    """An object and the paths of its duplicate fields."""

    content: Object
    duplicates: list[str]


class _Duplicates(dict[str, Any]):
    """An object in which some names came twice."""

    names: tuple[str, ...] = ()


def read_body(raw: bytes, content_type: str, kind: Kind) -> Body:
    """Raises StatusError 400 and 415."""
    media_type = content_type.partition(";")[0].strip() or JSON
    if media_type == MEDIA_TYPE:
        return _from_protobuf(raw, kind)
    if media_type not in (JSON, YAML):
        raise unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {ACCEPTED}"
        )
    return parse_object(raw, kind, is_yaml=media_type == YAML)


def _from_protobuf(raw: bytes, kind: Kind) -> Body:
    try:
        return Body(read_protobuf(raw), [])
    except (ValueError, RecursionError) as error:
        raise _unrecognized(kind, f"protobuf error: {error}", raw) from error


def parse_object(raw: bytes, kind: Kind, *, is_yaml: bool) -> Body:
    try:
        content = _parse(raw, is_yaml)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise _unrecognized(kind, f"json parse error: {error}", raw) from error
    if not isinstance(content, dict):
        raise _unrecognized(kind, f"json parse error: cannot unmarshal {type(content).__name__} into an object", raw)
    duplicates = list(_duplicate_paths(content, "")) if _found_duplicates(content) else []
    return Body(content, duplicates)


def parse_json(raw: bytes) -> Any:
    """Of a patch. Raises StatusError 400."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"error decoding patch: {error}") from error


def _parse(raw: bytes, is_yaml: bool) -> Any:
    if not is_yaml or raw.lstrip().startswith(b"{"):
        try:
            return json.loads(raw, object_pairs_hook=_pairs)
        except ValueError:
            if not is_yaml:
                raise
    return _from_yaml(raw)


def _from_yaml(raw: bytes) -> Any:
    """By way of JSON, so that numbers as keys and dates become what the API knows."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return json.loads(json.dumps(yaml.load(raw, Loader=loader), default=str))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) == len(pairs):
        return content
    seen: set[str] = set()
    marked = _Duplicates(content)
    marked.names = tuple(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # add returns None, which is the point
    return marked


def _found_duplicates(content: Any) -> bool:
    """Cheap enough to ask always: most objects have none."""
    if isinstance(content, dict):
        return isinstance(content, _Duplicates) or any(map(_found_duplicates, content.values()))
    return isinstance(content, list) and any(map(_found_duplicates, content))


def _duplicate_paths(content: Any, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(content, _Duplicates):
        found += [f"{path}{name}" for name in content.names]
    if isinstance(content, dict):
        for name, value in content.items():
            found += _duplicate_paths(value, f"{path}{name}.")
    elif isinstance(content, list):
        for index, value in enumerate(content):
            found += _duplicate_paths(value, f"{path.removesuffix('.')}[{index}].")
    return found


def _unrecognized(kind: Kind, why: str, raw: bytes) -> StatusError:
    shown = raw[:100].decode(errors="replace") or "<empty>"
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get version/kind; {why} ({shown})"
    )
