"""`cheops` typed some hundred times: each command is a process of its own, forked from one that has imported it all.

    a test ──where to talk, read and write──▶ prepared ──fork──▶ warden ──fork──▶ the command ──its end──▶ the test

Starting Python with all that a command imports takes half a second of a processor; a fork takes hundredths. What runs
is the same: `cheops.cli.main`, with its own folder, environment, files and exit code. That the program starts as it is
installed is shown by those that start it so (`Shell.started`, the demo, the tests on real clusters).
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Final, TextIO

FILES: Final = 3  # standard input, output, error
MORE: Final = ("cheops.asking", "cheops.mesh", "cheops.offline", "cheops.overview")
_sending = threading.Lock()  # a test may type in several threads


def start(words: Sequence[str], folder: Path, environment: Mapping[str, str], files: Sequence[int]) -> socket.socket:
    """Where `ended` hears of it. `files`: what the command reads, and where its output and its errors go."""
    ours, theirs = socket.socketpair()
    with theirs, _sending:
        socket.send_fds(_prepared(), [b"!"], [theirs.fileno(), *files])
    wanted = {"words": list(words), "folder": str(folder), "environment": dict(environment)}
    ours.sendall(json.dumps(wanted).encode() + b"\n")
    return ours


def ended(command: socket.socket, timeout_s: float) -> int:
    """Its exit code; -9 when it was killed by signal 9. Raises TimeoutError when it had to be killed here."""
    command.settimeout(timeout_s)
    with command, command.makefile("rb") as told:
        pid = _number(told)
        try:
            return _number(told)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
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


@cache
def _prepared() -> socket.socket:
    """Started by the first command, ended with us: it reads the end of this socket."""
    ours, theirs = socket.socketpair()
    with theirs:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.kit.forked", str(theirs.fileno())],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
    atexit.register(child.wait)
    atexit.register(ours.close)  # before the wait: what was registered last is called first
    return ours


def _number(told: IO[bytes]) -> int:
    line = told.readline()
    assert line, "the prepared process is gone"
    return int(line)


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


# ── in the prepared process ─────────────────────────────────────────────────────────────────────────────────────────


def _import_all() -> None:
    import cheops.cli

    for module in pkgutil.walk_packages(cheops.cli.__path__, "cheops.cli."):
        importlib.import_module(module.name)
    for name in MORE:
        importlib.import_module(name)


def _wait_for_work(control: socket.socket) -> list[str]:
    """Return in a process that shall be a command, with its words; the one that was here from the start never does."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for wardens
    while True:
        _, files, _, _ = socket.recv_fds(control, 1, 1 + FILES)
        if not files:
            os._exit(0)
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            with socket.socket(fileno=files[0]) as test:
                return _become_command(test, files[1:])
        for one in files:
            os.close(one)


def _become_command(test: socket.socket, files: Sequence[int]) -> list[str]:
    """Return in the command; the warden tells who it is and how it ended."""
    with test.makefile("rb") as told:
        wanted: dict[str, Any] = json.loads(told.readline())
    command = os.fork()
    if command:
        test.sendall(b"%d\n" % command)
        _, status = os.waitpid(command, 0)
        test.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    sys.stdin, sys.stdout, sys.stderr = _opened(0, "r"), _opened(1, "w"), _opened(2, "w", buffering=1)
    words: list[str] = wanted["words"]
    return words


def _opened(file: int, mode: str, buffering: int = -1) -> TextIO:
    """As the interpreter does at its start: what a stream is opened on decides how it is buffered."""
    former = (sys.stdin, sys.stdout, sys.stderr)[file]
    return open(file, mode, buffering, encoding=former.encoding, errors=former.errors, closefd=False)


def _leave(code: str | int | None) -> None:
    """As the interpreter does, but without taking apart what it shares with the prepared one."""
    assert isinstance(code, int), code
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _import_all()
    gc.freeze()  # a collection in a command would copy every page that it shares with this process
    words = _wait_for_work(socket.socket(fileno=int(sys.argv[1])))
    from cheops.cli.main import main

    sys.argv = ["cheops", *words]
    try:
        main()
    except SystemExit as ended:
        _leave(ended.code)
