"""`cheops` typed some hundred times: each command is a process of its own, forked from one that has imported it all.

Starting Python with all that a command imports takes half a second of a processor; a fork takes hundredths. What runs
is the same: `python -m cheops`, with its own folder, environment, files and exit code (cheops/sandbox/forkserver.py).
That the program starts as it is installed is shown by those that start it so (`Shell.started`, the demo, the tests on
real clusters).
"""

from __future__ import annotations

import pkgutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import cheops.cli
from cheops.sandbox import forkserver
from cheops.sandbox.forkserver import Forked, ForkServer, Wanted

MORE: Final = ("cheops.asking", "cheops.mesh", "cheops.offline", "cheops.overview")
_starting = threading.Lock()  # a test may type in several threads
_servers: list[ForkServer] = []


def start(words: Sequence[str], folder: Path, environment: Mapping[str, str], files: Sequence[int]) -> Forked:
    """`files`: what the command reads, and where its output and its errors go."""
    with _starting:
        if not _servers:
            commands = (one.name for one in pkgutil.walk_packages(cheops.cli.__path__, "cheops.cli."))
            _servers.append(ForkServer.started((*commands, *MORE)))
            forkserver.use(_servers[0])  # testbeds of these tests fork from it, too
    return forkserver.fork(Wanted("cheops", "cheops", words, environment, str(folder)), files)


def ended(command: Forked, timeout_s: float) -> int:
    """Its exit code; -9 when it was killed by signal 9. Raises TimeoutExpired when it had to be killed here."""
    try:
        return command.wait(timeout_s)
    except subprocess.TimeoutExpired:
        command.send_signal(signal.SIGKILL)
        raise


def run(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], given: bytes, timeout_s: float
) -> tuple[int, bytes, bytes]:
    """Exit code, stdout, stderr."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(given)
        source.seek(0)
        command = start(words, folder, environment, [source.fileno(), out.fileno(), err.fileno()])
        return ended(command, timeout_s), _content(out), _content(err)


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
