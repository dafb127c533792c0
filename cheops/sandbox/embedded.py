"""The embedded API server as a process of its own: what a site of the sandbox runs on by default."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from cheops.sandbox.plane.probes import answers_ok
from cheops.sandbox.ports import PortReservation
from cheops.sandbox.process import ChildProcess
from schemas.identity import SiteName

READY_TIMEOUT_S: Final = 20.0
STOP_GRACE_S: Final = 5.0


class EmbeddedProcess:
    """`python -m cheops.sandbox.apiserver`, on a port that stays its own."""

    def __init__(self, name: SiteName, directory: Path) -> None:
        self.name = name
        self.directory = directory.absolute()
        self._reservation: PortReservation | None = None
        self._child: ChildProcess | None = None

    @property
    def kubeconfig(self) -> Path:
        """Its one context is named after the site."""
        return self.directory / "kubeconfig"

    @property
    def server_url(self) -> str:
        """Plain HTTP on loopback."""
        assert self._reservation is not None, f"{self.name} is not started"
        return f"http://127.0.0.1:{self._reservation.port}"

    async def start(self) -> None:
        """Return when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._reservation = PortReservation()
        self._child = ChildProcess(
            f"{self.name} apiserver",
            [
                sys.executable,
                "-m",
                "cheops.sandbox.apiserver",
                "--name",
                self.name,
                "--port",
                str(self._reservation.port),
                "--kubeconfig",
                str(self.kubeconfig),
            ],
            self.directory / "logs" / "apiserver.log",
        )
        await self._child.start()
        await self._child.wait_ready(lambda: answers_ok(f"{self.server_url}/readyz"), READY_TIMEOUT_S)

    async def stop(self) -> None:
        """Harmless when it does not run."""
        if self._child is not None:
            await self._child.stop(STOP_GRACE_S)
        if self._reservation is not None:
            self._reservation.release()
