"""Two real clusters with their services as processes, for all scenarios here; each leaves them working."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cheops.drafts import Intent
from cheops.following import Progress
from cheops.mesh import Mesh, connect
from cheops.sandbox.controlplane import ControlPlane, ControlPlaneMissingError
from cheops.sandbox.process import ChildProcess
from cheops.sandbox.testbed import Site, Testbed
from schemas.identity import SiteName
from tests.contract.api.client import Api
from tests.kit.controlplane import give_up
from tests.kit.kubelet import api_of
from tests.kit.oracle import until_equal
from tests.kit.waiting import eventually

LYON, OSLO = SiteName("lyon"), SiteName("oslo")
WAIT_S = 60.0
COMMAND_TIMEOUT_S = 120.0


@dataclass
class World:
    """What a scenario works with: the mesh, and lyon's API server as somebody else sees it."""

    bed: Testbed
    mesh: Mesh
    api: Api

    @property
    def site(self) -> Site:
        return self.bed.sites[LYON]

    @property
    def plane(self) -> ControlPlane:
        plane = self.site.cluster
        assert isinstance(plane, ControlPlane)
        return plane

    def service(self, name: str) -> ChildProcess:
        return self.site.services[name]

    async def namespace(self, name: str) -> str:
        """A fresh one that the resolver knows."""
        made = await self.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        assert made.status == 201, made.text
        accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
        await self.api.until(accounts, "default", lambda found: found is not None)
        await self.known(f"ServiceAccount/{name}/default")
        return name

    async def known(self, resource: str, there: bool = True) -> None:
        """Wait until the resolver knows that something is (or is not) there."""
        kind = resource.rpartition("/")[0].split("/")[:-1] or [resource.split("/", maxsplit=1)[0]]

        async def seen() -> bool:
            held = {one.resource async for one in self.mesh.states(kinds=["/".join(kind)], site=LYON)}
            return (resource in held) == there

        await eventually(seen, f"{resource} there: {not there}", WAIT_S)

    async def follow(self, draft: Intent, intent_id: str | None = None, site: SiteName = LYON) -> list[Progress]:
        """Submit and follow to the end."""
        intent = await self.mesh.enter(draft, site=site, intent_id=intent_id)
        async with asyncio.timeout(WAIT_S):
            return [progress async for progress in self.mesh.follow(intent, verdict_timeout_s=WAIT_S)]

    async def converged(self) -> None:
        """The graph equals one built afresh from the API server, and the site is fresh."""
        await self.bed.wait_fresh(WAIT_S)
        await until_equal(self.mesh, self.api, LYON)

    async def cheops(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The command line, as typed; beside our loop, or our own connections would be silent and given up."""
        program = Path(sys.executable).parent / "cheops"
        environment = {**os.environ, "CHEOPS_CONTEXT": str(self.bed.context_file), "COLUMNS": "100"}
        return await asyncio.to_thread(
            subprocess.run, [str(program), *words], input=stdin, env=environment, capture_output=True, text=True,
            timeout=COMMAND_TIMEOUT_S, check=False,
        )  # fmt: skip


@pytest.fixture(scope="package")
def real_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """lyon and oslo on real control planes; belongs to no event loop."""
    try:
        made = Testbed(tmp_path_factory.mktemp("real"), [LYON, OSLO], engine="kube", layout="apart")
    except ControlPlaneMissingError as error:
        give_up(error)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.fixture
async def world(real_bed: Testbed, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The clusters, whole again before each scenario; on a failure the services' last words are shown."""
    await real_bed.start_services(LYON)
    await real_bed.wait_fresh(WAIT_S)
    plane = real_bed.sites[LYON].cluster
    assert isinstance(plane, ControlPlane)
    async with connect(real_bed.context) as mesh, api_of(plane) as api:
        yield World(real_bed, mesh, api)
    for child in (*real_bed.sites[LYON].services.values(), real_bed.nats.process):
        print(f"── {child.name}\n{child.log_tail(25)}")  # shown by pytest when the test has failed
