"""Python processes that start at once: each is forked from a server that has imported what they need.

    owner ──what to run, its files──▶ server ──fork──▶ warden ──fork──▶ the process ──its end──▶ owner

To import a service takes a second of a processor, and a sandbox of three sites runs six of them; a fork takes
hundredths. What runs is the same: the module as `python -m` runs it, with its own environment, files, session and exit
code. The server has one thread and no loop. Each of the chain dies with the one before it (PR_SET_PDEATHSIG), the
server when its owner's end of the socket closes; a process that was killed reads so, whether itself or its warden was
meant.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Never, TextIO

from cheops.sandbox.common import import_all

FILES: Final = 3  # standard input, output, error
PR_SET_PDEATHSIG: Final = 1
PR_SET_NAME: Final = 15
NAME_LENGTH_MAX: Final = 15  # the kernel cuts it there


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall run: `python -m module arguments…`; `name` is what `ps -o comm` and `top` show."""

    name: str
    module: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: str


class Forked:
    """What `subprocess.Popen` offers, as far as it is asked for."""

    def __init__(self, told: socket.socket) -> None:
        """`told`: where the warden tells the process's number, and later its exit code."""
        self._told = told
        self.returncode: int | None = None
        line = self._line()
        if not line:
            raise OSError("the server of forks is gone")
        self.pid = int(line)

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            self._told.settimeout(0)
            try:
                self._end()
            except BlockingIOError:
                return None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self._end()
            except TimeoutError as error:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0) from error
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Does nothing when it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _end(self) -> None:
        line = self._line()
        self.returncode = int(line) if line else -signal.SIGKILL  # nobody is left to tell
        self._told.close()

    def _line(self) -> bytes:
        """A warden writes a line as a whole, so only its first byte is waited for; nothing when the warden has gone."""
        found = b""
        while not found.endswith(b"\n") and (byte := self._told.recv(1)):
            found += byte
        return found


class ForkServer:
    """The server's socket, in the process that owns it; it ends when this is closed."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control

    @classmethod
    def started(cls, more: Sequence[str] = ()) -> ForkServer:
        """As a process of its own, for programs with threads or an event loop. `more`: modules that it imports, too."""
        ours, theirs = socket.socketpair()
        with theirs:
            child = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno()), *more],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        atexit.register(child.wait)
        atexit.register(ours.close)  # before the wait: what was registered last is called first
        return cls(ours)

    @classmethod
    def split_off(cls) -> ForkServer:
        """Fork it from this process, which has one thread and no loop yet, so that both import once."""
        import_all()
        ours, theirs = socket.socketpair()
        owner = os.getpid()
        if os.fork() == 0:
            ours.close()
            os.setsid()
            die_with(owner)
            become_server(theirs)
        theirs.close()
        return cls(ours)

    def start(self, wanted: Wanted, files: Sequence[int]) -> Forked:
        """Raises OSError when the server is gone. `files`: standard input, output and error."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"!"], [theirs.fileno(), *files])
        ours.sendall(json.dumps(asdict(wanted)).encode() + b"\n")
        return Forked(ours)


# ── in the server and what it forks ─────────────────────────────────────────────────────────────────────────────────


def become_server(control: socket.socket) -> Never:
    """Fork what is asked for, until the owner has closed its end."""
    call_ourselves("forks", "cheops sandbox: forks its programs")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for wardens
    while True:
        _, files, _, _ = socket.recv_fds(control, 1, 1 + FILES)
        if not files:
            os._exit(0)
        server = os.getpid()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            die_with(server)
            _become_warden(socket.socket(fileno=files[0]), files[1:])
        for one in files:
            os.close(one)


def die_with(parent: int) -> None:
    """When that one is gone already, at once."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def call_ourselves(name: str, title: str) -> None:
    """What `top`, and what `ps` and `pgrep -f` show. A title takes no more room than the server's own words had."""
    os.environ["SPT_NOENV"] = "1"  # read at the import: what `/proc/PID/environ` shows stays
    import setproctitle

    setproctitle.setproctitle(title)
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:NAME_LENGTH_MAX], 0, 0, 0)


def _become_warden(owner: socket.socket, files: Sequence[int]) -> Never:
    with owner.makefile("rb") as told:
        wanted = Wanted(**json.loads(told.readline()))
    warden, process = os.getpid(), os.fork()
    if process == 0:
        owner.close()
        os.setsid()
        die_with(warden)
        _become(wanted, files, lambda: runpy.run_module(wanted.module, run_name="__main__", alter_sys=True))
    call_ourselves("warden", f"cheops sandbox: warden of {wanted.name}")
    for one in files:
        os.close(one)
    owner.sendall(b"%d\n" % process)
    _, status = os.waitpid(process, 0)
    owner.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(wanted: Wanted, files: Sequence[int], run: Callable[[], object]) -> Never:
    call_ourselves(wanted.name, " ".join([sys.executable, "-m", wanted.module, *wanted.arguments]))
    for place, file in enumerate(files):
        os.dup2(file, place)
    os.closerange(FILES, os.sysconf("SC_OPEN_MAX"))  # whatever else whoever forked had open
    os.chdir(wanted.folder)
    os.environ.clear()
    os.environ.update(wanted.environment)
    sys.stdin, sys.stdout, sys.stderr = _opened(0, "r"), _opened(1, "w"), _opened(2, "w", buffering=1)
    vars(sys).update(__stdin__=sys.stdin, __stdout__=sys.stdout, __stderr__=sys.stderr)  # those it began with
    sys.argv = [wanted.module, *wanted.arguments]
    code: Any = 0
    try:
        run()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    _leave(code)


def _opened(file: int, mode: Literal["r", "w"], buffering: int = -1) -> TextIO:
    """As the interpreter does at its start: what a stream is opened on decides how it is buffered."""
    former = (sys.stdin, sys.stdout, sys.stderr)[file]
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    if not errors or former is sys.stderr:
        errors = "strict" if encoding and former is not sys.stderr else former.errors or ""
    return open(file, mode, buffering, encoding=encoding or former.encoding, errors=errors, closefd=False)


def _leave(code: Any) -> Never:
    """As the interpreter does, but without taking apart what is shared with the server."""
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


# ── without a server ────────────────────────────────────────────────────────────────────────────────────────────────


def leave_behind(wanted: Wanted, files: Sequence[int], run: Callable[[], int]) -> int:
    """Fork from this process, which has one thread and no loop, one that outlives it; its process id.

    It has imported what this one has, and ends with what `run` gives. `wanted`: what it calls itself, its environment
    and its folder.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process == 0:
        os.setsid()
        _become(wanted, files, lambda: sys.exit(run()))
    return process


# ── in the owner ────────────────────────────────────────────────────────────────────────────────────────────────────

_lock = threading.Lock()
_servers: list[ForkServer] = []


def use(server: ForkServer) -> None:
    """For all forks of this program from now on."""
    with _lock:
        _servers[:] = [server]


def fork(wanted: Wanted, files: Sequence[int]) -> Forked:
    """From this program's server; it is started, and started again when it was killed."""
    with _lock:
        if _servers:
            try:
                return _servers[0].start(wanted, files)
            except OSError:  # killed
                _servers.clear()
        _servers.append(ForkServer.started())
        return _servers[0].start(wanted, files)


if __name__ == "__main__":
    import_all(sys.argv[2:])
    become_server(socket.socket(fileno=int(sys.argv[1])))
