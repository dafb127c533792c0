"""Manifests that leave their name to the API server (`generateName`) → what they are, under a name for people. Pure.

Whatever is made so is made anew: it changes nothing that is there, and nothing can refer to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from schemas.documents import Document

BEGINNING_LEN_MAX: Final = 58  # an API server cuts off the rest
ENDING: Final = "xxxxx"


def is_unnamed(body: Mapping[str, Any]) -> bool:
    """Whether the API server makes up its name."""
    metadata = body["metadata"]
    return not metadata.get("name") and isinstance(metadata.get("generateName"), str) and metadata["generateName"] != ""


def with_name(document: Document) -> Document:
    """The same under a name as it will get; what has one stays as it is."""
    if not is_unnamed(document.body):
        return document
    metadata = document.body["metadata"]
    name = f"{metadata['generateName'][:BEGINNING_LEN_MAX]}{ENDING}"
    return replace(document, body={**document.body, "metadata": {**metadata, "name": name}})
