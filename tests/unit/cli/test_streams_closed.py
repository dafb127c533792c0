"""What becomes of a command whose output nobody takes, or that was started without one of its streams."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.kit import forked
from tests.kit.command import COMMAND, TIMEOUT_S, Shell

CLAIMED = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, envFrom: [{configMapRef: {name: settings}}]}]}
"""
DENIED = ("check", "--site", "lyon=shop.yaml", "--delete", "configmap/settings", "-n", "shop")
FORKED = ("check", "relations")


def _typed(folder: Path, words: tuple[str, ...], stdout: int, stderr: int | None = None) -> tuple[int, str]:
    """Its exit code, and what it said on standard error where that is not given.

    What imports a second's worth is forked; pages start as the program, which ends as Python does.
    """
    (folder / "shop.yaml").write_text(CLAIMED)
    environment = Shell(folder).environment()
    with Path(os.devnull).open("rb") as nothing, tempfile.TemporaryFile("w+") as said:
        files = (nothing.fileno(), stdout, said.fileno() if stderr is None else stderr)
        if words[0] in FORKED:
            code = forked.ended(forked.start(words, folder, environment, files), TIMEOUT_S)
        else:
            command = subprocess.Popen(
                [*COMMAND, *words], cwd=folder, env=environment, stdin=files[0], stdout=files[1], stderr=files[2]
            )
            code = command.wait(TIMEOUT_S)
        said.seek(0)
        return code, said.read()


@pytest.mark.parametrize(("words", "code"), [(DENIED, 3), (("explain",), 0), (("--help",), 0), (("--version",), 0)])
def test_a_reader_who_has_enough_changes_no_exit_code(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = _typed(tmp_path, words, writing)
    finally:
        os.close(writing)
    assert done == (code, "")


@pytest.mark.parametrize(
    ("words", "code"), [(DENIED, 3), (("relations", "-f", "nowhere.yaml"), 2), (("nosuch",), 2), (("--help",), 0)]
)
def test_nor_does_one_who_has_enough_of_both_streams(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done, _ = _typed(tmp_path, words, writing, writing)
    finally:
        os.close(writing)
    assert done == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full")
@pytest.mark.parametrize("words", [("explain", "D310"), ("--help",), DENIED])
def test_a_disk_that_is_full_is_told_in_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        code, said = _typed(tmp_path, words, full.fileno())
    assert code == 1
    [line] = said.splitlines()
    assert "No space left on device" in line


@pytest.mark.parametrize(
    ("closed", "words", "code"),
    [("<&-", "relations -f -", 2), (">&-", "explain D310", 0), ("2>&-", "relations -f nosuch.yaml", 2)],
)
def test_a_stream_that_the_caller_closed_is_empty_and_no_error_of_its_own(
    tmp_path: Path, closed: str, words: str, code: int
) -> None:
    line = f"{sys.executable} -m cheops {words} {closed}"
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=tmp_path, env=Shell(tmp_path).environment(), capture_output=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full")
def test_a_full_disk_under_the_errors_changes_no_exit_code(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full, Path(os.devnull).open("wb") as nothing:
        assert _typed(tmp_path, ("relations", "-f", "nowhere.yaml"), nothing.fileno(), full.fileno())[0] == 2
