"""Paths → manifests, where a folder with a kustomization is what kustomize builds of it.

It is built by `kustomize`, or by the one inside `kubectl`: what they make of bases and patches is theirs to know. Its
documents stand at the first line of the kustomization, since no line of a built object is anybody's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from schemas.documents import KUSTOMIZE, Document, DocumentError, parse, read_documents

NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")  # in the order of kustomize's own
CHART: Final = "Chart.yaml"
TOOLS: Final = (("kustomize", "build"), ("kubectl", "kustomize"))
BUILD_TIMEOUT_S: Final = 120.0  # bases may come from the net
LOGGED: Final = re.compile(r'"command failed" err="(.*)"$')  # as kubectl says it
REASON_LEN_MAX: Final = 1_000


def read_manifests(path: Path, shown: Path | None = None) -> list[Document]:
    """As `read_documents`, after kustomize where there is something to build. `shown`: the path in what is said."""
    try:
        file = kustomization_in(path)
        is_chart = path.is_dir() and (path / CHART).is_file()
    except OSError as error:
        raise DocumentError.of(error, path) from error
    if is_chart:
        reason = f"a Helm chart is rendered first (helm template {shown or path} | cheops … -f -)"
        raise DocumentError(str((shown or path) / CHART), 1, reason)
    return read_documents(path) if file is None else _built(path, file, (shown or path) / file.name)


def kustomization_in(path: Path) -> Path | None:
    """The file that says how a folder is built; None when none does."""
    files = (path / name for name in NAMES) if path.is_dir() else ()
    return next((one for one in files if one.is_file() and _is_kustomization(one)), None)


def _is_kustomization(file: Path) -> bool:
    """Flux's objects are called so, too; what cannot be read is told by kustomize."""
    try:
        bodies = [one.body for one in read_documents(file)]
    except DocumentError:
        return True
    return all(str(body.get("apiVersion") or KUSTOMIZE).startswith(KUSTOMIZE) for body in bodies)


def _built(folder: Path, file: Path, shown: Path) -> list[Document]:
    command = next((words for words in TOOLS if shutil.which(words[0])), None)
    if command is None:
        names = " nor ".join(words[0] for words in TOOLS)
        raise DocumentError(str(shown), 1, f"neither {names} is on the PATH to build it (or pass what it builds: -f -)")
    try:
        done = subprocess.run(
            [*command, str(folder)],
            capture_output=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DocumentError(str(shown), 1, f"{' '.join(command)}: {error}") from error
    if done.returncode:
        raise DocumentError(str(shown), 1, f"{' '.join(command)}: {_reason(done.stderr, folder, shown)}")
    return [replace(one, line=1, node=None) for one in parse(done.stdout, str(shown))]


def _reason(said: bytes, folder: Path, shown: Path) -> str:
    text = " ".join(said.decode(errors="replace").split())
    logged = LOGGED.search(text)
    text = logged.group(1) if logged else text.removeprefix("error: ").removeprefix("Error: ")
    return text.replace(str(folder), str(shown.parent))[:REASON_LEN_MAX] or "failed"


def all_manifests(paths: Sequence[Path]) -> list[Document]:
    """Those of several paths."""
    return [one for path in paths for one in read_manifests(path)]
