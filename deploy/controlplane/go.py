"""The Go compiler: is it there and new enough, and one build with progress that a person can follow."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections import deque
from pathlib import Path

from deploy.controlplane.families import Family

PROGRESS_INTERVAL_S = 15.0
LAST_LINES_MAX = 40
OLDEST_THAT_FETCHES_A_NEWER_ONE = (1, 21)  # GOTOOLCHAIN=auto exists since then
_HOW_TO_GET = (
    "install Go {wanted} or newer (https://go.dev/doc/install), "
    "or point KUBEBUILDER_ASSETS to a folder that has kube-apiserver, etcd and kube-controller-manager"
)


class BuildError(Exception):
    """What a person has to change is in the message."""


def check_go(wanted: tuple[int, ...]) -> None:
    """Raise BuildError when no Go that can build it will be found."""
    how = _HOW_TO_GET.format(wanted=".".join(map(str, wanted)))
    if not shutil.which("go"):
        raise BuildError(f"there is no `go` on the PATH: {how}")
    answer = json.loads(subprocess.check_output(["go", "env", "-json", "GOVERSION", "GOTOOLCHAIN"], text=True))
    version, toolchain = str(answer["GOVERSION"]), str(answer["GOTOOLCHAIN"])
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    fetches = "auto" in toolchain and found >= OLDEST_THAT_FETCHES_A_NEWER_ONE
    if found < wanted and not fetches:
        raise BuildError(f"{version} is too old: {how}")


def go_build(family: Family, target: Path) -> None:
    """Build all programs of the family into `target`. Raises BuildError with the end of what the compiler said.

    Go's own caches are used, so a second checkout on the same machine only links. CGO is off and paths are trimmed:
    the programs depend on nothing here and the cache does not depend on where the checkout is.
    """
    command = ["go", "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", family.linker_flags]
    last_lines: deque[str] = deque(maxlen=LAST_LINES_MAX)
    with subprocess.Popen(
        [*command, "-o", f"{target}{os.sep}", *family.packages],
        cwd=family.directory,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            _follow(process, last_lines)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise BuildError(f"go build of {family.name} failed:\n" + "\n".join(last_lines))


def _follow(process: subprocess.Popen[str], last_lines: deque[str]) -> None:
    """With -v the compiler names each package as it is done."""
    assert process.stderr
    started_s = told_s = time.monotonic()
    for count, line in enumerate(process.stderr, start=1):
        last_lines.append(line.rstrip())
        if time.monotonic() - told_s >= PROGRESS_INTERVAL_S:
            told_s = time.monotonic()
            print(f"controlplane:   {told_s - started_s:4.0f} s, {count} steps, now {line.strip()}", flush=True)
