"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386) on plain values. Neither changes what it is given."""

from __future__ import annotations

from typing import Any

from cheops.sandbox.apiserver.statuses import bad_request, rejected_patch
from cheops.sandbox.apiserver.store import copy_of

OPERATIONS_MAX = 10_000  # as the real server


def merge_patch(content: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(content) if isinstance(content, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def json_patch(content: Any, operations: Any) -> Any:
    """Raises StatusError 422 when an operation does not fit the content, 400 when it is none."""
    if not isinstance(operations, list) or len(operations) > OPERATIONS_MAX:
        raise bad_request("error decoding patch: a JSON patch is a list of operations")
    document = {"": copy_of(content)}  # a parent for the root, so that every place has one
    for operation in operations:
        try:
            _operate(document, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise rejected_patch() from error
    return document[""]


def _operate(document: dict[str, Any], operation: dict[str, Any]) -> None:
    path = _steps(operation["path"])
    match operation["op"]:
        case "add":
            _add(document, path, copy_of(operation["value"]))
        case "remove":
            _remove(document, path)
        case "replace":
            _replace(document, path, copy_of(operation["value"]))
        case "move":
            _add(document, path, _remove(document, _steps(operation["from"])))
        case "copy":
            _add(document, path, copy_of(_peek(document, _steps(operation["from"]))))
        case "test":
            if _peek(document, path) != operation["value"]:
                raise ValueError("test failed")
        case other:
            raise ValueError(f"unknown operation {other}")


def _steps(pointer: str) -> list[str]:
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"not a pointer: {pointer}")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]


def _find(value: Any, path: list[str]) -> Any:
    for step in path:
        value = value[_index(value, step, len(value) - 1)] if isinstance(value, list) else value[step]
    return value


def _peek(document: Any, path: list[str]) -> Any:
    """As _find, but what an object does not have is null there, as the real server reads it."""
    parent = _find(document, path[:-1])
    return parent.get(path[-1]) if isinstance(parent, dict) else _find(parent, path[-1:])


def _replace(document: Any, path: list[str], value: Any) -> None:
    """The real server lets it add a field too, only not to a parent that is missing."""
    parent, step = _find(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[step] = value
    else:
        parent[_index(parent, step, len(parent) - 1)] = value


def _add(document: Any, path: list[str], value: Any) -> None:
    parent, step = _find(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if step == "-" else _index(parent, step, len(parent)), value)
    elif isinstance(parent, dict):
        parent[step] = value
    else:
        raise TypeError("neither an object nor a list")


def _remove(document: Any, path: list[str]) -> Any:
    parent, step = _find(document, path[:-1]), path[-1]
    return parent.pop(_index(parent, step, len(parent) - 1)) if isinstance(parent, list) else parent.pop(step)


def _index(values: list[Any], step: str, last: int) -> int:
    """Also from the end, as the real server allows: -1 is the last one."""
    index = int(step)
    if index < 0:
        index += len(values)
    if not 0 <= index <= last:
        raise IndexError(step)
    return index
