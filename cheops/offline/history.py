"""A site's manifests in git: as they were at a revision, and what the working tree makes of them.

revision + path ──▶ manifests then        working tree ──▶ manifests now        then, now ──▶ what is written, what goes
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cheops.offline.kustomize import NAMES, kustomization_in, read_manifests
from cheops.offline.merging import same_content
from cheops.offline.revisions import Place, check_out, files_of, located, place_of
from cheops.offline.sites import NAMESPACE, OfflineSite
from cheops.offline.tools import stays
from cheops.offline.unnamed import is_unnamed, with_names
from schemas.documents import Document, DocumentError, objects_in, parse
from schemas.identity import KindId, ResourceId, ResourceKey, split_kind
from schemas.relations.extract import Extractor
from services.resolver.judge.case import Problem
from services.resolver.judge.findings import named

DEFINITION: Final = KindId("apiextensions.k8s.io/CustomResourceDefinition")


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change writes (added or changed), and which resources it removes.

    staying   what leaves the manifests and not the cluster, and why (tools.py)
    """

    written: tuple[Document, ...]
    removed: tuple[ResourceId, ...]
    staying: Mapping[ResourceId, str] = field(default_factory=dict)


def documents_at(revision: str, path: Path) -> list[Document] | None:
    """The manifests below `path` as they were at `revision`; None when it was not there. Raises HistoryError."""
    place = place_of(revision, path)
    there = located(place)
    names = there.names
    if not (there.object_id or names):
        return None
    if any(one in NAMES for one in names):
        built = _built_at(revision, place)
        if built is not None:
            return built
    found = [one for file, raw in files_of(there) for one in parse(raw, f"{file} at {revision}")]
    return objects_in(found) if names else found


def _built_at(revision: str, place: Place) -> list[Document] | None:
    """What kustomize makes of it as it was; None when there was nothing to build. Its bases may be anywhere."""
    with tempfile.TemporaryDirectory(prefix="cheops-since-") as folder:
        tree = Path(folder) / "tree"
        check_out(place.commit, tree)
        then = tree / place.name
        if kustomization_in(then) is None:
            return None
        try:
            built = read_manifests(then, place.shown)
        except DocumentError as error:
            reason = error.reason.replace(str(tree), str(place.commit.root))
            raise DocumentError(f"{error.file} at {revision}", error.line, reason) from error
        return [replace(one, file=f"{one.file} at {revision}") for one in built]


def difference(then: Sequence[Document], now: Sequence[Document], extractor: Extractor) -> Difference:
    """Object by object, whatever file an object stands in; what has no name of its own was never there."""
    named = with_names(then)
    before = {extractor.key(one.body).id: one for one in named}
    after = {extractor.key(one.body).id: one for one in with_names(now)}
    passing = {extractor.key(one.body).id for one, was in zip(named, then, strict=True) if is_unnamed(was.body)}
    written = [
        one
        for resource, one in after.items()
        if resource not in before or not same_content(before[resource].body, one.body)
    ]
    gone = sorted(before.keys() - after.keys() - passing)
    staying = {resource: why for resource in gone if (why := stays(before[resource].body))}
    return Difference(tuple(written), tuple(one for one in gone if one not in staying), staying)


def left_behind(removed: Sequence[ResourceId], now: Sequence[Document], site: OfflineSite) -> list[Problem]:
    """What is still declared in a namespace, or of a kind, that is removed: it goes with it, and never comes back."""
    problems = []
    keys = [site.extractor.key(one.body) for one in now]
    definitions = {f"{one.plural}.{split_kind(one.kind)[0]}": one.kind for one in site.surface.served.values()}
    for container in map(ResourceKey.parse, removed):
        if container.kind_id == NAMESPACE:
            code, inside = "D140", [one for one in keys if one.namespace == container.name]
        elif container.kind_id == DEFINITION:
            code, inside = "D001", [one for one in keys if one.kind_id == definitions.get(container.name)]
        else:
            continue
        if inside:
            first, what = min(one.id for one in inside), "what is in it" if code == "D140" else "what is of its kind"
            others = f" and {len(inside) - 1} more" if inside[1:] else ""
            message = f"{named(container.id)} is removed, and {what} is still declared: {named(first)}{others}"
            problems.append(Problem(code, message, first))
    return problems
