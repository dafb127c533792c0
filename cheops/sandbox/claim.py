"""Which part of a folder is a sandbox's: it says so itself, in `sandbox.json`; nothing else is ever removed.

up ──▶ take (a new, an empty or a kept folder) ──▶ the mark names what a sandbox makes here ──▶ down: remove that
                                                                └─▶ interrupted: give back what this up had made
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cheops.private_files import write_whole
from cheops.sandbox.standing import LOG, STATE
from services.chassis.errors import SettingsError

MARK: Final = "sandbox.json"
FOLDERS: Final = ("ca", "links", "nats")
FILES: Final = (STATE, LOG, "kubeconfig", "context.json")
NAMES_MAX: Final = 1_000
MARK_BYTES_MAX: Final = 128 * 1024
ALONE_TIMEOUT_S: Final = 10.0  # who is before us takes milliseconds
POLL_INTERVAL_S: Final = 0.01


class Mark(BaseModel):
    """`made`: what a sandbox makes in this folder. `folder`: the folder itself, too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal["sandboxfolder/v1"] = Field("sandboxfolder/v1", alias="schema")
    folder: bool
    # A name, never a path that leads out of the folder: what it names is removed.
    made: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=80)], ...],
        Field(max_length=NAMES_MAX),
    ]


@dataclass(frozen=True, slots=True)
class Claim:
    """A folder that this `up` has taken; `before`: the mark of the sandbox that was kept in it."""

    directory: Path
    before: Mark | None
    mark: Mark

    def give_back(self) -> None:
        """Remove what was not there before; what was kept stays as it is."""
        if self.before is None:
            remove(self.directory, self.mark)
            return
        _remove(self.directory / name for name in {*self.mark.made} - {*self.before.made} | {STATE})
        _write(self.directory, self.before)


@contextmanager
def alone(directory: Path, timeout_s: float = ALONE_TIMEOUT_S) -> Iterator[None]:
    """Two `up` at once do not both find that nothing runs here: one goes first. Raises SettingsError.

    What is locked is the folder that this one is in, since this one may have to be made. What cannot be locked (a file
    system without locks, a folder that nobody may list) is taken as it is.
    """
    file = -1
    try:
        with suppress(OSError):
            beside = directory.absolute().parent
            beside.mkdir(parents=True, exist_ok=True)
            file = os.open(beside, os.O_RDONLY)
            _lock(file, beside, time.monotonic() + timeout_s)
        yield
    finally:
        if file >= 0:
            os.close(file)


def _lock(file: int, folder: Path, end_s: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > end_s:
                raise SettingsError(f"{folder} is locked by somebody else (another cheops sandbox up?)") from error
            time.sleep(POLL_INTERVAL_S)
        else:
            return


def take(directory: Path, sites: Sequence[str]) -> Claim:
    """Make a new, an empty or a kept folder a sandbox's with these sites. Raises SettingsError for any other."""
    before = mark_of(directory)
    wanted = {*FOLDERS, *FILES, *sites}
    try:
        str(directory.absolute()).encode()
        there = {one.name for one in directory.iterdir()} if directory.exists() else None
        if before is None and there:
            raise SettingsError(f"{directory} holds something else (expected a new or an empty folder: --dir FOLDER)")
        foreign = sorted((there or set()) & wanted - {*(before.made if before else ())})
        if foreign:
            raise SettingsError(f"{directory / foreign[0]} was made by no sandbox (move it, or take another --dir)")
        directory.mkdir(parents=True, exist_ok=True)
        mark = Mark(
            folder=before.folder if before else there is None,
            made=tuple(sorted(wanted | {*(before.made if before else ())})),
        )
        _write(directory, mark)
    except UnicodeEncodeError as error:  # others are told of it in UTF-8: nats-server, whoever reads the context file
        raise SettingsError(f"{directory}: its name is no UTF-8 (take another --dir, or LC_ALL=C.UTF-8)") from error
    except OSError as error:
        raise SettingsError(f"{directory}: cannot be a sandbox's folder ({error.strerror})") from error
    return Claim(directory, before, mark)


def mark_of(directory: Path) -> Mark | None:
    """What a sandbox has written about this folder; None where none has."""
    try:
        with (directory / MARK).open("rb") as file:
            return Mark.model_validate_json(file.read(MARK_BYTES_MAX))
    except (OSError, ValidationError):
        return None


def others_in(directory: Path, mark: Mark) -> list[str]:
    """The names of what no sandbox has made here."""
    return sorted(one.name for one in directory.iterdir() if one.name not in (MARK, *mark.made))


def remove(directory: Path, mark: Mark) -> list[str]:
    """Remove what a sandbox has made; returns what is left, since no sandbox has made it. Raises SettingsError."""
    try:
        _remove(directory / name for name in mark.made)
        left = others_in(directory, mark)
        (directory / MARK).unlink()  # last: who is interrupted can call it again
        if mark.folder and not left and not directory.is_symlink():
            directory.absolute().rmdir()
    except OSError as error:
        raise SettingsError(f"{error.filename}: cannot be removed ({error.strerror})") from error
    return left


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _write(directory: Path, mark: Mark) -> None:
    """Whole or not at all."""
    write_whole(directory / MARK, json.dumps(mark.model_dump(mode="json", by_alias=True), indent=2) + "\n")
