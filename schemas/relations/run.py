"""One object on its way through the rules of its kind, and what is kept of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from schemas.events import Grant, Reference
from schemas.identity import ResourceId

_NOTHING: Final[Mapping[str, Any]] = {}


class Run(Struct, gc=False):
    """One object on its way through the rules of its kind.

    found    its references
    values   what its facts and parts are made of (facts.py), by slot
    kept     its metadata without what the server sets
    labels   its own, where they are known to be nothing but texts
    """

    namespace: str
    name: str
    body: Mapping[str, Any]
    found: list[Reference]
    values: list[Any]
    resource: ResourceId = ResourceId("")
    metadata: Mapping[str, Any] = _NOTHING
    kept: Mapping[str, Any] = _NOTHING
    labels: dict[str, str] | None = None


class Rested(Struct, frozen=True, gc=False):
    """What was found outside of the status of one object."""

    digest: str
    references: tuple[Reference, ...]
    values: Sequence[Any]
    labels: dict[str, str]
    template_labels: dict[str, str] | None
    parts: dict[str, tuple[str, ...]]
    finalizers: tuple[str, ...]
    grants: tuple[Grant, ...]
    mark: int = 0
