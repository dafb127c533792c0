"""Which line of which manifest a reason is about. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.documents import Document
from schemas.identity import ResourceKey, SiteName
from schemas.verdicts import Reason

Place = tuple[str, int]  # file and line


@dataclass(frozen=True, slots=True)
class Manifests:
    """What is judged at each site, and what it holds besides: who breaks when something goes was not written."""

    judged: Mapping[SiteName, Sequence[Document]]
    held: Mapping[SiteName, Sequence[Document]]

    def place(self, reason: Reason) -> Place | None:
        """What was written comes first: that is the change."""
        judged, held = (side.get(reason.site, ()) for side in (self.judged, self.held))
        return place_of(reason, judged) or _exact(reason, held)

    def nearest(self, reason: Reason) -> Place | None:
        """Where nothing names a line: the first manifest of the site, else of any; None when there is none."""
        sides = (self.judged, self.held)
        here = [one for side in sides for one in side.get(reason.site, ())[:1]]
        anywhere = [one for side in sides for documents in side.values() for one in documents[:1]]
        return self.place(reason) or next(((one.file, 1) for one in [*here, *anywhere]), None)


def place_of(reason: Reason, documents: Sequence[Document]) -> Place | None:
    """The line of the manifest that the reason is about: the field of the edge, else the object, else the only one."""
    only = (documents[0].file, documents[0].line) if len(documents) == 1 else None
    return _exact(reason, documents) or only


def _exact(reason: Reason, documents: Sequence[Document]) -> Place | None:
    relation = reason.relation
    for resource, path in (
        (relation.source if relation else None, relation.path if relation else ""),
        (reason.resource, ""),
    ):
        found = _document_of(resource, documents)
        if found is not None:
            return found.file, found.line_of(_steps(path)) or 1
    return None


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
