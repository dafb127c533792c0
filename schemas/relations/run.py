"""One object on its way through the rules of its kind. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.events import Reference


@dataclass(slots=True)
class Run:
    """One object on its way through the rules of its kind.

    found    its references
    values   what its facts and parts are made of (facts.py), by slot
    """

    namespace: str
    name: str
    body: Mapping[str, Any]
    found: list[Reference]
    values: list[Any]
