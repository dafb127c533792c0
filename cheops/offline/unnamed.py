"""Manifests that leave their name to the API server (`generateName`) → what they are, under a name for people. Pure.

Whatever is made so is made anew: it changes nothing that is there, and nothing can refer to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from schemas.documents import Document

BEGINNING_LEN_MAX: Final = 58  # an API server cuts off the rest
ENDING: Final = "xxxxx"
FORMER: Final = "yyyyy"  # of those that were made before


def is_unnamed(body: Mapping[str, Any]) -> bool:
    """Whether the API server makes up its name."""
    metadata = body["metadata"]
    return not metadata.get("name") and isinstance(metadata.get("generateName"), str) and metadata["generateName"] != ""


def with_names(documents: Iterable[Document], ending: str = ENDING) -> list[Document]:
    """The same, each under a name as it will get, no two under one; what has a name stays as it is."""
    beginnings: Counter[tuple[str, ...]] = Counter()
    return [_with_name(one, ending, beginnings) if is_unnamed(one.body) else one for one in documents]


def _with_name(one: Document, ending: str, beginnings: Counter[tuple[str, ...]]) -> Document:
    metadata = one.body["metadata"]
    beginning = metadata["generateName"][:BEGINNING_LEN_MAX]
    alike = (one.body["apiVersion"], one.body["kind"], str(metadata.get("namespace")), beginning)
    beginnings[alike] += 1
    number = str(beginnings[alike]) if beginnings[alike] > 1 else ""
    name = f"{beginning}{ending[: max(0, len(ending) - len(number))]}{number}"
    return replace(one, body={**one.body, "metadata": {**metadata, "name": name}})
