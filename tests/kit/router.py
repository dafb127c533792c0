"""Real nats-servers that are linked: a router that holds nothing, and sites' servers that dial it.

    lyon's server ──leaf──▶ router ◀──leaf── oslo's server

Killed, the router is a cut that everybody sees at once; stopped (SIGSTOP) it is a black hole.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cheops.sandbox.natsserver import NatsServer
from cheops.sandbox.ports import LOOPBACK, PortReservation
from cheops.sandbox.process import ChildProcess
from schemas.identity import SiteName
from services.chassis.bus.sizes import SERVER_PAYLOAD_BYTES

READY_TIMEOUT_S = 30.0
ROUTER = """\
server_name: router
listen: {host}:-1
max_payload: {payload}
ping_interval: 1s
ping_max: 3
leafnodes {{ listen: "{host}:{port}", no_advertise: true }}
"""
SITE = """\
ping_interval: 1s
ping_max: 3
leafnodes {{ reconnect: 1s, remotes: [ {{ url: "nats-leaf://{host}:{port}" }} ] }}
"""


@dataclass
class Routed:
    """A router and the servers behind it."""

    router: ChildProcess
    port: int
    servers: dict[SiteName, NatsServer]

    async def start(self) -> None:
        """The router, again on its port."""
        await self.router.start()
        await self.router.wait_ready(self._answers, READY_TIMEOUT_S)

    def hole(self, on: bool) -> None:
        """Connections stay, and nothing passes."""
        self.router.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    async def _answers(self) -> bool:
        reader, writer = await asyncio.open_connection(LOOPBACK, self.port)
        try:
            return (await reader.readline()).startswith(b"INFO")
        finally:
            writer.close()


@asynccontextmanager
async def routed(directory: Path, *sites: SiteName, sync: str = "2m") -> AsyncIterator[Routed]:
    """Everything is started; links come up within a second or two."""
    reservation = PortReservation()
    port = reservation.port
    reservation.release()  # nats-server shares no ports; nobody else is given this one within the next moments
    router = _router(directory, port)
    leaf = SITE.format(host=LOOPBACK, port=port)
    servers = {site: NatsServer(directory / site, site, sync=sync, more=leaf) for site in sites}
    made = Routed(router, port, servers)
    try:
        await made.start()
        async with AsyncExitStack() as stack:
            for server in servers.values():
                await stack.enter_async_context(server)
            yield made
    finally:
        made.hole(False)
        await router.stop()


def _router(directory: Path, port: int) -> ChildProcess:
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "router.conf"
    configuration.write_text(ROUTER.format(host=LOOPBACK, port=port, payload=SERVER_PAYLOAD_BYTES))
    program = Path(sys.executable).parent / "nats-server"
    return ChildProcess("router", [program, "-c", str(configuration)], directory / "router.log")
