"""What the scripts of the testbed on kind write, without an engine: docker, kind and kubectl only take notes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cheops.contexts import read_context

SCRIPTS = Path(__file__).parents[2] / "deploy" / "kind"


def test_the_context_that_is_printed_finds_the_keys_whatever_folder_was_named(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("docker", "kind", "kubectl"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/told\n[ -t 0 ] || cat >/dev/null\n')
        (programs / name).chmod(0o755)
    path = os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        [SCRIPTS / "up.sh", "lyon,oslo", "bed"],
        cwd=tmp_path, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (printed,) = (one for one in done.stdout.splitlines() if one.startswith("export CHEOPS_CONTEXT="))
    context = read_context(tmp_path / printed.partition("=")[2])
    assert context.sites == ("lyon", "oslo")
    for site, server in context.servers.items():
        assert (Path(server.keys) / "client.nk").is_file(), f"{site}: {server.keys}"
    told = (tmp_path / "told").read_text()
    assert f"--user {os.getuid()}:{os.getgid()} " in told, "the router reads files of whoever made them"
    (programs / "docker").write_text("#!/bin/sh\nexit 1\n")  # it knows no router: up.sh did not come so far
    ended = subprocess.run([SCRIPTS / "down.sh", "bed"], cwd=tmp_path, env={**os.environ, "PATH": path}, check=True)
    assert (ended.returncode, (tmp_path / "bed").exists()) == (0, False)
    told = (tmp_path / "told").read_text()
    assert [one for one in ("lyon", "oslo") if f"kind delete cluster --name cheops-{one}" in told] == ["lyon", "oslo"]
