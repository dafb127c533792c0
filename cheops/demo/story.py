"""The scenes, in order. Each shows commands as a person types them; an unexpected exit code ends the story."""

from __future__ import annotations

import asyncio
from typing import Final

from cheops.demo.stage import MANIFESTS, Stage, StoryError
from cheops.mesh import Mesh
from schemas.documents import read_documents
from services.chassis.errors import TransientError

WAIT_S: Final = 20.0


async def play(stage: Stage, mesh: Mesh) -> None:
    """All scenes."""
    for site in ("lyon", "oslo", "nice"):
        await _until_seen(mesh, site, "ingress/shop")
    await _tree(stage)
    await _delete_in_use(stage)
    await _deploy(stage, mesh)
    await _behind_our_back(stage, mesh)


async def _tree(stage: Stage) -> None:
    stage.scene("1. What does the shop at lyon hang on?")
    await stage.cheops("sites", expect=0)
    await stage.cheops("tree", "deployment/web", "-n", "shop", "--site", "lyon", expect=0)
    await stage.cheops("why", "ingress/shop", "secret/edge-ca", "-n", "shop", "--site", "lyon", expect=0)


async def _delete_in_use(stage: Stage) -> None:
    stage.scene("2. May this Secret go?")
    await stage.cheops("delete", "secret/edge-ca", "-n", "shop", "--site", "lyon", expect=3)
    stage.say("\n  And something that nobody uses:")
    await stage.cheops("delete", "configmap/banner-2019", "-n", "shop", "--site", "lyon", expect=0)


async def _deploy(stage: Stage, mesh: Mesh) -> None:
    stage.scene("3. Deploying to oslo, where a ConfigMap is missing")
    checkout, settings = str(MANIFESTS / "checkout.yaml"), str(MANIFESTS / "checkout-settings.yaml")
    await stage.cheops("apply", "-f", checkout, "--site", "oslo", expect=3)
    stage.say("\n  With the ConfigMap in the bundle, whatever the order of the files:")
    await stage.cheops("apply", "-f", checkout, "-f", settings, "--site", "oslo", expect=0)
    await _until_seen(mesh, "oslo", "deployment/checkout")
    await stage.cheops("dependencies", "deployment/checkout", "-n", "shop", "--site", "oslo", "--depth", "1", expect=0)


async def _behind_our_back(stage: Stage, mesh: Mesh) -> None:
    stage.scene("4. Somebody uses plain kubectl")
    await stage.behind_our_back("nice", "DELETE", "Secret", "shop", "edge-ca")
    await _until_alert(mesh, "nice", "raised")
    await stage.cheops("alerts", "--site", "nice", expect=0)
    await stage.cheops("missing", "-n", "shop", "--site", "nice", expect=0)
    secret = next(one.body for one in read_documents(MANIFESTS / "shop.yaml") if one.body["kind"] == "Secret")
    await stage.create("nice", secret)
    await _until_alert(mesh, "nice", "healed")
    await stage.cheops("alerts", "--site", "nice", expect=0)


async def _until_alert(mesh: Mesh, site: str, state: str) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            async for alert in mesh.alerts(site=site, stored=True, follow=True):
                if alert.state == state:
                    return
    except TimeoutError:
        raise StoryError(f"no alert ({state}) from {site} within {WAIT_S:g} s") from None


async def _until_seen(mesh: Mesh, site: str, resource: str) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                answer = await mesh.tree(resource, namespace="shop", site=site, depth=1)
                if any(node.resource == answer.root and node.state == "present" for node in answer.nodes):
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise TransientError(f"{resource} was not seen at {site} within {WAIT_S:g} s") from None
