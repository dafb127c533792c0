"""Our own programs as children: forked, and still processes of their own in all that a caller can tell."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cheops.sandbox.python import PythonProcess
from tests.kit.waiting import eventually_seen

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere they are not forked")

WAIT_S = 60.0
GOES_ON = "import signal; signal.pause()"
PARENT = """
import asyncio, pathlib, signal, sys
from cheops.sandbox.python import PythonProcess

sleeper = ["-n", "1", "-r", "1", "import signal; signal.pause()"]
child = PythonProcess("sleeper", "timeit", sleeper, pathlib.Path(sys.argv[1]))
asyncio.run(child.start())
print(child.pid, flush=True)
signal.pause()
"""


def running(folder: Path, source: str, **environment: str) -> PythonProcess:
    """`python -m timeit` runs a line of source, once."""
    words = ["-n", "1", "-r", "1", source]
    return PythonProcess("lyon child", "timeit", words, folder / "child.log", environment=environment)


def end_of(child: PythonProcess) -> int | None:
    """Its exit code, waited for."""
    eventually_seen(lambda: not child.running, f"{child.name} runs still", WAIT_S, pause_s=0.01)
    return child.returncode


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_a_forked_program_has_its_own_arguments_environment_log_session_and_exit_code(tmp_path: Path) -> None:
    source = "import os; print(os.environ['WORD'], os.getsid(0) == os.getpid(), flush=True); os._exit(7)"
    child = running(tmp_path, source, WORD="hello")
    await child.start()
    assert end_of(child) == 7
    assert child.log_tail() == "hello True"
    assert "WORD" not in os.environ


async def test_what_a_forked_program_does_not_catch_is_in_its_log_and_its_exit_code_is_1(tmp_path: Path) -> None:
    child = PythonProcess("child", "cheops.no_such_module", [], tmp_path / "child.log")
    await child.start()
    assert end_of(child) == 1
    assert "No module named cheops.no_such_module" in child.log_tail()


async def test_a_forked_program_is_stopped_killed_and_started_again_as_any_other(tmp_path: Path) -> None:
    child = running(tmp_path, GOES_ON)
    async with child:
        assert child.running
    assert child.returncode == -signal.SIGTERM
    first = child.pid
    await child.start()
    child.kill()
    assert child.returncode == -signal.SIGKILL
    assert child.pid != first


async def test_a_forked_program_is_called_by_its_name_and_reads_nothing(tmp_path: Path) -> None:
    source = "import sys; print(repr(sys.stdin.read()), *map(lambda name: open(f'/proc/self/{name}').read(), NAMES))"
    child = running(tmp_path, source.replace("NAMES", "['comm', 'cmdline']"))
    await child.start()
    assert end_of(child) == 0
    nothing_and_name, typed = child.log_tail().splitlines()[:2]
    assert nothing_and_name == "'' lyon child"
    assert typed.strip("\0 ").startswith(f"{sys.executable} -m timeit -n 1")


async def test_when_the_server_of_forks_is_killed_so_are_they_and_the_next_start_brings_another(tmp_path: Path) -> None:
    child = running(tmp_path, GOES_ON)
    await child.start()
    assert child.pid is not None
    warden = parent_of(child.pid)
    os.kill(parent_of(warden), signal.SIGKILL)
    assert end_of(child) == -signal.SIGKILL
    async with child:
        assert child.running


def test_a_forked_program_dies_with_an_owner_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "sleeper.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        try:
            assert not select.select([child], [], [], 0.5)[0], "it must not depend on the loop that started it"
            parent.kill()
            assert select.select([child], [], [], WAIT_S)[0]
        finally:
            os.close(child)
