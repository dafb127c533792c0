"""Tables, which kubectl asks for: `Accept: application/json;as=Table;v=v1;g=meta.k8s.io` → columns and rows.

Each row carries the metadata of its object, from which kubectl takes namespace and labels. Custom kinds bring their
columns along (additionalPrinterColumns); built-in ones that say more than name and age have them in columns.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cheops.sandbox.apiserver.cells import at_path
from cheops.sandbox.apiserver.columns import COLUMNS, Column
from cheops.sandbox.apiserver.conversion import from_stored
from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.listing import Page
from cheops.sandbox.apiserver.store import Object, Stored

NAME = "Name must be unique within a namespace."
AGE = "CreationTimestamp is a timestamp representing the server time when this object was created."


def wants_table(accept: str) -> bool:
    """Whether a table is the first type asked for."""
    parts = {part.strip() for part in accept.partition(",")[0].split(";")}
    return {"as=Table", "g=meta.k8s.io"} <= parts


def table_of(kind: Kind, content: Stored | Page, include: str) -> Object:
    """`include` is the query parameter includeObject: Metadata unless said, None or Object."""
    items = content.items if isinstance(content, Page) else [content]
    metadata: Object = {"resourceVersion": str(content.version)}
    if isinstance(content, Page) and content.continue_token:
        metadata["continue"] = content.continue_token
        if content.remaining is not None:
            metadata["remainingItemCount"] = content.remaining
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": _definitions(kind),
        "rows": [_row(kind, from_stored(kind, one.object), include) for one in items if "uid" in one.metadata],
    }


def _columns(kind: Kind) -> tuple[Column, ...]:
    if kind.custom:
        return tuple(Column(name, path, type=what, priority=rank) for name, what, path, rank in kind.columns)
    return COLUMNS.get((kind.group, kind.plural), ())


def _definitions(kind: Kind) -> list[Object]:
    rows = [_definition("Name", "string", "name", NAME, 0)]
    rows += [_definition(column.name, column.type, "", "", column.priority) for column in _columns(kind)]
    if not any(column.name == "Age" for column in _columns(kind)):
        rows.append(_definition("Age", "string", "", AGE, 0))
    return rows


def _definition(name: str, type_: str, format_: str, description: str, priority: int) -> Object:
    return {"name": name, "type": type_, "format": format_, "description": description, "priority": priority}


def _row(kind: Kind, content: Object, include: str) -> Object:
    columns = _columns(kind)
    cells: list[Any] = [content["metadata"]["name"], *(_cell(column, content) for column in columns)]
    if not any(column.name == "Age" for column in columns):
        cells.append(_age(content["metadata"].get("creationTimestamp", "")))
    row: Object = {"cells": cells}
    if include == "Object":
        row["object"] = content
    elif include != "None":
        partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        row["object"] = {**partial, "metadata": content["metadata"]}
    return row


def _cell(column: Column, content: Mapping[str, Any]) -> Any:
    value = column.source(content) if callable(column.source) else at_path(content, column.source)
    if column.type == "date":
        return _age(value or "")
    if column.type in ("integer", "number", "boolean"):
        return value
    return "" if value is None else str(value)


def _age(timestamp: str) -> str:
    """As people say it: 5s, 12m, 3h, 8d."""
    try:
        born = datetime.fromisoformat(timestamp)
    except ValueError:
        return "<unknown>"
    age_s = max(0, int((datetime.now(UTC) - born).total_seconds()))
    for unit, size_s, bound_s in (("s", 1, 120), ("m", 60, 10_800), ("h", 3600, 172_800)):
        if age_s < bound_s:
            return f"{age_s // size_s}{unit}"
    return f"{age_s // 86_400}d"
