"""A program that runs beside us: start → wait until it answers → stop; it never outlives us.

Everything here rests on `subprocess.Popen` and short polls, so a child belongs to no event loop: it may be started
in one loop and stopped in another, or from plain code through `asyncio.run`.

A child leads its own session, so Ctrl-C in a terminal reaches us alone and we stop children in order. When we are
killed instead, Linux kills the child (PR_SET_PDEATHSIG); elsewhere it would stay behind. Two traps are met here:
the kernel looks at the *thread* that forked, so one thread that lives as long as this process forks them all; and
Python code between fork and exec may deadlock in a threaded program, so a small launcher asks for the signal and
then becomes the program.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import SEEK_END, X_OK, access, environ, getpid
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from services.chassis.errors import PermanentError, TransientError

Probe = Callable[[], Awaitable[bool]]

POLL_INTERVAL_S = 0.02
PROBE_INTERVAL_S = 0.05
PROBE_TIMEOUT_S = 2.0  # one question; a program that hangs must not eat the whole wait
KILL_TIMEOUT_S = 5.0  # after SIGKILL only the kernel has work left
LOG_TAIL_BYTES_MAX = 64 * 1024

# argv: our pid, program, its arguments. PR_SET_PDEATHSIG is 1. It is kept across exec. If we are gone already, leave.
_LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"cannot run {sys.argv[2]}: {error}")
"""

_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")


class ChildExitedError(PermanentError):
    """The program ended before it was ready; the message carries the end of its log."""


class ChildNotReadyError(TransientError):
    """The program runs but did not answer in time; the message carries the end of its log."""


class Running(Protocol):
    """What is asked of `subprocess.Popen` here."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; raises subprocess.TimeoutExpired."""

    def send_signal(self, number: int, /) -> None:
        """Does nothing when it has ended."""


class ChildProcess:
    """One program with its log file. `command[0]` is the path of an executable."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log_file: Path,
        *,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`environment` is added to ours."""
        self.name = name
        self.log_file = log_file
        self._command = [str(part) for part in command]
        self._directory = directory
        self._environment = {**environ, **(environment or {})}
        self._process: Running | None = None

    @property
    def pid(self) -> int | None:
        """None before the first start."""
        return self._process.pid if self._process else None

    @property
    def returncode(self) -> int | None:
        """None while it runs and before the first start; -9 when it was killed by signal 9."""
        return self._process.poll() if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self.returncode is None

    async def start(self) -> None:
        """Return as soon as the process exists; it is ready when `wait_ready` says so. May follow `stop` or `kill`."""
        assert not self.running, f"{self.name} runs already"
        if not access(self._command[0], X_OK):
            raise ChildExitedError(f"{self.name} cannot be started: {self._command[0]} is not an executable file")
        self._process = _forker.submit(self._spawn).result()

    async def wait_ready(self, probe: Probe, timeout_s: float) -> None:
        """Ask until the probe says yes. A probe may raise OSError or TimeoutError: both mean not yet.

        Raises ChildExitedError at once when the program ends, ChildNotReadyError after `timeout_s`.
        """
        end_s = time.monotonic() + timeout_s
        while (left_s := end_s - time.monotonic()) > 0:
            self.ensure_running()
            if await _answers(probe, min(left_s, PROBE_TIMEOUT_S)):
                self.ensure_running()  # something else may answer on a port that this program could not take
                return
            await asyncio.sleep(PROBE_INTERVAL_S)
        self.ensure_running()
        raise ChildNotReadyError(f"{self.name} was not ready within {timeout_s:g} s; {self._last_words()}")

    def ensure_running(self) -> None:
        """Raise ChildExitedError when the program has ended (or was never started)."""
        if not self.running:
            code = self.returncode
            raise ChildExitedError(f"{self.name} exited with {code}; {self._last_words()}")

    async def stop(self, grace_s: float = 5.0) -> None:
        """SIGTERM, wait up to `grace_s`, SIGKILL. Harmless when it does not run."""
        self.send_signal(signal.SIGTERM)
        end_s = time.monotonic() + grace_s
        try:
            while self.running and time.monotonic() < end_s:  # noqa: ASYNC110 – belongs to no loop
                await asyncio.sleep(POLL_INTERVAL_S)
        finally:
            self.kill()  # also when the wait itself is cancelled

    def kill(self) -> None:
        """SIGKILL and reap. Harmless when it does not run."""
        self.send_signal(signal.SIGKILL)
        if self._process:
            self._process.wait(KILL_TIMEOUT_S)

    def send_signal(self, number: signal.Signals) -> None:
        """To this process only; SIGSTOP and SIGCONT make a program that hangs and recovers."""
        if self._process:
            self._process.send_signal(number)  # does nothing when the process has ended

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the log, at most 64 KiB; empty when there is none."""
        if not self.log_file.exists():
            return ""
        with self.log_file.open("rb") as log:
            log.seek(max(0, log.seek(0, SEEK_END) - LOG_TAIL_BYTES_MAX))
            text = log.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _spawn(self) -> Running:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [*launcher(), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
                env=self._environment,
                start_new_session=True,
            )

    def _last_words(self) -> str:
        return f"the end of {self.log_file}:\n{self.log_tail()}"


def launcher() -> list[str]:
    """What stands before a command, so that it dies with the thread that starts it."""
    if not sys.platform.startswith("linux"):
        return []
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(getpid())]


async def _answers(probe: Probe, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            return await probe()
    except OSError:  # TimeoutError is one of them
        return False
