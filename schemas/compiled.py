"""Compiled code of the rooms that compute most, where `make compiled` left it; else their sources, as ever.

    schemas/, services/resolver/, services/watcher/ ─▶ digest ─▶ .compiled/<digest> is there
        ─▶ it stands first on the rooms' paths

mypyc compiles the very modules (docs/adr/0022); a few stand beside themselves in Cython (docs/adr/0040).
A folder is called by the digest of all that its code was made of, so code of other sources is not found: who edits a
module runs what he wrote.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import cache
from hashlib import blake2b
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from typing import Final, Literal, NamedTuple

ROOMS: Final = (
    "schemas.relations",
    "services.resolver.graph",
    "services.resolver.judge",
    "services.watcher.telling",
)
SOURCES: Final = ("schemas", "services/resolver", "services/watcher")  # the rooms, and all that they import
WRITTEN_IN: Final = (".py", ".pyx", ".pxd", ".pxi")
SWITCH: Final = "CHEOPS_COMPILED"  # 0: never; 1: nothing else; not set: where it is there
ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / ".compiled"
GROUP: Final = "cheops_rooms"
LIBRARY: Final = f"{GROUP}__mypyc"  # what all modules that were compiled together share

State = Literal["runs", "not built", "of other sources", "switched off", "cannot be loaded"]


class Found(NamedTuple):
    """Whether compiled code runs in this process, and from where."""

    state: State
    folder: Path | None = None

    def __str__(self) -> str:
        return "compiled" if self.folder is not None else f"pure Python, compiled code: {self.state}"


def digest(root: Path = ROOT) -> str:
    """Of the sources, and of the Python that code is compiled for."""
    found = blake2b("\0".join((sys.version, *EXTENSION_SUFFIXES)).encode(), digest_size=10)
    for folder in SOURCES:
        for file in sorted((root / folder).rglob("*.p*")):
            if file.suffix not in WRITTEN_IN:
                continue
            content = file.read_bytes()
            found.update(f"\0{file.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def find(root: Path = ROOT, switch: str = "") -> Found:
    """The folder whose code is of these very sources."""
    if switch == "0":
        return Found("switched off")
    built = root / FOLDER.name
    if not built.is_dir():
        return Found("not built")
    folder = built / digest(root)
    return Found("runs", folder) if folder.is_dir() else Found("of other sources")


@cache
def found() -> Found:
    """What this process runs; raises ImportError when compiled code is demanded and none can run."""
    switch = os.environ.get(SWITCH, "")
    here = find(switch=switch)
    if here.folder is not None and not _load(here.folder):
        here = Found("cannot be loaded")
    if switch == "1" and here.folder is None:
        raise ImportError(f"{SWITCH}=1, and compiled code is {here.state} (make compiled)")
    return here


def path_of(room: str, path: Iterable[str]) -> list[str]:
    """Where the modules of a room are looked for: compiled ones first."""
    folder = found().folder
    return [*path] if folder is None else [str(folder / room.replace(".", "/")), *path]


def _load(folder: Path) -> bool:
    """What the modules share is loaded first; it fails where it was compiled for another machine."""
    file = str(folder / (LIBRARY + EXTENSION_SUFFIXES[0]))
    loader = ExtensionFileLoader(LIBRARY, file)
    try:
        module = module_from_spec(ModuleSpec(LIBRARY, loader, origin=file))
        loader.exec_module(module)
    except ImportError:
        return False
    sys.modules[LIBRARY] = module
    return True
