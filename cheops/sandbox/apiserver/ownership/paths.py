"""Sets of field paths, as managedFields spells them, and how to get them from objects.

    ("f:spec", "f:containers", 'k:{"name":"web"}', "f:image")      f: a field, k: a list item by its keys, v: by value

Two questions are answered here: which fields does this object state (`stated`), and what is different between these
two (`compare`). What is atomic is one path, whatever is in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from cheops.sandbox.apiserver.schema.shape import ANY, Shape

Path = tuple[str, ...]
Paths = set[Path]
FieldsV1 = dict[str, Any]

ITSELF = "."


EMPTY_KEYS: dict[str, Any] = {"string": "", "integer": 0}


class UntypedError(Exception):
    """A list whose items cannot be told apart: one lacks its key, or two have the same."""


def is_granular(shape: Shape, value: Any) -> bool:
    """Whether parts of the value can have different owners."""
    if shape.atomic:
        return False
    if isinstance(value, dict):
        return True
    return isinstance(value, list) and bool(shape.keys or shape.is_set)


def parts(shape: Shape, value: Any) -> dict[str, tuple[Shape, Any]]:
    """The parts of a granular value by path element."""
    if isinstance(value, dict):
        return {f"f:{name}": (shape.child(name), below) for name, below in value.items()}
    items = shape.items or ANY
    return {element: (items, item) for element, item in zip(elements(shape, value), value, strict=True)}


def elements(shape: Shape, values: list[Any]) -> list[str]:
    """The path elements of the items of a set or a keyed list, in order; a double one is there twice."""
    return [f"v:{_json(item)}" if shape.is_set else item_key(shape, item) for item in values]


def item_key(shape: Shape, item: Any) -> str:
    """Raises UntypedError. A key that has a default may be left out: the protocol of a port."""
    if not isinstance(item, dict):
        raise UntypedError("associative list with keys may not have non-map elements")
    return "k:" + _json({key: item[key] if key in item else _default_key(shape, key) for key in sorted(shape.keys)})


def _default_key(shape: Shape, key: str) -> Any:
    """Required plain fields of built-in kinds default to nothing, so that it is validation that misses them."""
    items = shape.items or ANY
    if key in items.defaults:
        return items.defaults[key]
    if items.is_builtin and key in items.required and (kind := items.child(key).type) in EMPTY_KEYS:
        return EMPTY_KEYS[kind]
    raise UntypedError(
        f'associative list with keys has an element that omits key field "{key}" (and doesn\'t have default value)'
    )


def stated(shape: Shape, value: Any) -> Paths:
    """The fields that an applied object states. Raises UntypedError."""
    found: Paths = set()
    _state(shape, value, (), found)
    found.discard(())  # the object itself
    return found


def _state(shape: Shape, value: Any, path: Path, found: Paths) -> None:
    if not is_granular(shape, value):
        found.add(path)
        return
    if not value:
        found.add(path)
    _check_elements(shape, value, path)
    named = shape.fields
    for element, (below, part) in parts(shape, value).items():
        inner = (*path, element)
        if element[0] != "f" or element[2:] not in named:  # an item, or a key of a map
            found.add(inner)
        _state(below, part, inner, found)


def _check_elements(shape: Shape, value: Any, path: Path) -> None:
    if not isinstance(value, list):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        try:
            element = elements(shape, [item])[0]
        except UntypedError as error:
            raise UntypedError(f"{spelled(path)}: element {index}: {error}") from error
        if element in seen:
            raise UntypedError(f"{spelled(path)}: duplicate entries for key {_spelled_element(element)}")
        seen.add(element)


def compare(shape: Shape, before: Any, after: Any) -> tuple[Paths, Paths]:
    """Paths that were added or modified, paths that were removed."""
    changed: Paths = set()
    removed: Paths = set()
    _compare(shape, before, after, (), changed, removed)
    return changed, removed


def _compare(shape: Shape, before: Any, after: Any, path: Path, changed: Paths, removed: Paths) -> None:
    if before == after:
        return
    if not (is_granular(shape, before) and is_granular(shape, after) and type(before) is type(after)):
        _all(shape, before, path, removed)
        _all(shape, after, path, changed)
        removed -= changed
        return
    old, new = _parts(shape, before), _parts(shape, after)
    for element in {**old, **new}:
        inner = (*path, element)
        if element not in new:
            _all(old[element][0], old[element][1], inner, removed)
        elif element not in old:
            _all(new[element][0], new[element][1], inner, changed)
        else:
            _compare(new[element][0], old[element][1], new[element][1], inner, changed, removed)


def _all(shape: Shape, value: Any, path: Path, found: Paths) -> None:
    """Everything below, and what holds it: maps, lists and items count themselves, named structures do not."""
    if value is None:
        return
    if not is_granular(shape, value):
        found.add(path)
        return
    if not value or shape.type != "object" or path[-1][:2] == "k:":
        found.add(path)
    for element, (below, part) in _parts(shape, value).items():
        _all(below, part, (*path, element), found)


def _parts(shape: Shape, value: Any) -> dict[str, tuple[Shape, Any]]:
    """Of an object that is there already: it may lack keys, then it cannot be looked into."""
    try:
        return parts(shape, value)
    except UntypedError:
        return {}


def to_fields_v1(paths: Iterable[Path]) -> FieldsV1:
    root: FieldsV1 = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node[ITSELF] = {}
    return _without_lone_dots(root)


def _without_lone_dots(node: FieldsV1) -> FieldsV1:
    if len(node) == 1 and ITSELF in node:
        return {}
    return {element: _without_lone_dots(below) if element != ITSELF else {} for element, below in node.items()}


def from_fields_v1(fields: FieldsV1) -> Paths:
    return set(_walk(fields, ()))


def _walk(node: FieldsV1, path: Path) -> Iterator[Path]:
    if path and (not node or ITSELF in node):
        yield path
    for element, below in node.items():
        if element != ITSELF:
            yield from _walk(below, (*path, element))


def with_parents(paths: Paths) -> Paths:
    """The paths and everything that they lie in."""
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def spelled(path: Path) -> str:
    """As in a conflict: `.spec.containers[name="web"].image`."""
    return "".join(map(_spelled_element, path))


def _spelled_element(element: str) -> str:
    kind, value = element[0], element[2:]
    if kind == "f":
        return f".{value}"
    if kind == "v":
        return f"[={value}]"
    return "[" + ",".join(f"{key}={_json(part)}" for key, part in json.loads(value).items()) + "]"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
