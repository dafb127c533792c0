"""Three sites, each with a cluster and a nats-server of its own, two routers, and links that can be made bad.

`make faults` puts a real control plane at every site (CHEOPS_FAULTS_ENGINE=kube); `make test` the embedded API server.
CHEOPS_FAULTS_LONG=1 makes the long ones as long as docs/faults.md says.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from cheops.asking import RefusedError
from cheops.chains import Chain
from cheops.drafts import Intent
from cheops.following import Progress
from cheops.mesh import EnteredIntent, Mesh, connect
from cheops.sandbox.controlplane import ControlPlane
from cheops.sandbox.embedded import EmbeddedProcess
from cheops.sandbox.process import ChildProcess
from cheops.sandbox.testbed import Engine, Testbed
from schemas import subjects
from schemas.identity import SiteName
from schemas.rehearsals import Rehearsal
from services.chassis.errors import TransientError
from tests.contract.api.client import Api
from tests.flow.executor_proxy import FaultyProxy
from tests.kit import oracles
from tests.kit.bed import witness
from tests.kit.kubelet import api_of
from tests.kit.waiting import lasting

LYON, OSLO, NICE = map(SiteName, ("lyon", "oslo", "nice"))
ENGINE: Final[Engine] = "kube" if os.environ.get("CHEOPS_FAULTS_ENGINE") == "kube" else "embedded"
LONG: Final = os.environ.get("CHEOPS_FAULTS_LONG") == "1"
WAIT_S: Final = 60.0
LONGEST_S: Final = 300  # of one test, where nothing else is said
DEAD_REQUEST_S: Final = 3.0  # a server with leaf links holds a dead client's request for 2 s (docs/known-defects.md)
CONFIG_MAPS: Final = "/api/v1/configmaps"


def settings(name: str, **data: str) -> dict[str, Any]:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v", **data}}


def user_of(secret: str, name: str) -> dict[str, Any]:
    """A Deployment that mounts a Secret."""
    labels = {"app": name}
    pod = {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "secret": {"secretName": secret}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def secret(name: str) -> dict[str, Any]:
    """A Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"crt": "eA=="}}


