"""The embedded API server as a process of its own: what a site of the sandbox runs on by default."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cheops.sandbox.plane.probes import answers_ok
from cheops.sandbox.process import ChildProcess
from cheops.sandbox.python import PythonProcess
from schemas.documents import parse_value
from schemas.identity import SiteName

READY_TIMEOUT_S: Final = 60.0  # a second or two, but for a machine that is loaded many times over
STOP_GRACE_S: Final = 5.0


class EmbeddedProcess:
    """`python -m cheops.sandbox.apiserver`, on a port that the kernel chooses at its first start."""

    def __init__(self, name: SiteName, directory: Path, *, forked: bool = True) -> None:
        """`forked`: see Testbed."""
        self.name = name
        self._forked = forked
        self.directory = directory.absolute()
        self._child: ChildProcess | None = None
        self._port = 0

    @property
    def kubeconfig(self) -> Path:
        """Its one context is named after the site; the server writes it when it listens."""
        return self.directory / "kubeconfig"

    @property
    def server_url(self) -> str:
        """Plain HTTP on loopback."""
        return str(parse_value(self.kubeconfig.read_bytes(), "kubeconfig")["clusters"][0]["cluster"]["server"])

    async def start(self) -> None:
        """Return when it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.kubeconfig.unlink(missing_ok=True)
        self._child = PythonProcess(
            f"{self.name} apiserver",
            "cheops.sandbox.apiserver",
            ["--name", self.name, "--port", str(self._port), "--kubeconfig", str(self.kubeconfig)],
            self.directory / "logs" / "apiserver.log",
            forked=self._forked,
        )
        await self._child.start()
        await self._child.wait_ready(self._answers, READY_TIMEOUT_S)
        self._port = int(self.server_url.rpartition(":")[2])

    async def start_again(self) -> list[str]:
        """When it has ended: at the same address, without what it held. The name of what had ended."""
        if self._child is None or self._child.running:
            return []
        await self.start()
        return [f"{self._child.name} (empty: it keeps its objects in memory)"]

    async def _answers(self) -> bool:
        if not self.kubeconfig.exists() or not self.kubeconfig.read_text().endswith("\n"):
            return False
        return await answers_ok(f"{self.server_url}/readyz")

    async def stop(self) -> None:
        """Harmless when it does not run."""
        if self._child is not None:
            await self._child.stop(STOP_GRACE_S)
