"""A cluster that asks its site before it writes: whoever is not an intent of ours is told what would break."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.sandbox.controlplane import ControlPlaneMissingError
from cheops.sandbox.testbed import Engine, Testbed
from schemas.identity import SiteName
from services.chassis.kubernetes import connection
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.errors import ApiError
from tests.flow.watched_cluster import MERGE_PATCH, api_of
from tests.kit.controlplane import give_up
from tests.kit.manifests import Manifest, deployment, mounts_secret, namespace, secret, service, without_uid
from tests.kit.waiting import eventually

LYON = SiteName("lyon")
WEB = deployment("web", {"containers": [{"name": "main", "image": "web:1"}]} | mounts_secret("ca"))
APPLY = {"fieldManager": "somebody", "force": "true"}
PLURALS = {
    "Secret": "api/v1/{}secrets",
    "Namespace": "api/v1/namespaces",
    "Deployment": "apis/apps/v1/{}deployments",
    "Service": "api/v1/{}services",
}
pytestmark = pytest.mark.timeout(300)


class World:
    """A site with a gate, and somebody who goes straight to the API server."""

    def __init__(self, bed: Testbed, mesh: Mesh, client: KubernetesClient) -> None:
        self.bed, self.mesh, self.client = bed, mesh, client

    async def write(self, body: Manifest) -> None:
        await self.client.apply(path_of(body), APPLY, without_uid(body))

    async def remove(self, body: Manifest, **options: Any) -> None:
        await self.client.delete(path_of(body), options)

    async def refused(self, body: Manifest, **options: Any) -> str:
        """Until its deletion is refused by a gate: what was just written is seen a moment later."""
        said = ""

        async def is_refused() -> bool:
            nonlocal said
            try:
                await self.client.delete(path_of(body), {**options, "dryRun": ["All"]})
            except ApiError as error:
                said = str(error)
            return bool(said)

        await eventually(is_refused, "it may be deleted")
        return said

    async def scaled(self, body: Manifest, replicas: int, *, tried: bool = False) -> str:
        """Why it may not be scaled so; "" when it was, or would be."""
        path, patch = f"{path_of(body)}/scale{'?dryRun=All' if tried else ''}", {"spec": {"replicas": replicas}}
        async with api_of(self.bed.sites[LYON].cluster.kubeconfig) as api:
            try:
                await api.call("PATCH", path, patch, headers=MERGE_PATCH)
            except AssertionError as error:
                return str(error)
        return ""

    async def is_there(self, body: Manifest) -> bool:
        try:
            await self.client.get(path_of(body))
        except ApiError as error:
            assert error.status == 404, error
            return False
        return True


def path_of(body: Manifest) -> str:
    home = body["metadata"].get("namespace")
    return f"/{PLURALS[body['kind']].format(f'namespaces/{home}/' if home else '')}/{body['metadata']['name']}"


@pytest.fixture
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    engine: Engine = getattr(request, "param", "embedded")
    try:
        bed = Testbed(tmp_path / "bed", [LYON], engine=engine, layout="apart", gate=True)
    except ControlPlaneMissingError as error:
        give_up(error)
    async with bed, connect(bed.context) as mesh:
        client = KubernetesClient(await connection.connect(bed.sites[LYON].cluster.kubeconfig))
        made = World(bed, mesh, client)
        await made.write(namespace())
        await made.write(secret("ca"))
        await made.write(WEB)
        yield made
        await client.close()
        for child in bed.sites[LYON].services.values():
            print(f"── {child.name}\n{child.log_tail(40)}")


@pytest.mark.parametrize("world", ["embedded", pytest.param("kube", marks=pytest.mark.controlplane)], indirect=True)
async def test_what_is_used_is_kept_from_everybody_but_intents_and_a_namespace_goes_with_all_that_is_in_it(
    world: World,
) -> None:
    """One test, since a real cluster takes long to start."""
    await stops_who_goes_past_the_verdict(world)
    await judges_a_scale_as_its_workload_applied_so(world)
    await passes_intents_and_what_the_cluster_does_itself(world)


async def stops_who_goes_past_the_verdict(world: World) -> None:
    said = await world.refused(secret("ca"))
    assert 'admission webhook "gate.cheops.io" denied the request: delete Secret shop/ca @ lyon: still used' in said
    assert "D310 mounted by Deployment shop/web @ lyon" in said
    with pytest.raises(ApiError, match="D310"):
        await world.remove(secret("ca"))
    assert await world.is_there(secret("ca"))
    await world.write(secret("other"))
    await world.remove(secret("other"))
    assert not await world.is_there(secret("other"))
    await world.remove(WEB)
    await world.remove(secret("ca"))
    assert not await world.is_there(secret("ca")), "who was let go a moment ago uses nothing"


async def judges_a_scale_as_its_workload_applied_so(world: World) -> None:
    await world.write(front := deployment("front", {"containers": [{"name": "main", "image": "web:1"}]}))
    await world.write(service("front", "front", 80))

    async def is_refused() -> bool:
        return "D210 Service shop/front @ lyon selects it" in await world.scaled(front, 0, tried=True)

    await eventually(is_refused, "it may be scaled to zero")
    assert "D210" in await world.scaled(front, 0)
    assert not await world.scaled(front, 3), "more of them are nobody's loss"
    passed = {**front, "metadata": {**front["metadata"], "annotations": {"cheops.io/override": "D210"}}}
    await world.write(passed)

    async def may_be() -> bool:
        return not await world.scaled(front, 0)

    await eventually(may_be, "its annotation does not count")
    await world.remove(service("front", "front", 80))
    await world.remove(front)


async def passes_intents_and_what_the_cluster_does_itself(world: World) -> None:
    await world.write(secret("ca"))
    await world.write(WEB)
    await world.refused(secret("ca"))
    applied = await world.mesh.submit(Intent.apply([without_uid(secret("late")), without_uid(WEB)]), site=LYON)
    assert applied.decision == "allow", applied
    await eventually(lambda: world.is_there(secret("late")), "the gate stops our own executor")
    gone = await world.mesh.submit(Intent.delete("secret/ca", namespace="shop", cascade="dependents"), site=LYON)
    assert gone.decision == "allow", gone

    async def is_gone() -> bool:
        return not await world.is_there(secret("ca"))

    await eventually(is_gone, "the gate stops our own executor")
    await world.write(secret("ca"))
    await world.write(WEB)
    await world.remove(namespace())

    async def has_ended() -> bool:
        return not await world.is_there(namespace())

    await eventually(has_ended, "something keeps the namespace")


async def test_without_its_resolver_a_cluster_lets_everything_pass_but_what_is_protected(world: World) -> None:
    await world.refused(secret("ca"))
    kept = secret("kept", labels={"cheops.io/protected": "true"})
    await world.write(kept)
    await world.bed.sites[LYON].services["resolver"].stop(5.0)
    await world.remove(secret("ca"))
    assert not await world.is_there(secret("ca"))
    with pytest.raises(ApiError, match=r"failed calling webhook .*protected\.cheops\.io"):
        await world.remove(kept)
    await world.bed.start_services(LYON)
    await world.bed.wait_fresh()

    async def may_go() -> bool:
        try:
            await world.remove(kept)
        except ApiError:
            return False
        return True

    await eventually(may_go, "the gate does not open again")
