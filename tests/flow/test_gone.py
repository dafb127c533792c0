"""A site that is taken out for good, on real servers: what waited for it is done, and should it be back it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.overview import overview
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from schemas.ties import REPLICAS, SHARED_TO
from schemas.verdicts import Verdict
from services.chassis.kubernetes import connection
from services.executor.kubernetes.client import KubernetesClient
from tests.kit.manifests import deployment, without_uid
from tests.kit.waiting import eventually

LYON, OSLO, ROME = map(SiteName, ("lyon", "oslo", "rome"))
WAIT_S = 60.0
READS_LENT = {"containers": [{"name": "web", "image": "web", "envFrom": [{"configMapRef": {"name": "lent"}}]}]}


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Testbed]:
    async with Testbed(tmp_path / "bed", [LYON, OSLO, ROME], layout="apart") as made:
        yield made


async def in_force(mesh: Mesh, intent: str) -> Verdict:
    return (await mesh.show(intent)).verdicts[-1]


async def there(mesh: Mesh, site: SiteName) -> bool:
    read = await mesh.submit(Intent.read("configmap/settings", namespace="default", scope=site), site=site)
    return read.decision == "allow"


async def test_a_site_that_is_gone_for_good_holds_nobody_up_and_is_not_touched(bed: Testbed) -> None:
    async with connect(bed.context) as mesh:
        await done(mesh, Intent.apply([config_map("settings")], namespace="default", scope="lyon & oslo & rome"))
        await done(mesh, Intent.apply([config_map("kept")], namespace="default", scope="lyon & oslo & rome"))
        await done(mesh, Intent.apply([config_map("lent")], namespace="default"))
        user = without_uid(deployment("web", READS_LENT, namespace="default"))
        await done(mesh, Intent.apply([user], namespace="default", scope="deployment: rome, configmap: lyon"))
        assert await _says(bed, "kept", REPLICAS, "lyon,oslo,rome")
        assert await _says(bed, "lent", SHARED_TO, "rome")
        await bed.cut(ROME)
        await eventually(lambda: _state(mesh, "unreachable"), wait_s=WAIT_S)
        waits = await mesh.submit(Intent.delete("configmap/settings", namespace="default"), site=LYON)
        assert (waits.decision, {one.code for one in waits.reasons}) == ("defer", {"F501"})

        for name in (LYON, OSLO):
            bed.sites[name].services["resolver"].kill()
            await bed.start_service(name, "resolver", {"CHEOPS_GONE": "rome", "CHEOPS_TAKEOVER": "true"})
        await bed.wait_fresh()

        async def is_done() -> bool:
            return (await in_force(mesh, waits.intent)).decision == "allow"

        await eventually(is_done, wait_s=WAIT_S)
        assert "W511" in {one.code for one in (await in_force(mesh, waits.intent)).reasons}
        await eventually(lambda: _gone_at(mesh, LYON, OSLO), wait_s=WAIT_S)
        (link,) = (one for one in (await mesh.links(LYON)).peers if one.site == ROME)
        assert link.outbox.count == 0
        assert ROME not in {
            peer.site for one in (await overview(mesh)).links for peer in one.peers if peer.state == "up"
        }

        for name, word, then in (("kept", REPLICAS, "lyon,oslo"), ("lent", SHARED_TO, None)):
            healed = await mesh.submit(Intent.heal_drift(f"configmap/{name}", namespace="default"), site=OSLO)
            assert (healed.decision, {one.code for one in healed.reasons} & {"W511"}) == ("allow", {"W511"}), healed
            await eventually(partial(_says, bed, name, word, then), wait_s=WAIT_S)

        await bed.heal(ROME)
        async with asyncio.timeout(WAIT_S):
            async for alert in mesh.alerts(code="A511", follow=True):
                if alert.site == LYON:
                    break
        assert alert.sites == (ROME,)
        assert await there(mesh, ROME)


def config_map(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"mode": "first"}}


async def done(mesh: Mesh, draft: Intent) -> None:
    made = await mesh.enter(draft, site=LYON)
    async for _ in mesh.follow(made):
        pass
    assert (await in_force(mesh, made.id)).decision == "allow"


async def _says(bed: Testbed, name: str, word: str, text: str | None) -> bool:
    """Whether the ConfigMap of lyon carries this word."""
    client = KubernetesClient(await connection.connect(bed.sites[LYON].cluster.kubeconfig))
    try:
        found = await client.get(f"/api/v1/namespaces/default/configmaps/{name}")
    finally:
        await client.close()
    return found["metadata"].get("annotations", {}).get(word) == text


async def _state(mesh: Mesh, state: str) -> bool:
    return any(one.state == state for one in (await mesh.links(LYON)).peers if one.site == ROME)


async def _gone_at(mesh: Mesh, *sites: SiteName) -> bool:
    return not any([await there(mesh, one) for one in sites])
