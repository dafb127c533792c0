"""Small objects and what is read of them, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from schemas.events import Reference, ResourceState, Selector
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface

# One for all files of this folder: to work out what the rules say about every kind takes seconds.
EXTRACTOR = Extractor(load_catalogue(), builtin_surface())


def made(kind: str, version: str = "v1", name: str = "web", namespace: str = "shop", **rest: Any) -> dict[str, Any]:
    """An object."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **rest.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def state(body: dict[str, Any]) -> ResourceState:
    """What is read of it."""
    return EXTRACTOR.state(body)


def references(body: dict[str, Any], rule: str = "") -> list[Reference]:
    """Its references; those of one rule when it is named."""
    return [one for one in state(body).references if one.rule.startswith(rule)]


def selectors(body: dict[str, Any]) -> list[Selector]:
    """Its references by labels or by kind."""
    return [one.selector for one in state(body).references if one.selector is not None]


def targets(body: dict[str, Any], rule: str = "") -> list[str]:
    """What it names."""
    return [one.target for one in references(body, rule) if one.target]
