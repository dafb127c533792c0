"""A whole mesh on this machine: nats-server, clusters, and the services of every site, as real processes.

    nats-servers → per site: cluster (embedded or real control plane) → services → every site says "fresh"

All of it keeps its data and logs in one directory, listens on 127.0.0.1 only, and dies with us. `services` says how
the three services of a site run: together in one process (`cheops serve site`), as three, or not at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from cheops.contexts import Context
from cheops.mesh import Mesh, connect
from cheops.sandbox import kubeconfigs
from cheops.sandbox.buses import ROUTERS, Buses, Kind, SharedBus, SiteBuses, context_of
from cheops.sandbox.embedded import EmbeddedProcess
from cheops.sandbox.faults import CUT, NO_FAULT, Fault
from cheops.sandbox.gates import Gates
from cheops.sandbox.natsserver import NatsServer
from cheops.sandbox.process import ChildProcess
from cheops.sandbox.python import PythonProcess
from cheops.topology.permissions import Role
from schemas.counting import counted
from schemas.identity import SiteName, site_name
from schemas.queries import SiteStatus
from services.chassis.bus.identity import Identity, identity_of
from services.chassis.errors import TransientError

Engine = Literal["embedded", "kube"]
Layout = Literal["together", "apart", "none"]
SERVICES: Final = ("watcher", "resolver", "executor")
FRESH_TIMEOUT_S: Final = 60.0
POLL_INTERVAL_S: Final = 0.1
STOP_GRACE_S: Final = 8.0


class Cluster(Protocol):
    """What a site's cluster offers, whatever runs it."""

    @property
    def kubeconfig(self) -> Path:
        """With one context, named after the site."""

    async def start(self) -> None:
        """Return when it answers."""

    async def start_again(self) -> list[str]:
        """What has ended; the names of that."""

    async def stop(self) -> None:
        """Harmless when it does not run."""


@dataclass(slots=True)
class Site:
    """One site of the testbed."""

    name: SiteName
    cluster: Cluster
    services: dict[str, ChildProcess] = field(default_factory=dict)


