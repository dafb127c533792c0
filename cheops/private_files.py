"""Files that are whole or not there at all: those that hold secrets, and those that nobody could write again."""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Readable by its owner only, from the first byte on; whole or not at all."""
    write_whole(path, text, mode=0o600)


def write_whole(path: Path, text: str, *, mode: int = 0o666) -> None:
    """In UTF-8, whole or not at all: what is there stays where a disk is full. Raises OSError that names the file."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        with open(fresh, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(text)
        os.replace(fresh, path)
    except BaseException as error:
        fresh.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)  # of a write, the system does not say which
        raise
