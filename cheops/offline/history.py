"""A site's manifests in git: as they were at a revision, and what the working tree makes of them.

revision + path ──▶ manifests then        working tree ──▶ manifests now        then, now ──▶ what is written, what goes
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cheops.offline.kustomize import NAMES, kustomization_in, read_manifests
from cheops.offline.merging import same_content
from cheops.offline.sites import NAMESPACE, OfflineSite
from cheops.offline.tools import stays
from cheops.offline.unnamed import is_unnamed, with_names
from schemas.documents import SUFFIXES, Document, objects_in, parse
from schemas.identity import KindId, ResourceId, ResourceKey, split_kind
from schemas.relations.extract import Extractor
from services.resolver.judge.case import Problem
from services.resolver.judge.findings import named

DEFINITION: Final = KindId("apiextensions.k8s.io/CustomResourceDefinition")
GIT_TIMEOUT_S: Final = 60.0


class HistoryError(ValueError):
    """git cannot tell; the message says what it said."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change writes (added or changed), and which resources it removes.

    staying   what leaves the manifests and not the cluster, and why (tools.py)
    """

    written: tuple[Document, ...]
    removed: tuple[ResourceId, ...]
    staying: Mapping[ResourceId, str] = field(default_factory=dict)


def documents_at(revision: str, path: Path) -> list[Document]:
    """The manifests below `path` as they were at `revision`; none when it was not there then. Raises HistoryError."""
    folder = path if path.is_dir() else path.parent
    prefix = "." if path.is_dir() else path.name
    _git(
        folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", wrong=f"no commit is called {revision!r}"
    )
    built = _built_at(revision, path)
    if built is not None:
        return built
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", revision, "--", prefix)
    names = [name for name in listed.decode("utf-8", "surrogateescape").split("\0") if name.endswith(SUFFIXES)]
    found: list[Document] = []
    for name in sorted(names):
        raw = _git(folder, "show", f"{revision}:./{name}")
        found += parse(raw, f"{folder / name} at {revision}")
    return objects_in(found) if path.is_dir() else found


def _built_at(revision: str, path: Path) -> list[Document] | None:
    """What kustomize makes of it as it was; None when there was nothing to build. Its bases may be anywhere."""
    if not path.is_dir():
        return None
    if not _git(path, "ls-tree", "-z", "--name-only", revision, "--", *NAMES):
        return None
    said = (_git(path, "rev-parse", f"--show-{what}") for what in ("toplevel", "prefix"))
    root, within = (os.fsdecode(one).removesuffix("\n") for one in said)
    with tempfile.TemporaryDirectory(prefix="cheops-since-") as folder:
        index = {"GIT_INDEX_FILE": f"{folder}/index"}  # its own, so that nothing of the repository is touched
        _git(Path(root), "read-tree", revision, **index)
        _git(Path(root), "checkout-index", "--all", "--quiet", f"--prefix={folder}/tree/", **index)
        then = Path(folder) / "tree" / within
        if kustomization_in(then) is None:
            return None
        return [replace(one, file=f"{one.file} at {revision}") for one in read_manifests(then, path)]


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


def _git(folder: Path, *words: str, wrong: str = "", **environment: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            env={**os.environ, **environment},
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HistoryError(f"git {words[0]}: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise HistoryError(f"{folder}: {said or wrong or f'git {words[0]} failed'}")
    return done.stdout
