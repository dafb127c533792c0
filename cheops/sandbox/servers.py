"""The nats-servers of a mesh folder, as real processes on ports that the kernel chooses: routers, then sites.

    folder (keys, plan) → routers start, tell their ports → each site's links lead there → sites start

A link may lead through something else (`via`: a proxy that can cut it). Sites and routers come and go while the others
run: what the folder says is to be done (reload, restart) is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from cheops.sandbox.natsserver import NatsServer, Ports
from cheops.topology.folder import MeshFolder, Step
from cheops.topology.plan import FOLDER_OF_ROUTERS, LOOPBACK, Plan, Router, Site
from cheops.topology.rendering import router_configuration, site_configuration
from schemas.identity import SiteName

Via = Callable[[SiteName, str, int], Awaitable[int]]

STARTS_AT_A_TIME: Final = 8

Dialled = TypeVar("Dialled", Site, Router)


async def directly(site: SiteName, there: str, port: int) -> int:
    """Nothing between."""
    return port


class Servers:
    """`async with Servers(folder) as servers:`, after `folder.init`."""

    def __init__(self, folder: MeshFolder, *, via: Via = directly, sync: str = "always") -> None:
        """`via` gets the site that dials, whom, and that server's port, and says which port to dial instead."""
        self.folder = folder
        self.sites: dict[str, NatsServer] = {}
        self.routers: dict[str, NatsServer] = {}
        self._via = via
        self._sync = sync
        self._plan: Plan
        self._dialled: dict[SiteName, dict[str, int]] = {}

    async def start(self) -> None:
        """Return when each answers; their links may need a moment more."""
        self._plan = self.folder.plan()
        await self._follow([one.name for one in self._plan.routers])
        await self._follow(self._plan.names)

    async def stop(self) -> None:
        """Harmless when they do not run."""
        async with asyncio.TaskGroup() as tasks:
            for server in (*self.sites.values(), *self.routers.values()):
                tasks.create_task(server.stop())

    async def start_again(self) -> list[str]:
        """Those that have ended; their names."""
        return [name for one in (*self.routers.values(), *self.sites.values()) for name in await one.start_again()]

    async def dial_anew(self) -> None:
        """The ways that links led through are gone: each site gets others, and is restarted to take them."""
        self._dialled.clear()
        for name, server in self.sites.items():
            await self._find_ways(name)
            await server.restart()

    async def take(self, steps: Iterable[Step]) -> None:
        """Do what a change of the folder asks for, routers first, so that who dials is expected."""
        self._plan = self.folder.plan()
        todo = list(steps)
        for step in todo:
            if step.action == "stop":
                known = self.routers if step.folder.startswith(f"{FOLDER_OF_ROUTERS}/") else self.sites
                await known.pop(step.server).stop()
                self._dialled.pop(SiteName(step.server), None)
                for ways in self._dialled.values():
                    ways.pop(step.server, None)  # who comes back under this name has another port
        for step in todo:
            server = self.routers.get(step.server) or self.sites.get(step.server)
            if step.action == "start":
                await self._follow([step.server])
            elif step.action == "restart" and server is not None:
                await server.restart()
            elif step.action == "reload" and server is not None:
                await self._find_ways(step.server)
                server.reload()

    async def _follow(self, names: Iterable[str]) -> None:
        """Start these; each direct link leads to a server that is there already, so sites without routers queue up."""
        routers = {one.name for one in self._plan.routers}
        wanted = list(names)
        step = STARTS_AT_A_TIME if self._plan.routers else 1
        for first in range(0, len(wanted), step):
            async with asyncio.TaskGroup() as tasks:
                for name in wanted[first : first + step]:
                    tasks.create_task(self._start(name, router=name in routers))

    async def _start(self, name: str, *, router: bool) -> None:
        await self._find_ways(name)
        known, place = (
            (self.routers, self.folder.path / FOLDER_OF_ROUTERS) if router else (self.sites, self.folder.path)
        )
        render = self._render_router if router else self._render_site
        known[name] = NatsServer(place / name, name, render=lambda ports: render(name, ports))
        await known[name].start()

    def _render_router(self, name: str, ports: Ports) -> Mapping[str, Any]:
        router = next(one for one in self._plan.routers if one.name == name)
        made = router_configuration(self._plan, router.model_copy(update={"links_port": ports.links}))
        return {**made, "listen": f"{LOOPBACK}:{ports.clients}"}

    def _render_site(self, name: str, ports: Ports) -> Mapping[str, Any]:
        """As this site sees the mesh: its own ports, and the ways that lead to whom it dials."""
        ways = self._dialled.get(SiteName(name), {})
        own = self._plan.site(name).model_copy(update={"port": ports.clients, "links_port": ports.links})
        plan = self._plan.model_copy(
            update={
                "routers": tuple(_at(one, ways) for one in self._plan.routers),
                "sites": tuple(own if one.name == name else _at(one, ways) for one in self._plan.sites),
            }
        )
        return site_configuration(plan, own, sync=self._sync)

    async def _find_ways(self, name: str) -> None:
        if name not in self._plan.names:
            return
        site = SiteName(name)
        known = self._dialled.setdefault(site, {})
        there = [*(one.name for one in self._plan.routers), *(one.name for one in self._plan.dialled_by(site))]
        for other in there:
            if other not in known:
                server = self.routers.get(other) or self.sites[other]
                known[other] = await self._via(site, other, server.ports.links)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _at(server: Dialled, ways: Mapping[str, int]) -> Dialled:
    return server.model_copy(update={"links_port": ways[server.name]}) if server.name in ways else server
