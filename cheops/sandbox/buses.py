"""What the sites of a testbed speak over: each its own nats-server with users and links, or one server for all.

SiteBuses   folder of the mesh → routers, links that can be cut, a server per site; every service with its own key
SharedBus   one server without users: the smallest deployment
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

from cheops.contexts import Context, Server
from cheops.sandbox.links import Links
from cheops.sandbox.natsserver import NatsServer
from cheops.sandbox.servers import Servers
from cheops.topology.folder import MeshFolder
from schemas.identity import SiteName

Kind = Literal["sites", "shared"]
FOLDER: Final = "nats"
LINKS_FOLDER: Final = "links"
ROUTERS: Final = 2


class Buses(Protocol):
    """What a testbed needs of them."""

    async def start(self) -> None:
        """Return when each answers."""

    async def start_again(self) -> list[str]:
        """What has ended; the names of that."""

    async def stop(self) -> None:
        """Harmless when they do not run."""

    def server(self, site: SiteName) -> NatsServer:
        """The one that a site's services connect to."""

    def keys(self, site: SiteName) -> Path | None:
        """The folder of their keys; None where nobody asks for one."""


class SharedBus:
    """One for all."""

    def __init__(self, directory: Path, tell: Callable[[str], None]) -> None:
        self._server = NatsServer(directory / FOLDER, name="cheops")
        self._tell = tell

    async def start(self) -> None:
        """See Buses."""
        await self._server.start()
        self._tell(f"nats-server {self._server.url}")

    async def start_again(self) -> list[str]:
        """See Buses."""
        return await self._server.start_again()

    async def stop(self) -> None:
        """See Buses."""
        await self._server.stop()

    def server(self, site: SiteName) -> NatsServer:
        """See Buses."""
        return self._server

    def keys(self, site: SiteName) -> Path | None:
        """See Buses."""
        return None


class SiteBuses:
    """One for each, joined by routers; without routers the sites dial each other."""

    def __init__(
        self,
        directory: Path,
        sites: Sequence[SiteName],
        routers: int,
        tell: Callable[[str], None],
        *,
        forked: bool = True,
    ) -> None:
        """`forked`: see PythonProcess."""
        self.folder = MeshFolder(directory / FOLDER)
        self.links = Links(directory / LINKS_FOLDER, forked=forked)
        self.servers = Servers(self.folder, via=self.links.open)
        self._must_dial = False  # the ways of before are gone
        self._sites = sites
        self._routers = routers
        self._tell = tell

    async def start(self) -> None:
        """See Buses."""
        self.folder.init(list(self._sites), self._routers if len(self._sites) > 1 else 0, {})
        for former in set(self.folder.plan().names) - set(self._sites):
            self.folder.remove(former)
        await self.links.start()
        await self.servers.start()
        for name, server in self.servers.sites.items():
            self._tell(f"nats-server {name} {server.url}")
        if self.servers.routers:
            self._tell(f"routers {', '.join(self.servers.routers)}")

    async def start_again(self) -> list[str]:
        """See Buses."""
        servers = await self.servers.start_again()
        links = await self.links.start_again()
        self._must_dial = self._must_dial or bool(links)
        if self._must_dial:  # also where that had failed in the midst
            await self.servers.dial_anew()
            self._must_dial = False
        return [*links, *servers]

    async def stop(self) -> None:
        """See Buses."""
        await self.servers.stop()
        await self.links.stop()

    def server(self, site: SiteName) -> NatsServer:
        """See Buses."""
        return self.servers.sites[site]

    def keys(self, site: SiteName) -> Path | None:
        """See Buses."""
        return self.folder.keys_of(site)


def context_of(buses: Buses, sites: Sequence[SiteName]) -> Context:
    """For the command line and the SDK."""
    named = sites[0] if len(sites) == 1 else ""
    if isinstance(buses, SharedBus):
        return Context(nats_url=buses.server(sites[0]).url, site=named, sites=tuple(sites))
    servers = {name: Server(nats_url=buses.server(name).url, keys=str(buses.keys(name) or "")) for name in sites}
    first = servers[sites[0]]
    return Context(nats_url=first.nats_url, keys=first.keys, site=named, sites=tuple(sites), servers=servers)
