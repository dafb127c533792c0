"""Which files of a folder are manifests: by their names alone, whatever is in them.

Hidden folders hold none: `.git`, `.github`, what tools keep beside manifests (a sandbox its `.cheops`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

SUFFIXES: Final = (".yaml", ".yml", ".json")
EDITING: Final = ".#"  # Emacs' mark of a file that is being edited: a link to nowhere, beside the file
HIDDEN: Final = "."


def is_manifest(name: str) -> bool:
    """Whether a file is one, by its path in the folder."""
    file = Path(name)
    return file.suffix in SUFFIXES and not file.name.startswith(EDITING) and not is_hidden(str(file.parent))


def is_hidden(name: str) -> bool:
    """Whether a folder is, or is in one that is; by its path."""
    return any(part.startswith(HIDDEN) for part in Path(name).parts)


def manifests_below(folder: Path) -> list[Path]:
    """The manifests in a folder, sorted, recursive. Raises OSError for a folder in it that cannot be read.

    A link to nowhere is among them, so that it is told when it is read: what is not known is not taken for absent.
    """
    found = []
    for top, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [one for one in folders if not is_hidden(one)]
        found += [Path(top, name) for name in names if is_manifest(name)]
    return sorted(one for one in found if one.is_file() or (one.is_symlink() and not one.exists()))


def _raise(error: OSError) -> None:
    raise error
