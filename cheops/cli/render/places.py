"""Which line of which manifest a reason is about. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.documents import Document
from schemas.identity import ResourceKey
from schemas.verdicts import Reason


def place_of(reason: Reason, documents: Sequence[Document]) -> tuple[str, int] | None:
    """The line of the manifest that the reason is about: the field of the edge, else the object."""
    relation = reason.relation
    for resource, path in (
        (relation.source if relation else None, relation.path if relation else ""),
        (reason.resource, ""),
    ):
        found = _document_of(resource, documents)
        if found is not None:
            return found.file, found.line_of(_steps(path)) or 1
    return (documents[0].file, documents[0].line) if len(documents) == 1 else None


def _document_of(resource: str | None, documents: Sequence[Document]) -> Document | None:
    if resource is None:
        return None
    key = ResourceKey.parse(resource)
    for one in documents:
        metadata = one.body["metadata"]
        names = metadata.get("namespace") or key.namespace, metadata.get("name")
        group = one.body["apiVersion"].rpartition("/")[0]
        if (group, one.body["kind"], *names) == (key.group, key.kind, key.namespace, key.name):
            return one
    return None


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for part in path.replace("]", "").split("."):
        name, *places = part.split("[")
        steps.append(name)
        steps += [int(place) if place.isdecimal() else place for place in places]
    return steps
