"""Of a folder only what a sandbox has made is removed, and what it has made it says itself."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cheops.sandbox.background import Wanted, up
from cheops.sandbox.claim import MARK, alone, mark_of, take
from cheops.sandbox.down import down
from cheops.sandbox.standing import where
from cheops.topology.folder import MeshFolder
from services.chassis.errors import SettingsError
from tests.kit.command import Shell
from tests.kit.full import files_of_at_most


def contents(folder: Path) -> dict[str, str]:
    return {str(one.relative_to(folder)): one.read_text() for one in sorted(folder.rglob("*")) if one.is_file()}


def kept(folder: Path, *sites: str) -> Path:
    """As a sandbox leaves it when it is told to keep its data."""
    take(folder, sites)
    for site in sites:
        (folder / site).mkdir()
        (folder / site / "data").write_text(site)
    (folder / "supervisor.log").write_text("cluster ready\n")
    return folder


@pytest.mark.parametrize("name", ["supervisor.log", "state.json", MARK])
def test_a_folder_that_only_looks_like_a_sandbox_is_neither_removed_nor_taken(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "precious").write_text("data")
    (tmp_path / name).write_text('{"made": ["sub"]}')
    before = contents(tmp_path)
    assert down(tmp_path, keep=False, preview=False) == 0
    assert capsys.readouterr().err == (
        f"no sandbox runs in {tmp_path}\nnothing is removed: {tmp_path} does not say that a sandbox made it\n"
    )
    with pytest.raises(SettingsError, match="holds something else"):
        up(tmp_path, ["lyon"], Wanted(), foreground=False)
    assert contents(tmp_path) == before


def test_down_removes_what_a_sandbox_made_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = kept(tmp_path / "kept", "lyon")
    assert down(folder, keep=False, preview=True) == 0
    assert capsys.readouterr().out == f"would stop nothing, remove {folder}\n"
    assert down(folder, keep=False, preview=False) == 0
    assert capsys.readouterr().err == f"no sandbox runs in {folder}\nremoved {folder}\n"
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_put_beside_it_is_left_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = kept(tmp_path / "kept", "lyon")
    (folder / "notes").write_text("mine")
    says = f"remove {{}}what a sandbox made in {folder}; no sandbox made notes: left there\n"
    down(folder, keep=False, preview=True)
    assert capsys.readouterr().out == f"would stop nothing, {says.format('')}"
    down(folder, keep=False, preview=False)
    assert capsys.readouterr().err.endswith(says.format("").replace("remove ", "removed ", 1))
    assert contents(folder) == {"notes": "mine"}


def test_a_folder_that_was_there_before_and_a_link_to_elsewhere_outlive_the_sandbox(tmp_path: Path) -> None:
    empty, elsewhere = tmp_path / "empty", tmp_path / "elsewhere"
    empty.mkdir()
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("data")
    take(empty, ["lyon"])
    (empty / "lyon").symlink_to(elsewhere)
    down(empty, keep=False, preview=False)
    assert list(empty.iterdir()) == []
    assert contents(elsewhere) == {"precious": "data"}


@pytest.mark.parametrize("name", ["../elsewhere", "/etc", "..", ".", "a/b"])
def test_a_mark_that_names_something_outside_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / MARK).write_text(json.dumps({"schema": "sandboxfolder/v1", "folder": True, "made": [name]}))
    assert mark_of(tmp_path) is None


def test_an_up_that_is_given_up_leaves_a_kept_folder_as_it_was(tmp_path: Path) -> None:
    folder = kept(tmp_path / "kept", "lyon")
    before = contents(folder)
    claim = take(folder, ["lyon", "oslo"])
    (folder / "oslo").mkdir()
    (folder / "oslo" / "data").write_text("new")
    claim.give_back()
    assert contents(folder) == before


def test_an_up_that_is_given_up_leaves_nothing_of_a_new_folder(tmp_path: Path) -> None:
    take(tmp_path / "fresh", ["lyon"]).give_back()
    assert list(tmp_path.iterdir()) == []


def test_a_kept_folder_takes_no_site_by_the_name_of_something_else_in_it(tmp_path: Path) -> None:
    folder = kept(tmp_path / "kept", "lyon")
    (folder / "oslo").write_text("mine")
    with pytest.raises(SettingsError, match="oslo was made by no sandbox"):
        take(folder, ["lyon", "oslo"])
    down(folder, keep=False, preview=False)
    assert contents(folder) == {"oslo": "mine"}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder in which nobody can make one")
def test_a_folder_that_cannot_be_made_is_told_in_one_line() -> None:
    with pytest.raises(SettingsError, match=r"^/proc/x: cannot be a sandbox's folder \(No such file or directory\)$"):
        up(Path("/proc/x"), ["lyon"], Wanted(), foreground=False)


def test_a_folder_with_a_name_that_others_cannot_be_told_is_not_taken(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    with pytest.raises(SettingsError, match=r"its name is no UTF-8 \(take another --dir, or LC_ALL=C\.UTF-8\)"):
        take(folder, ["lyon"])
    assert not folder.exists()


def test_what_is_said_of_a_sandbox_can_be_pasted_whatever_its_folder_is_called() -> None:
    folder = "/home/josé/it's mine"
    state = {"sites": ["lyon"], "engine": "embedded", "servers": {"lyon": "nats://127.0.0.1:4222"}}
    said = where({**state, "kubeconfig": f"{folder}/kubeconfig", "context": f"{folder}/context.json"})
    exports = [shlex.split(line) for line in said.splitlines() if "export " in line]
    assert exports == [
        ["export", f"KUBECONFIG={folder}/kubeconfig"],
        ["cheops", "export", f"CHEOPS_CONTEXT={folder}/context.json", "CHEOPS_SITE=lyon"],
    ]


def test_a_server_that_cannot_start_is_told_without_a_traceback(tmp_path: Path) -> None:
    folder = kept(tmp_path / ".cheops", "lyon")
    MeshFolder(folder / "nats").init(["lyon"], 0, {})
    (folder / "nats" / "lyon" / "store").write_text("where it would store")
    up = Shell(tmp_path)("sandbox", "up", "--sites", "lyon", "--routers", "0")
    assert up.code == 1
    assert "cheops: nats-server lyon exited with 1" in up.err
    assert "the sandbox did not start; logs are in " in up.err
    assert "Traceback" not in up.err


def test_a_folder_that_had_no_room_is_taken_when_there_is_some(tmp_path: Path) -> None:
    folder = tmp_path / ".cheops"
    with files_of_at_most(10), pytest.raises(SettingsError, match=r"cannot be a sandbox's folder \(File too large\)"):
        take(folder, ["lyon"])
    assert list(folder.iterdir()) == []
    assert "lyon" in take(folder, ["lyon"]).mark.made


def test_of_two_that_take_a_folder_at_once_one_goes_first(tmp_path: Path) -> None:
    folder = tmp_path / "new" / ".cheops"
    locked = pytest.raises(SettingsError, match=r"new is locked by somebody else \(another cheops sandbox up\?\)")
    with alone(folder), locked, alone(folder, timeout_s=0):
        raise AssertionError("both are in it")
    with alone(folder, timeout_s=0):
        assert not folder.exists(), "it is made by who takes it"


IMPATIENT = """
import os, signal, subprocess, sys
from pathlib import Path
from cheops.sandbox.down import end

supervisor = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
supervisor.stdout.readline()
try:
    end(supervisor.pid, Path("it's here"))
except KeyboardInterrupt:
    supervisor.kill()
    sys.exit(130)
"""
INTERRUPTING = """
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGINT))
print(flush=True)
while True:
    signal.pause()
"""


def test_who_does_not_wait_for_the_end_of_a_sandbox_hears_that_it_goes_on_and_how_to_ask_again() -> None:
    command = [sys.executable, "-c", IMPATIENT, INTERRUPTING]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 130
    said = re.sub(r"pid \d+", "pid N", ran.stderr.strip())
    ask = shlex.join(["cheops", "sandbox", "down", "--dir", "it's here"])
    assert said == f"cheops: interrupted; the sandbox (pid N) goes on ending: {ask}"
