"""Strategic merge patch: like a merge patch, but lists with a merge key merge item by item.

$patch: delete | replace | merge        of an object, or of an item
$deleteFromPrimitiveList/<field>        values that go from a list of plain values
$setElementOrder/<field>                the order of the items afterwards
$retainKeys                             the only fields that stay
"""

from __future__ import annotations

from typing import Any

from cheops.sandbox.apiserver.schema.shape import ANY, Shape
from cheops.sandbox.apiserver.statuses import StatusError, bad_request

PATCH, RETAIN = "$patch", "$retainKeys"
ORDER, DELETE_VALUES = "$setElementOrder/", "$deleteFromPrimitiveList/"


def strategic_merge(shape: Shape, content: Any, patch: Any) -> Any:
    """Changes neither of them. Raises StatusError when the patch is none."""
    if not isinstance(patch, dict) or not isinstance(content, dict):
        return _clean(patch)
    directive = patch.get(PATCH, "merge")
    if directive == "replace":
        return _clean(patch)
    if directive == "delete":
        return {}
    if directive != "merge":
        raise bad_request(f"unknown $patch directive: {directive}")
    merged = {name: value for name, value in content.items() if RETAIN not in patch or name in patch[RETAIN]}
    for name, value in patch.items():
        if not name.startswith("$"):
            _merge_field(shape.child(name), merged, name, value)
    for name, values in patch.items():
        if name.startswith(DELETE_VALUES):
            _delete_values(merged, name.removeprefix(DELETE_VALUES), values)
        elif name.startswith(ORDER):
            field = name.removeprefix(ORDER)
            _set_order(shape.child(field), merged, field, values)
    return merged


def _merge_field(shape: Shape, merged: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        merged.pop(name, None)
    elif isinstance(value, list):
        merged[name] = _merge_list(shape, merged.get(name) or [], value)
    else:
        merged[name] = strategic_merge(shape, merged.get(name, {}), value)


def _merge_list(shape: Shape, values: list[Any], patch: list[Any]) -> list[Any]:
    if shape.merges_values:
        return [*values, *(value for value in patch if value not in values)]
    if not shape.merge_key or not isinstance(values, list):
        return [_clean(item) for item in patch]
    if any(isinstance(item, dict) and item.get(PATCH) == "replace" for item in patch):
        return [_clean(item) for item in patch if item.get(PATCH) != "replace" or len(item) > 1]
    merged = list(values)
    for item in patch:
        _merge_item(shape, merged, item)
    return merged


def _merge_item(shape: Shape, merged: list[Any], item: dict[str, Any]) -> None:
    key = shape.merge_key
    if not isinstance(item, dict) or key not in item:
        raise StatusError(500, "", f"map: {_go_map(item)} does not contain declared merge key: {key}")
    places = [place for place, one in enumerate(merged) if isinstance(one, dict) and one.get(key) == item[key]]
    if item.get(PATCH) == "delete":
        for place in reversed(places):
            del merged[place]
    elif places:
        merged[places[0]] = strategic_merge(shape.items or ANY, merged[places[0]], item)
    else:
        merged.append(_clean(item))


def _delete_values(merged: dict[str, Any], name: str, values: list[Any]) -> None:
    if name in merged:
        merged[name] = [value for value in merged[name] if value not in values]


def _set_order(shape: Shape, merged: dict[str, Any], name: str, order: list[Any]) -> None:
    """The named ones in this order; others keep their place behind the one they were behind."""
    values = merged.get(name)
    if not isinstance(values, list):
        return
    key = shape.merge_key
    wanted = [item.get(key) if isinstance(item, dict) else item for item in order]

    def place(value: Any) -> int:
        mark = value.get(key) if isinstance(value, dict) else value
        return wanted.index(mark) if mark in wanted else -1

    named = iter(sorted((value for value in values if place(value) >= 0), key=place))
    merged[name] = [next(named) if place(value) >= 0 else value for value in values]


def _clean(value: Any) -> Any:
    """Without directives and nulls, which are no content."""
    if isinstance(value, dict):
        return {name: _clean(below) for name, below in value.items() if not name.startswith("$") and below is not None}
    if isinstance(value, list):
        return [_clean(item) for item in value if not (isinstance(item, dict) and item.get(PATCH) == "delete")]
    return value


def _go_map(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return "map[" + " ".join(f"{name}:{below}" for name, below in sorted(value.items())) + "]"