class Testbed:
    """`async with Testbed(directory, ["lyon", "oslo"]) as bed:`"""

    __test__ = False  # not a test, whatever pytest thinks of its name

    def __init__(
        self,
        directory: Path,
        sites: Sequence[str],
        *,
        engine: Engine = "embedded",
        layout: Layout = "together",
        bus: Kind = "sites",
        routers: int = ROUTERS,
        gate: bool = False,
        run_pods: bool = True,
        forked: bool = True,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        """`tell` is given a line for each thing that is ready; without `run_pods` a real cluster has no node.

        `bus`: each site has its own nats-server and they are joined by `routers`, or all share one. Our own programs
        are `forked`, which is fast, or start as they are installed. `gate`: clusters ask their site before they write.
        """
        self.directory = directory.absolute()
        self.sites = {
            name: Site(name, _cluster(engine, name, self.directory / name, run_pods, forked))
            for name in map(site_name, sites)
        }
        self.buses: Buses = (
            SharedBus(self.directory, tell)
            if bus == "shared"
            else SiteBuses(self.directory, list(self.sites), routers, tell, forked=forked)
        )
        self.engine = engine
        self._gates = Gates(self.directory, wanted=gate)
        self._layout = layout
        self._forked = forked
        self._tell = tell

    @property
    def nats(self) -> NatsServer:
        """The only one, or the first site's."""
        return self.buses.server(next(iter(self.sites)))

    @property
    def nats_url(self) -> str:
        """Where that is."""
        return self.nats.url

    @property
    def context(self) -> Context:
        """How to reach every site: `connect(bed.context)`."""
        return context_of(self.buses, list(self.sites))

    def identity(self, site: SiteName, role: Role = "admin") -> Identity | None:
        """Who may connect to a site's server; None where everybody may."""
        return identity_of(self.buses.keys(site), site, role)

    @property
    def kubeconfig(self) -> Path:
        """One file with a context per site."""
        return self.directory / "kubeconfig"

    @property
    def context_file(self) -> Path:
        """For `CHEOPS_CONTEXT`."""
        return self.directory / "context.json"

    async def start(self) -> None:
        """Return when every site is fresh and hears the others. On an error, and when interrupted, nothing stays."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        await self.buses.start()
        async with asyncio.TaskGroup() as tasks:
            for site in self.sites.values():
                tasks.create_task(self._start_cluster(site))
        kubeconfigs.written(self.kubeconfig, {site.name: site.cluster.kubeconfig for site in self.sites.values()})
        self._write_context()
        if self._layout == "none":
            return
        for site in self.sites.values():
            await self.start_services(site.name)
        await self.wait_fresh()
        await self.wait_linked()
        for site in self.sites.values():
            await self.put_gate(site)

    async def put_gate(self, site: Site) -> None:
        """A site's cluster asks before it writes, where that is wanted."""
        await self._gates.register(site.name, site.cluster.kubeconfig, self._tell)

    async def _start_cluster(self, site: Site) -> None:
        await site.cluster.start()
        self._tell(f"cluster {site.name} ({self.engine})")

    async def start_services(self, name: SiteName) -> None:
        """Start what does not run of a site's services."""
        site = self.sites[name]
        for service in SERVICES if self._layout == "apart" else ("site",):
            child = site.services.get(service) or self._service(site, service)
            site.services[service] = child
            if not child.running:
                await child.start()

    async def start_service(self, name: SiteName, service: str, environment: Mapping[str, str] | None = None) -> None:
        """Start one of a site's three that does not run, with other settings than usual."""
        site = self.sites[name]
        site.services[service] = self._service(site, service, environment or {})
        await site.services[service].start()

    async def wait_fresh(self, timeout_s: float = FRESH_TIMEOUT_S) -> dict[SiteName, SiteStatus]:
        """Wait until every site's resolver says that its knowledge is fresh."""
        fresh: dict[SiteName, SiteStatus] = {}

        async def look(mesh: Mesh) -> str:
            for name in sorted(self.sites.keys() - fresh.keys()):
                status = await _status_of(mesh, name)
                if status is not None and status.state == "fresh":
                    fresh[name] = status
                    size = f"{counted(status.resources, 'resource')}, {counted(status.edges, 'relationship')}"
                    self._tell(f"site {name}: {size}")
            return ", ".join(sorted(self.sites.keys() - fresh.keys()))

        await self._wait("fresh", look, timeout_s)
        return fresh

    async def wait_linked(self, timeout_s: float = FRESH_TIMEOUT_S) -> None:
        """Wait until every site has heard every other one: before, what needs two of them is deferred."""

        async def look(mesh: Mesh) -> str:
            links = [await mesh.links(name) for name in self.sites]
            return ", ".join(
                f"{one.site} to {peer.site}" for one in links for peer in one.peers if peer.state not in ("up", "gone")
            )

        await self._wait("linked", look, timeout_s)

    async def _wait(self, what: str, look: Callable[[Mesh], Awaitable[str]], timeout_s: float) -> None:
        """Until `look` finds nothing that is not so yet."""
        end_s = time.monotonic() + timeout_s
        async with connect(self.context) as mesh:
            while left := await look(mesh):
                self._ensure_running()
                if time.monotonic() > end_s:
                    raise TransientError(f"not {what} within {timeout_s:g} s: {left}")
                await asyncio.sleep(POLL_INTERVAL_S)

    async def cut(self, name: SiteName, fault: Fault = CUT) -> None:
        """Make everything between a site and the others bad; `heal` undoes it."""
        assert isinstance(self.buses, SiteBuses), "sites that share a server have no links"
        await self.buses.links.set(name, fault)

    async def heal(self, name: SiteName) -> None:
        """Harmless when nothing is wrong."""
        await self.cut(name, NO_FAULT)

    def _ensure_running(self) -> None:
        for site in self.sites.values():
            for child in site.services.values():
                child.ensure_running()

    async def stop(self) -> None:
        """Services, clusters, bus; each bounded."""
        async with asyncio.TaskGroup() as tasks:
            for site in self.sites.values():
                for child in site.services.values():
                    tasks.create_task(child.stop(STOP_GRACE_S))
        async with asyncio.TaskGroup() as tasks:
            for site in self.sites.values():
                tasks.create_task(site.cluster.stop())
        await self.buses.stop()
        self._gates.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _service(self, site: Site, service: str, environment: Mapping[str, str] | None = None) -> ChildProcess:
        keys = self.buses.keys(site.name)
        more = {
            "CHEOPS_SITE": site.name,
            "CHEOPS_PEERS": ",".join(name for name in self.sites if name != site.name),
            "CHEOPS_NATS_URL": self.buses.server(site.name).url,
            **({"CHEOPS_NATS_KEYS": str(keys)} if keys else {}),
            "CHEOPS_KUBECONFIG": str(site.cluster.kubeconfig),
            "CHEOPS_SNAPSHOTS": str(self.directory / site.name / "graph"),
            **self._gates.environment(site.name),
            **(environment or {}),
        }
        name, log = f"{site.name} {service}", self.directory / site.name / "logs" / f"{service}.log"
        return PythonProcess(name, "cheops", ["serve", service], log, environment=more, forked=self._forked)

    def _write_context(self) -> None:
        self.context_file.write_text(self.context.model_dump_json(indent=2, exclude={"origin"}) + "\n")


async def _status_of(mesh: Mesh, site: SiteName) -> SiteStatus | None:
    """None while no resolver answers for it."""
    try:
        return await mesh.status(site)
    except TransientError:
        return None


def _cluster(engine: Engine, name: SiteName, directory: Path, run_pods: bool, forked: bool) -> Cluster:
    if engine == "embedded":
        return EmbeddedProcess(name, directory, forked=forked)
    from cheops.sandbox.controlplane import ControlPlane

    return ControlPlane(name, directory, run_pods=run_pods)
