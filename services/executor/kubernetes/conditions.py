"""Reading an object that need not have anything: parts, numbers, conditions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mapping(parent: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The mapping at the path, or an empty one."""
    for name in path:
        found = parent.get(name)
        parent = found if isinstance(found, Mapping) else {}
    return parent


def count(parent: Mapping[str, Any], name: str, default: int = 0) -> int:
    """A number that servers leave out when it is zero."""
    found = parent.get(name)
    return found if isinstance(found, int) else default


def condition(live: Mapping[str, Any], kind: str, status: str | None = None) -> Mapping[str, Any] | None:
    """The condition of this type (with this status), or None."""
    rows = mapping(live, "status").get("conditions")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and row.get("type") == kind and status in (None, row.get("status")):
            return row
    return None


def said(row: Mapping[str, Any]) -> str:
    """A condition in its own words: `ProgressDeadlineExceeded: ReplicaSet "web" has timed out`."""
    head = str(row.get("reason") or f"{row.get('type')} is {row.get('status')}")
    message = str(row.get("message") or "")
    return f"{head}: {message}" if message else head
