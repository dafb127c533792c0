"""What a program leaves behind: processes that carry its mark in their environment, files in its temporary folder."""

from __future__ import annotations

import os
from pathlib import Path

from tests.kit.waiting import eventually_seen

MARK = "TEST_MARK"
WAIT_S = 30.0


def marked(mark: str) -> list[int]:
    """The living processes that inherited the mark."""
    wanted = f"{MARK}={mark}".encode()
    return [pid for pid in _pids() if wanted in _environment(pid).split(b"\0") and not _is_zombie(pid)]


def until_gone(mark: str) -> list[int]:
    """Wait until nobody carries the mark any more. The kernel kills at once, but reaping takes a moment."""
    eventually_seen(lambda: not marked(mark), lambda: f"these carry it still: {marked(mark)}", WAIT_S)
    return marked(mark)


def _pids() -> list[int]:
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()
    ]


def _environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it ended meanwhile, or it is not ours
        return b""


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
