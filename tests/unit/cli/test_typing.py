"""A command that is forked from a prepared process is the command as it is installed."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kit import forked
from tests.kit.command import COMMAND, TIMEOUT_S, Ran, Shell


@pytest.mark.parametrize(
    "words",
    [("--help",), ("scope", "check", "lyon & oslo"), ("scope", "check", "lyon &"), ("explain", "D310"), ("aply",)],
)
def test_a_forked_command_says_what_the_program_says(tmp_path: Path, words: tuple[str, ...]) -> None:
    shell = Shell(tmp_path)
    program = subprocess.run(
        [*COMMAND, *words], cwd=tmp_path, env=shell.environment(), capture_output=True, timeout=TIMEOUT_S, check=False
    )
    assert shell(*words) == Ran(program.returncode, program.stdout.decode(), program.stderr.decode())


def test_a_forked_command_writes_in_the_encoding_that_python_is_told(tmp_path: Path) -> None:
    said = Shell(tmp_path)("order", "-f", "é", PYTHONIOENCODING="ascii")
    assert said == Ran(2, "", "cheops: \\xe9: cannot be read (No such file or directory)\n")


def test_each_has_a_folder_an_input_and_an_environment_of_its_own_also_at_the_same_time(tmp_path: Path) -> None:
    def typed(number: int) -> list[str]:
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "here.yaml").write_text("# a line\n" * number + "kind: ConfigMap")
        shell = Shell(folder)
        return [
            shell("apply", "-f", "here.yaml").err,
            shell("apply", "-f", "-", stdin="# a line\n" * number + "kind: ConfigMap").err,
            shell("sites", CHEOPS_NATS_URL=f"nats://127.0.0.1:{number}").err,
        ]

    with ThreadPoolExecutor(4) as threads:
        for number, said in enumerate(threads.map(typed, range(1, 9)), start=1):
            assert said[0].startswith(f"cheops: here.yaml:{number + 1}: ")
            assert said[1].startswith(f"cheops: standard input:{number + 1}: ")
            assert f"no NATS server answers at nats://127.0.0.1:{number} " in said[2]


def test_one_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        forked.run(["serve", "resolver"], tmp_path, shell.environment(), b"", timeout_s=0.001)
    assert shell("explain", "D310").code == 0
