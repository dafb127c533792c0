"""Site → a connection to its server, made when it is first needed. Sites that share a server share a connection."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from cheops.contexts import Context, Server
from schemas.identity import SiteName, site_name
from services.chassis.bus import nats
from services.chassis.bus.identity import identity_of
from services.chassis.bus.port import Bus
from services.chassis.errors import BusUnavailableError, CheopsError, SettingsError

CLIENT: Final = "client"  # the role of people and CI (cheops mesh)


class NoSiteError(SettingsError):
    """It is not clear which site is meant, or there is none of this name."""


class Lines:
    """Close them with `close`. `silent`: the sites whose server has not answered when every one was asked, and why."""

    def __init__(self, context: Context) -> None:
        self.silent: dict[SiteName, str] = {}
        self._context = context
        self._open: dict[str, Bus] = {}

    async def to(self, site: SiteName) -> Bus:
        """Raises NoSiteError for a site whose server nobody named, BusUnavailableError when it does not answer."""
        servers = self._context.servers
        if servers and site not in servers:
            raise NoSiteError(f"no site is called {site!r} (there are {', '.join(sorted(servers))})")
        return await self._connected(site, servers.get(site) or self._context)

    async def all(self) -> list[Bus]:
        """Every server that answers; raises BusUnavailableError when none does."""
        servers = self._context.servers
        if not servers:
            return [await self._connected(_only_site(self._context), self._context)]
        names = [*map(SiteName, sorted(servers))]
        found = await asyncio.gather(*(self._tried(name, servers[name]) for name in names))
        buses = list(dict.fromkeys(one for one in found if not isinstance(one, CheopsError)))
        errors = {name: one for name, one in zip(names, found, strict=True) if isinstance(one, CheopsError)}
        if not buses:
            raise errors[names[0]]
        self.silent = {name: str(error) for name, error in errors.items()}
        return buses

    async def of(self, site: str) -> list[Bus]:
        """One site's server, or every one (`*`)."""
        return await self.all() if site == "*" else [await self.to(site_name(site))]

    async def close(self) -> None:
        """Harmless when nothing was opened."""
        for bus in self._open.values():
            await bus.close()

    async def _tried(self, site: SiteName, server: Server) -> Bus | CheopsError:
        try:
            return await self._connected(site, server)
        except BusUnavailableError as error:
            return error

    async def _connected(self, site: SiteName, server: Server) -> Bus:
        known = self._open.get(server.nats_url)
        if known is not None:
            return known
        if server.keys and not site:
            raise NoSiteError(f"which site? the server at {server.nats_url} wants a user of one (set CHEOPS_SITE)")
        identity = identity_of(Path(server.keys) if server.keys else None, site, CLIENT)
        made = await nats.connect(server.nats_url, name="cheops", wait=False, identity=identity)
        kept = self._open.setdefault(server.nats_url, made)
        if kept is not made:
            await made.close()
        return kept


def _only_site(context: Context) -> SiteName:
    only = context.sites[0] if len(context.sites) == 1 else ""
    return SiteName(context.site or only)
