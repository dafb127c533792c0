"""Our own programs in the sandbox: children as every other one, forked where that can be done (forkserver.py)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cheops.sandbox import forkserver
from cheops.sandbox.process import ChildProcess, Running

FORKS: Final = sys.platform.startswith("linux")  # elsewhere nothing would tell a fork that its parent has gone


class PythonProcess(ChildProcess):
    """`python -m module arguments…` with its log file."""

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        log_file: Path,
        *,
        environment: Mapping[str, str] | None = None,
        forked: bool = True,
    ) -> None:
        """`environment` is added to ours."""
        super().__init__(name, [sys.executable, "-m", module, *arguments], log_file, environment=environment)
        self._wanted = forkserver.Wanted(name, module, arguments, self._environment, os.getcwd())
        self._forked = forked and FORKS

    def _spawn(self) -> Running:
        if not self._forked:
            return super()._spawn()
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            return forkserver.fork(self._wanted, [nothing.fileno(), log.fileno(), log.fileno()])
