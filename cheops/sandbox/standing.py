"""What a sandbox's folder says about it: does one run here, since when, where is everything?

`state.json` names the supervisor by its process id *and* the time of its birth, so that a number that the system gave
to somebody else after a crash is never taken for ours.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Any, Final

from cheops.private_files import write_whole
from services.chassis.errors import SettingsError

STATE: Final = "state.json"
LOG: Final = "supervisor.log"


def running(directory: Path) -> dict[str, Any] | None:
    """The state of the sandbox that runs here, starting ones included."""
    state = read_state(directory)
    return state if state and alive(state["pid"]) and born(state["pid"]) == state.get("born") else None


def read_state(directory: Path) -> dict[str, Any] | None:
    """What `write_state` wrote; None where nobody did. Raises SettingsError when it may not be read."""
    try:
        found: Any = json.loads((directory / STATE).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise SettingsError(f"{directory / STATE}: cannot be read ({error.strerror})") from error
    return found if isinstance(found, dict) and isinstance(found.get("pid"), int) else None


def write_state(directory: Path, state: dict[str, Any]) -> None:
    """Whole or not at all."""
    write_whole(directory / STATE, json.dumps(state, indent=2) + "\n")


def where(state: dict[str, Any]) -> str:
    """Where everything is, to be pasted."""
    sites = state["sites"]
    urls = state["servers"]
    shared = len(set(urls.values())) == 1
    buses = [urls[sites[0]]] if shared else [f"{name:<{max(map(len, sites))}}  {urls[name]}" for name in sites]
    return (
        f"bus       {(chr(10) + ' ' * 10).join(buses)}\n"
        f"clusters  {', '.join(sites)} ({state['engine']})\n"
        f"            export KUBECONFIG={quote(state['kubeconfig'])}\n"
        f"            kubectl --context {sites[0]} get all -A\n"
        f"cheops    export CHEOPS_CONTEXT={quote(state['context'])} CHEOPS_SITE={sites[0]}\n"
        f"            cheops sites\n"
    )


def alive(pid: int) -> bool:
    """A process that is not a zombie; a child of ours that has ended is not one any more."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = _stat(pid)
    return not stat or stat[0] != "Z"


def born(pid: int) -> str:
    """When the process began, in the kernel's ticks; empty where nobody tells."""
    stat = _stat(pid)
    return stat[19] if len(stat) > 19 else ""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on."""
    if not sys.platform.startswith("linux"):
        return []
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