@dataclass
class Sites:
    """What a test works with."""

    bed: Testbed
    mesh: Mesh
    apis: Mapping[SiteName, Api]

    def service(self, site: SiteName, name: str) -> ChildProcess:
        """The process, to be killed or suspended."""
        return self.bed.sites[site].services[name]

    async def replaced(self, site: SiteName, name: str, **environment: str) -> None:
        """Killed, and started with other settings."""
        self.service(site, name).kill()
        if name == "executor":
            await lasting(DEAD_REQUEST_S)
        await self.bed.start_service(site, name, environment)

    @asynccontextmanager
    async def executor_behind_a_proxy(self, site: SiteName) -> AsyncIterator[FaultyProxy]:
        """A site's executor, with its writes in the test's hands."""
        kubeconfig = self.bed.sites[site].cluster.kubeconfig
        try:
            async with FaultyProxy(kubeconfig, self.bed.directory / f"proxied-{site}") as proxy:
                await self.replaced(site, "executor", CHEOPS_KUBECONFIG=str(proxy.kubeconfig))
                await self.carries_out(site)
                yield proxy
        finally:
            await self.replaced(site, "executor")
            await self.carries_out(site)

    async def carries_out(self, site: SiteName) -> None:
        """Wait until a site's executor answers: without its word the resolver rehearses nothing."""
        bus = await witness(self.bed, site)

        async def answers() -> bool:
            question = Rehearsal(site=site, changes=()).to_json()
            with suppress(TransientError):
                await bus.request(subjects.api("executor", site, "rehearse"), question, 1.0)
                return True
            return False

        await oracles.eventually(answers, lambda: f"{site}: the executor does not answer")
        await bus.close()

    # ── resources ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def namespace(self, name: str, *sites: SiteName) -> str:
        """A fresh one at these sites (all), which their resolvers know."""
        for site in sites or tuple(self.apis):
            made = await self.apis[site].post("/api/v1/namespaces", {"metadata": {"name": name}})
            assert made.status == 201, made.text
            await self.known(site, f"ServiceAccount/{name}/default")
        return name

    async def make(self, site: SiteName, namespace: str, *manifests: Mapping[str, Any]) -> None:
        """Past Cheops, as kubectl does it."""
        for one in manifests:
            reply = await self.apis[site].post(collection(namespace, one["kind"]), one)
            assert reply.status == 201, reply.text

    async def remove(self, site: SiteName, namespace: str, kind: str, name: str) -> None:
        """The same."""
        reply = await self.apis[site].delete(f"{collection(namespace, kind)}/{name}")
        assert reply.status in (200, 202), reply.text

    async def there(self, site: SiteName, namespace: str, kind: str) -> dict[str, str]:
        """Name → version, at the API server; what every namespace has is left out."""
        items = (await self.apis[site].get(collection(namespace, kind))).content["items"]
        return {
            one["metadata"]["name"]: one["metadata"]["resourceVersion"]
            for one in items
            if one["metadata"]["name"] != "kube-root-ca.crt"
        }

    async def known(self, site: SiteName, resource: str, there: bool = True) -> None:
        """Wait until a resolver knows that something is (or is not) there."""
        kind = resource.split("/")[-3]

        async def holds() -> bool:
            return (resource in [one.resource async for one in self.mesh.states(kinds=[kind], site=site)]) == there

        await oracles.eventually(holds, lambda: f"{site}: {resource} there: {there}")

    # ── intents ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def publish(self, draft: Intent, site: SiteName, intent_id: str | None = None) -> EnteredIntent:
        """Entered and stored; nobody waits."""
        intent = await self.mesh.enter(draft, site=site, intent_id=intent_id)
        await self.mesh.publish(intent)
        return intent

    async def follow(self, draft: Intent, site: SiteName) -> list[Progress]:
        """To the end."""
        intent = await self.mesh.enter(draft, site=site)
        async with asyncio.timeout(WAIT_S):
            return [one async for one in self.mesh.follow(intent, verdict_timeout_s=WAIT_S)]

    async def decided(self, intent: str, site: SiteName, *decisions: str, wait_s: float = WAIT_S) -> Chain:
        """The chain, when the last verdict is one of these."""
        found: list[Chain] = []

        async def so() -> bool:
            with suppress(RefusedError, TransientError):  # it is not known there yet, or nobody is there
                found[:] = [await self.mesh.show(intent, site=site)]
            return bool(found) and bool(found[0].verdicts) and found[0].verdicts[-1].decision in decisions

        await oracles.eventually(so, lambda: f"{intent}: {[v.summary for one in found for v in one.verdicts]}", wait_s)
        return found[0]

    # ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def seen(self, site: SiteName, peer: SiteName, state: str) -> None:
        """Wait until a resolver says this of a peer."""

        async def so() -> bool:
            with suppress(TransientError):  # its own resolver has not begun to answer again
                return [one.state for one in (await self.mesh.links(site)).peers if one.site == peer] == [state]
            return False

        await oracles.eventually(so, lambda: f"{site} does not call {peer} {state}")

    async def whole(self) -> None:
        """All links are good and every site hears every other."""
        for site in self.bed.sites:
            await self.bed.heal(site)
        for site in self.bed.sites:
            for peer in self.bed.sites:
                if peer != site:
                    await self.seen(site, peer, "up")

    async def converged(self, *sites: SiteName) -> None:
        """O1 and O2 at these sites (all)."""
        chosen = {site: self.apis[site] for site in sites or tuple(self.apis)}
        await oracles.o2_converged(self.bed, self.mesh, chosen)
        for site in chosen:
            await oracles.o1_nothing_lost(self.bed, self.mesh, site)


def collection(namespace: str, kind: str) -> str:
    """Where the API has a namespace's objects of a kind."""
    root = "/apis/apps/v1" if kind == "Deployment" else "/api/v1"
    return f"{root}/namespaces/{namespace}/{kind.lower()}s"


@asynccontextmanager
async def sites_of(bed: Testbed) -> AsyncIterator[Sites]:
    """A running testbed, connected."""
    async with AsyncExitStack() as stack:
        mesh = await stack.enter_async_context(connect(bed.context))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        apis: dict[SiteName, Api] = {}
        for name, site in bed.sites.items():
            if isinstance(site.cluster, ControlPlane):
                apis[name] = await stack.enter_async_context(api_of(site.cluster))
            else:
                assert isinstance(site.cluster, EmbeddedProcess)
                apis[name] = Api(session, site.cluster.server_url, None, "")
        yield Sites(bed, mesh, apis)
