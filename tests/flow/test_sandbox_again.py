"""`cheops sandbox up` where a sandbox runs already: what has ended of it is started again, and that is said."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.kit.command import Shell, processes_of, sandbox
from tests.kit.waiting import eventually_seen

WAIT_S = 30.0
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept}\ndata: {a: b}\n"

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def killed(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    eventually_seen(lambda: not Path(f"/proc/{pid}/exe").exists(), lambda: f"{pid} does not end", WAIT_S)


def server_of(shell: Shell, name: str) -> int:
    """The nats-server that runs in a folder of the mesh."""
    found = [int(file.stem.rpartition("_")[2]) for file in (shell.folder / ".cheops" / "nats" / name).glob("*.ports")]
    return next(pid for pid in found if Path(f"/proc/{pid}/exe").exists())


def test_up_starts_again_what_has_ended_says_what_that_was_and_nothing_stored_is_lost(tmp_path: Path) -> None:
    with sandbox(tmp_path, "lyon", "oslo") as shell:
        assert shell("apply", "-f", "-", "--scope", "lyon & oslo", stdin=MAP).code == 0
        (site,) = processes_of(shell, "lyon")
        for pid in (site, server_of(shell, "oslo"), server_of(shell, "routers/router-1")):
            killed(pid)
        told = shell("sandbox", "status")
        assert "cheops sandbox up" in told.out + told.err
        again = shell("sandbox", "up", "--sites", "lyon,oslo")
        assert (again.code, again.err.splitlines()) == (
            0,
            [
                "runs already in .cheops",
                "started again: nats-server router-1",
                "started again: nats-server oslo",
                "started again: lyon site",
            ],
        )
        assert "export CHEOPS_CONTEXT=" in again.out
        assert shell("get", "configmap/kept", "--all", "--scope", "lyon & oslo").code == 0
        assert shell("update", "-f", "-", stdin=MAP.replace("a: b", "a: c")).code == 0
        assert shell("sandbox", "up", "--sites", "lyon,oslo").err == "runs already in .cheops\n"


def test_a_cluster_in_memory_that_has_ended_is_back_at_its_address_and_said_to_be_empty(tmp_path: Path) -> None:
    with sandbox(tmp_path, "lyon") as shell:
        assert shell("apply", "-f", "-", stdin=MAP).code == 0
        kubeconfig = (tmp_path / ".cheops" / "kubeconfig").read_text()
        (cluster,) = processes_of(shell, "lyon", "apiserver")
        killed(cluster)
        again = shell("sandbox", "up", "--sites", "lyon")
        said = "started again: lyon apiserver (empty: it keeps its objects in memory)"
        assert (again.code, again.err.splitlines()[1:]) == (0, [said])
        assert (tmp_path / ".cheops" / "kubeconfig").read_text() == kubeconfig
        eventually_seen(
            lambda: shell("get", "configmap/kept").code == 3,
            lambda: f"it counts as there: {shell('get', 'configmap/kept')}",
            WAIT_S,
        )
        eventually_seen(  # some of its kinds may not have been listed yet: that is a deferral
            lambda: shell("apply", "-f", "-", stdin=MAP).code == 0,
            lambda: f"it does not go on: {shell('get', 'configmap/kept')}",
            WAIT_S,
        )


def test_what_cannot_be_started_again_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with sandbox(tmp_path, "lyon") as shell:
        folder = tmp_path / ".cheops" / "nats" / "lyon"
        killed(server_of(shell, "lyon"))
        (folder / "store").rename(folder / "elsewhere")
        (folder / "store").write_text("no folder")
        again = shell("sandbox", "up", "--sites", "lyon")
        assert again.code == 1
        assert "nats-server lyon exited with 1" in again.err
        (folder / "store").unlink()
        (folder / "elsewhere").rename(folder / "store")
        assert shell("sandbox", "up", "--sites", "lyon").code == 0
