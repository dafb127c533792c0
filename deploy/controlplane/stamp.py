"""The stamp beside the programs: family → fingerprint of what they were built from."""

from __future__ import annotations

import json
import os
from pathlib import Path

_NAME = "stamp.json"


def read_stamp(directory: Path) -> dict[str, str]:
    """Empty when there is none or it cannot be read: then everything is built again."""
    try:
        content = json.loads((directory / _NAME).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_stamp(directory: Path, family: str, fingerprint: str) -> None:
    """Whole or not at all: a build may be cut anywhere."""
    fresh = directory / f".{_NAME}.new"
    fresh.write_text(json.dumps({**read_stamp(directory), family: fingerprint}, indent=1) + "\n")
    os.replace(fresh, directory / _NAME)
