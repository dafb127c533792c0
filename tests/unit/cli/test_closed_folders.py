"""What we may not read is told, and never taken for empty: a verdict would rest on it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.command import COMMAND, TIMEOUT_S, Shell

# Root reads everything, unless it gives that right up.
BOUND = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
CONFIG = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}}\n"

pytestmark = pytest.mark.skipif(bool(BOUND) and not shutil.which(BOUND[0]), reason="root needs setpriv to be refused")


def _check(folder: Path, path: str) -> tuple[int, str]:
    words = ("check", "--site", f"lyon={path}", "--delete", "configmap/c", "-n", "shop")
    done = subprocess.run(
        [*BOUND, *COMMAND, *words],
        cwd=folder, env=Shell(folder).environment(), capture_output=True, timeout=TIMEOUT_S, check=False, text=True,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("closed", "path"),
    [("site/more", "site"), ("site", "site"), ("site", "site/a.yaml"), ("site/a.yaml", "site"), ("site", "site/more")],
)
def test_what_may_not_be_read_is_named_and_nothing_is_decided(tmp_path: Path, closed: str, path: str) -> None:
    (tmp_path / "site" / "more").mkdir(parents=True)
    (tmp_path / "site" / "a.yaml").write_text(CONFIG)
    shut = tmp_path / closed
    mode = shut.stat().st_mode
    shut.chmod(0)
    try:
        code, said = _check(tmp_path, path)
    finally:
        shut.chmod(mode)
    assert code == 2
    assert said.startswith(f"cheops: {closed}")
    assert said.endswith(": cannot be read (Permission denied)\n")
