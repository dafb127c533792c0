"""The end of a sandbox: `down` ends its supervisor, and removes what a sandbox made."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Final

from cheops.sandbox.claim import mark_of, others_in, remove
from cheops.sandbox.standing import alive, running
from services.chassis.errors import CheopsError

DOWN_TIMEOUT_S: Final = 30.0
KILL_TIMEOUT_S: Final = 5.0
POLL_INTERVAL_S: Final = 0.05
SHOWN_MAX: Final = 5


def down(directory: Path, *, keep: bool, preview: bool) -> int:
    """End the supervisor, and with it everything; then remove what a sandbox made here, and say so."""
    state, mark = running(directory), None if keep else mark_of(directory)
    if preview:
        stops = f"stop the supervisor (pid {state['pid']}) and all it started" if state else "stop nothing"
        removes = f", remove {_removed(directory, others_in(directory, mark))}" if mark else ""
        sys.stdout.write(f"would {stops}{removes}\n")
        return 0
    if state is None:
        sys.stderr.write(f"no sandbox runs in {directory}\n")
    else:
        end(state["pid"], directory)
        sys.stderr.write(f"stopped {', '.join(state['sites'])}\n")
    if mark is not None:
        sys.stderr.write(f"removed {_removed(directory, remove(directory, mark))}\n")
    elif not keep and directory.exists():
        sys.stderr.write(f"nothing is removed: {directory} does not say that a sandbox made it\n")
    return 0


def _removed(directory: Path, left: list[str]) -> str:
    if not left:
        return str(directory)
    shown = ", ".join(left[:SHOWN_MAX]) + (f" and {len(left) - SHOWN_MAX} more" if len(left) > SHOWN_MAX else "")
    return f"what a sandbox made in {directory}; no sandbox made {shown}: left there"


def end(pid: int, directory: Path) -> None:
    """SIGTERM, and SIGKILL when that did not help: what a supervisor started dies with it."""
    try:
        _end(pid)
    except KeyboardInterrupt:
        again = f"cheops sandbox down --dir {quote(str(directory))}"
        sys.stderr.write(f"\ncheops: interrupted; the sandbox (pid {pid}) goes on ending: {again}\n")
        raise


def _end(pid: int) -> None:
    for number, timeout_s in ((signal.SIGTERM, DOWN_TIMEOUT_S), (signal.SIGKILL, KILL_TIMEOUT_S)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        end_s = time.monotonic() + timeout_s
        while alive(pid):
            if time.monotonic() > end_s:
                break
            time.sleep(POLL_INTERVAL_S)
        else:
            return
    raise CheopsError(f"the sandbox (pid {pid}) does not end")
