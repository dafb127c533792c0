"""A definition may call its kind `postgresql`: its objects are watched, judged and written like all others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from services.chassis.kubernetes import connection
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.errors import ApiError
from tests.kit.manifests import definition, namespace, secret, without_uid
from tests.kit.waiting import eventually

LYON = SiteName("lyon")
MAIN = "acid.zalan.do/postgresql/shop/main"
CRD = definition("acid.zalan.do", "postgresql", "postgresqls")
DATABASE = {
    "apiVersion": "acid.zalan.do/v1",
    "kind": "postgresql",
    "metadata": {"name": "main", "namespace": "shop"},
    "spec": {"teamId": "shop", "numberOfInstances": 1, "tls": {"secretName": "cert"}},
}
APPLY = {"fieldManager": "somebody", "force": "true"}
PATHS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "/apis/acid.zalan.do/v1/namespaces/shop/postgresqls"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[Mesh, KubernetesClient]]:
    async with Testbed(tmp_path / "bed", [LYON]) as bed, connect(bed.context) as mesh:
        client = KubernetesClient(await connection.connect(bed.sites[LYON].cluster.kubeconfig))
        yield mesh, client
        await client.close()


async def test_its_objects_are_seen_protected_made_and_let_go_of(world: tuple[Mesh, KubernetesClient]) -> None:
    mesh, client = world
    await client.apply(f"{PATHS[0]}/{CRD['metadata']['name']}", APPLY, CRD)

    parts = [without_uid(namespace()), without_uid(secret("cert", "tls.crt", "tls.key")), DATABASE]

    async def is_watched() -> bool:
        return (await mesh.submit(Intent.apply(parts, preview=True), site=LYON)).decision == "allow"

    await eventually(is_watched, "it is not watched")
    made = await mesh.submit(Intent.apply(parts), site=LYON)
    assert made.decision == "allow", made
    assert MAIN in {step.resource for step in made.plan}

    async def is_denied() -> bool:
        found = await mesh.submit(Intent.delete("secret/cert", namespace="shop", preview=True), site=LYON)
        return (found.decision, {one.resource for one in found.reasons}) == ("deny", {MAIN})

    await eventually(is_denied, "its Secret is not protected")
    gone = await mesh.submit(Intent.delete("postgresql/main", namespace="shop"), site=LYON)
    assert [step.resource for step in gone.plan] == [MAIN]

    async def is_gone() -> bool:
        try:
            await client.get(f"{PATHS[1]}/main")
        except ApiError as error:
            return error.status == 404
        return False

    await eventually(is_gone, "it is still there")
