"""Supervised child processes: ready, early exit, stop, kill, and what happens when we die."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cheops.sandbox.process import ChildExitedError, ChildNotReadyError, ChildProcess

WAIT_S = 20.0
LINUX_ONLY = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of our death")

IGNORES_SIGTERM = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
signal.pause()
"""

PARENT = """
import asyncio, pathlib, signal, sys
from cheops.sandbox.process import ChildProcess
child = ChildProcess("sleeper", ["/bin/sleep", "600"], pathlib.Path(sys.argv[1]))
asyncio.run(child.start())  # from a loop that ends at once: the child must stay
print(child.pid, flush=True)
signal.pause()
"""


def python_child(tmp_path: Path, source: str, *arguments: str) -> ChildProcess:
    return ChildProcess("child", [sys.executable, "-c", source, *arguments], tmp_path / "logs" / "child.log")


async def never() -> bool:
    return False


async def test_a_child_is_ready_when_its_probe_says_so_and_stops_on_request(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = python_child(
        tmp_path, "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()", str(ready)
    )

    async def is_there() -> bool:
        return ready.exists()

    async with child:
        await child.wait_ready(is_there, WAIT_S)
        assert child.running
    assert child.returncode == -signal.SIGTERM


async def test_a_child_that_ends_early_is_reported_at_once_with_its_last_words(tmp_path: Path) -> None:
    child = python_child(tmp_path, "import sys; sys.exit('bind: address already in use')")
    await child.start()
    with pytest.raises(ChildExitedError, match=r"(?s)child exited with 1.*child\.log.*address already in use"):
        await child.wait_ready(never, WAIT_S)


async def test_a_child_that_never_answers_is_given_up_after_the_bound(tmp_path: Path) -> None:
    child = python_child(tmp_path, "import signal; signal.pause()")
    async with child:
        with pytest.raises(ChildNotReadyError, match=r"not ready within 0\.2 s"):
            await child.wait_ready(never, 0.2)


async def test_a_probe_that_hangs_does_not_prolong_the_wait(tmp_path: Path) -> None:
    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    async with python_child(tmp_path, "import signal; signal.pause()") as child:
        with pytest.raises(ChildNotReadyError):
            await asyncio.wait_for(child.wait_ready(hangs, 0.2), WAIT_S)


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    child = ChildProcess("ghost", ["/nowhere/ghost"], tmp_path / "ghost.log")
    with pytest.raises(ChildExitedError, match="/nowhere/ghost is not an executable file"):
        await child.start()


async def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = python_child(tmp_path, IGNORES_SIGTERM, str(ready))

    async def is_there() -> bool:
        return ready.exists()

    await child.start()
    await child.wait_ready(is_there, WAIT_S)
    await child.stop(grace_s=0.1)
    assert child.returncode == -signal.SIGKILL


async def test_a_killed_child_can_be_started_again(tmp_path: Path) -> None:
    child = python_child(tmp_path, "import signal; signal.pause()")
    await child.start()
    first = child.pid
    child.kill()
    assert child.returncode == -signal.SIGKILL
    async with child:
        assert child.running
        assert child.pid != first


async def test_stopping_what_was_never_started_is_harmless(tmp_path: Path) -> None:
    child = python_child(tmp_path, "")
    await child.stop()
    child.kill()
    assert child.log_tail() == ""


async def test_the_tail_of_a_long_log_is_short(tmp_path: Path) -> None:
    child = python_child(tmp_path, "print('\\n'.join(str(n) for n in range(100_000))); raise SystemExit(3)")
    await child.start()
    with pytest.raises(ChildExitedError):
        await child.wait_ready(never, WAIT_S)
    assert child.log_tail(lines=2) == "99998\n99999"


@LINUX_ONLY
def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "sleeper.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            assert not ended(child, 0.5), "the child must not depend on the loop that started it"
            parent.kill()
            assert ended(child, WAIT_S)
        finally:
            os.close(child)


def ended(process: int, timeout_s: float) -> bool:
    """A descriptor of a process becomes readable when the process has ended."""
    return bool(select.select([process], [], [], timeout_s)[0])
