"""The demo and the sandbox leave nothing running and no file, however they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.kit.command import COMMAND, HEARING, MANIFESTS, Shell
from tests.kit.traces import MARK, marked, until_gone
from tests.kit.waiting import eventually_seen

WAIT_S = 90.0

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("Three sites run the same shop", signal.SIGINT),
        ("  cluster ", signal.SIGTERM),
        ("  cluster ", signal.SIGHUP),
        ("$ cheops sites", signal.SIGINT),
        ("$ cheops delete secret/edge-ca", signal.SIGTERM),
    ],
)
def test_a_demo_that_is_interrupted_leaves_nothing(tmp_path: Path, line: str, number: signal.Signals) -> None:
    mark = uuid4().hex
    demo = subprocess.Popen(
        [*HEARING, sys.executable, "-m", "cheops.demo"],
        env={**os.environ, MARK: mark, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert demo.stdout is not None
    with demo.stdout:
        for printed in demo.stdout:
            if printed.startswith(line):
                break
        os.killpg(demo.pid, number)  # as a terminal does: the commands that it runs are interrupted, too
        rest = demo.stdout.read()
    assert demo.wait(WAIT_S) == 130, rest
    assert "interrupted; nothing is left running" in rest
    assert "Traceback" not in rest
    assert until_gone(mark) == []
    assert list(tmp_path.iterdir()) == []


def test_a_sandbox_whose_supervisor_is_killed_is_gone_and_down_cleans_up(tmp_path: Path) -> None:
    shell, mark = Shell(tmp_path), uuid4().hex
    assert shell("sandbox", "up", "--sites", "lyon", **{MARK: mark}).code == 0
    assert len(marked(mark)) >= 4  # supervisor, nats-server, cluster, services
    os.kill(_supervisor(tmp_path), signal.SIGKILL)
    assert until_gone(mark) == []
    assert shell("sandbox", "status").code == 1
    down = shell("sandbox", "down")
    assert (down.code, down.err) == (0, "no sandbox runs in .cheops\nremoved .cheops\n")
    assert list(tmp_path.iterdir()) == []


def test_a_sandbox_whose_parts_are_killed_still_goes_down(tmp_path: Path) -> None:
    shell, mark = Shell(tmp_path), uuid4().hex
    assert shell("sandbox", "up", "--sites", "lyon", **{MARK: mark}).code == 0
    for pid in marked(mark):
        if pid != _supervisor(tmp_path):
            os.kill(pid, signal.SIGKILL)
    status = shell("sandbox", "status")
    assert status.code == 1
    assert "no NATS server answers" in status.err
    assert shell("sandbox", "down").code == 0
    assert until_gone(mark) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_up_that_is_interrupted_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    err = _interrupted_up(tmp_path, number)
    assert "interrupted; nothing is left running\n" in err
    assert list(tmp_path.iterdir()) == []


def test_a_down_keeps_data_and_logs_when_it_is_asked_to_and_an_interrupted_up_keeps_them_too(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert shell("sandbox", "up", "--sites", "lyon").code == 0
    assert shell("apply", "-f", MANIFESTS / "shop.yaml", "--site", "lyon").code == 0
    assert shell("sandbox", "down", "--keep").code == 0
    before = _names(tmp_path / ".cheops")
    assert "supervisor.log" in before
    err = _interrupted_up(tmp_path)
    assert "interrupted; nothing is left running, and .cheops is kept\n" in err
    assert _names(tmp_path / ".cheops") == before
    assert shell("sandbox", "up", "--sites", "lyon").code == 0
    assert '"i-' in shell("verdicts", "--site", "lyon", "-o", "json").out, "its stream is not what it was"
    assert shell("sandbox", "down").code == 0
    assert list(tmp_path.iterdir()) == []


def test_a_sandbox_in_the_foreground_ends_like_one_that_is_kept(tmp_path: Path) -> None:
    shell, mark = Shell(tmp_path), uuid4().hex
    with shell.started("sandbox", "up", "--sites", "lyon", "--foreground", **{MARK: mark}) as up:
        assert up.stdout is not None
        assert up.stderr is not None
        assert up.stdout.readline().startswith("bus ")
        up.send_signal(signal.SIGINT)
        assert up.wait(WAIT_S) == 0
        assert up.stderr.read().endswith(
            "nothing is left running; data and logs are in .cheops (cheops sandbox down removes them)\n"
        )
    assert until_gone(mark) == []
    assert shell("sandbox", "up", "--sites", "lyon").code == 0
    down = shell("sandbox", "down")
    assert (down.code, down.err) == (0, "stopped lyon\nremoved .cheops\n")
    assert list(tmp_path.iterdir()) == []


def test_a_sandbox_that_starts_in_the_foreground_is_not_started_by_another_one(tmp_path: Path) -> None:
    shell, mark = Shell(tmp_path), uuid4().hex
    with shell.started("sandbox", "up", "--sites", "lyon", "--foreground", **{MARK: mark}) as up:
        eventually_seen((tmp_path / ".cheops" / "state.json").exists, "it says nowhere that it starts", WAIT_S)
        second = shell("sandbox", "up", "--sites", "lyon")
        assert (second.code, second.err) == (
            2, f"cheops: a sandbox is starting in .cheops (pid {up.pid}): cheops sandbox status\n"
        )  # fmt: skip
        assert shell("sandbox", "down").code == 0, "down did not find it"
        assert up.wait(WAIT_S) in (130, -signal.SIGTERM)
    assert until_gone(mark) == []
    assert list(tmp_path.iterdir()) == []


def _interrupted_up(folder: Path, number: signal.Signals = signal.SIGINT) -> str:
    """Ctrl-C, or another signal, while it starts; what it says on stderr. Nothing runs any more."""
    mark = uuid4().hex
    up = subprocess.Popen(
        [*COMMAND, "sandbox", "up", "--sites", "lyon,oslo"],
        cwd=folder,
        env={**os.environ, MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _until_logged(folder, "nats-server ")
    up.send_signal(number)
    _, err = up.communicate(timeout=WAIT_S)
    assert up.returncode == 130
    assert until_gone(mark) == []
    return err


def _names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def _until_logged(folder: Path, text: str) -> None:
    """Wait until the supervisor has said it, and not one before it: the state is written when its log is begun."""
    log, state = (folder / ".cheops" / name for name in ("supervisor.log", "state.json"))
    eventually_seen(lambda: state.is_file() and text in log.read_text(), f"it never says {text!r}", WAIT_S)


def _supervisor(folder: Path) -> int:
    return int(json.loads((folder / ".cheops" / "state.json").read_text())["pid"])
