"""A path in git at a revision → what stood there, whatever the working tree has made of it since.

path ──▶ repository and path in it ──▶ through the links and submodules of its commit ──▶ the bytes of its manifests

Links lead where they led then. All files are read at one question, however many they are.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final

from schemas.folders import is_hidden, is_manifest

GIT_TIMEOUT_S: Final = 60.0
LINK: Final = "120000"  # git's modes of what is no file
SUBMODULE: Final = "160000"
DEEPEN: Final = "this clone is shallow: git fetch --unshallow, in GitHub's checkout fetch-depth: 0"
LINKS_MAX: Final = 40  # as many as Linux follows


class HistoryError(ValueError):
    """git cannot tell; the message says what it said."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit of a repository holds. Names are paths from its top.

    objects   name → mode, git's id of the content (of a submodule: its commit)
    links     name → where it leads, as it is written
    """

    root: Path
    id: str
    objects: Mapping[str, tuple[str, str]]
    links: Mapping[str, str]

    def below(self, name: str) -> list[str]:
        """Everything in a folder, recursive, sorted."""
        return sorted(one for one in self.objects if not name or one.startswith(f"{name}/"))

    def submodule_above(self, name: str) -> str:
        """The submodule that a path is, or leads into; "" for none."""
        above = (str(one) for one in (PurePosixPath(name), *PurePosixPath(name).parents))
        return next((one for one in above if self.objects.get(one, ("",))[0] == SUBMODULE), "")


@dataclass(frozen=True, slots=True)
class Place:
    """A path at a revision, through links and submodules. `shown`: the path in what is said."""

    commit: Commit
    name: str
    shown: Path

    def __truediv__(self, name: str) -> Place:
        return Place(self.commit, f"{self.name}/{name}".lstrip("/"), self.shown / name)

    @property
    def object_id(self) -> str:
        """Of a file; "" for a folder, and for what is not there."""
        return self.commit.objects.get(self.name, ("", ""))[1]

    @property
    def names(self) -> list[str]:
        """What is in the folder, recursive, by its name in it; none for what is not there."""
        return [one[len(self.name) :].lstrip("/") for one in self.commit.below(self.name)]


def place_of(revision: str, path: Path) -> Place:
    """Where `path` is in git, as it is written: a link in it may have led elsewhere then. Raises HistoryError.

    In a submodule it is a path of the repository around it, unless the current directory is in the submodule, too.
    """
    root = _top(path)
    while around := _line(root, "rev-parse", "--show-superproject-working-tree"):
        if Path.cwd().is_relative_to(root):
            break
        root = Path(around)
    written = Path(os.path.abspath(path))
    top = next((one for one in (written, *written.parents) if one.resolve() == root), None)
    within = written.resolve().relative_to(root) if top is None else written.relative_to(top)
    name = "" if within == Path() else within.as_posix()
    _refuse_sparse(root, name, path)
    return Place(_listed(root, _commit(root, revision, path)), name, path)


def _top(path: Path) -> Path:
    """The repository that keeps `path`, be it a link or gone; where nobody keeps a link, that of what it leads to."""
    written = Path(os.path.abspath(path))
    nearest = next(one for one in (written, *written.parents) if one.is_dir() and not one.is_symlink())
    try:
        return Path(_line(nearest, "rev-parse", "--show-toplevel"))
    except HistoryError:
        if not written.is_dir() or nearest == written:
            raise
        return Path(_line(written, "rev-parse", "--show-toplevel"))


def _commit(root: Path, revision: str, shown: Path) -> str:
    try:
        return _line(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except HistoryError as error:
        is_shallow = _line(root, "rev-parse", "--is-shallow-repository") == "true"
        why = f" ({DEEPEN})" if is_shallow else ""
        raise HistoryError(f"{shown}: no commit is called {revision!r}{why}") from error


def _refuse_sparse(root: Path, name: str, shown: Path) -> None:
    """What the working tree leaves out, and the index has, is not gone."""
    for line in _parts(_git(root, "--literal-pathspecs", "ls-files", "-t", "-z", "--", name or ".")):
        file = line[2:]
        is_left_out = line.startswith("S ") and not os.path.lexists(root / file)
        if is_left_out and (file == name or is_manifest(file[len(name) :].lstrip("/"))):
            raise HistoryError(f"{shown}: {file} is not checked out here (git sparse-checkout add)")


@lru_cache(maxsize=8)
def _listed(root: Path, commit: str) -> Commit:
    objects = {}
    for line in _parts(_git(root, "ls-tree", "-r", "-z", "--full-tree", commit)):
        about, _, name = line.partition("\t")
        mode, _, object_id = about.split(" ")
        objects[name] = (mode, object_id)
    links = {name: object_id for name, (mode, object_id) in objects.items() if mode == LINK}
    led = map(os.fsdecode, _contents(root, list(links.values())))
    return Commit(root, commit, objects, dict(zip(links, led, strict=True)))


def located(place: Place) -> Place:
    """Where that is when every link and submodule is followed. Raises HistoryError: a link astray, what is not here."""
    commit, done, todo, met = place.commit, list[str](), place.name.split("/"), 0
    while todo:
        step = todo.pop(0)
        if step == ".." and not done:
            raise HistoryError(f"{place.shown}: a link that leads out of the repository")
        if step == "..":
            done.pop()
        elif step not in ("", "."):
            done.append(step)
        target = commit.links.get("/".join(done))
        if target is None:
            continue
        met += 1
        if met > LINKS_MAX:
            raise HistoryError(f"{place.shown}: a link in a circle")
        if target.startswith("/"):
            raise HistoryError(f"{place.shown}: a link that leads out of the repository ({target})")
        done.pop()
        todo = [*target.split("/"), *todo]
    name = "/".join(done)
    inside = commit.submodule_above(name)
    if not inside:
        return Place(commit, name, place.shown)
    return located(Place(_submodule(commit, inside, place.shown), name[len(inside) :].lstrip("/"), place.shown))


def _submodule(commit: Commit, name: str, shown: Path) -> Commit:
    folder, (_, inner) = commit.root / name, commit.objects[name]
    if not (folder / ".git").exists():
        raise HistoryError(f"{shown}: the submodule {name} is not checked out here (git submodule update --init)")
    try:
        _git(folder, "cat-file", "-e", f"{inner}^{{commit}}")
    except HistoryError as error:
        raise HistoryError(f"{shown}: commit {inner:.12} of the submodule {name} is not here (git fetch)") from error
    return _listed(folder, inner)


def files_of(place: Place) -> list[tuple[Path, bytes]]:
    """A file, or the manifests of a folder, recursive, with their paths; a link to a folder holds none. Located."""
    wanted = list(_wanted(place)) if not place.object_id else [place]
    found: dict[str, bytes] = {}
    for root in {one.commit.root for one in wanted}:
        ids = [one.object_id for one in wanted if one.commit.root == root]
        found |= zip(ids, _contents(root, ids), strict=True)
    return [(one.shown, found[one.object_id]) for one in wanted]


def _wanted(folder: Place) -> Iterator[Place]:
    for name in folder.names:
        one = folder / name
        mode, _ = folder.commit.objects[one.name]
        if mode == SUBMODULE and not is_hidden(name):
            yield from _wanted(located(one))
        elif is_manifest(name):
            there = located(one)
            if there.object_id:
                yield there
            elif not there.names:
                raise HistoryError(f"{one.shown}: a link to nothing")


def check_out(commit: Commit, folder: Path) -> None:
    """All of it into a folder that is not there yet, with the submodules that are here."""
    index = f"{folder}.index"  # its own, so that nothing of the repository is touched
    _git(commit.root, "read-tree", commit.id, index=index)
    _git(commit.root, "checkout-index", "--all", "--quiet", f"--prefix={folder}/", index=index)
    for name, (mode, _) in commit.objects.items():
        if mode == SUBMODULE and (commit.root / name / ".git").exists():
            check_out(_submodule(commit, name, commit.root), folder / name)


def _contents(root: Path, ids: Sequence[str]) -> Iterator[bytes]:
    """What git keeps under each id."""
    said = _git(root, "cat-file", "--batch", given="".join(f"{one}\n" for one in ids).encode())
    at = 0
    for one in ids:
        end = said.index(b"\n", at)
        size = said[at:end].split(b" ")[-1]
        if size == b"missing":
            raise HistoryError(f"{root}: the object {one} is not in this clone")
        at = end + 1 + int(size) + 1
        yield said[end + 1 : at - 1]


def _parts(said: bytes) -> list[str]:
    return os.fsdecode(said).split("\0")[:-1]


def _line(folder: Path, *words: str) -> str:
    return os.fsdecode(_git(folder, *words)).removesuffix("\n")


def _git(folder: Path, *words: str, given: bytes = b"", index: str = "") -> bytes:
    around = dict(os.environ)
    if "GIT_WORK_TREE" not in around:  # a hook's: git would take `folder` for the top of the repository
        around.pop("GIT_DIR", None)
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            env={**around, **({"GIT_INDEX_FILE": index} if index else {})},
            input=given,
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HistoryError(f"git {words[0]}: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        raise HistoryError(f"{folder}: {said or f'git {words[0]} failed'}")
    return done.stdout
