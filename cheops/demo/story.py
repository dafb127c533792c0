"""The scenes, in order. Each shows commands as a person types them; an unexpected exit code ends the story."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from cheops.demo.stage import MANIFESTS, Stage, StoryError
from cheops.mesh import Mesh
from schemas.documents import read_documents
from services.chassis.errors import TransientError

WAIT_S: Final = 30.0
LYON: Final = ("-n", "shop", "--site", "lyon")
OSLO: Final = ("-n", "shop", "--site", "oslo")


async def play(stage: Stage, mesh: Mesh) -> None:
    """All scenes, and what they showed."""
    for site in ("lyon", "oslo", "nice"):
        await _until_seen(mesh, site, "ingress/shop")
    await _tree(stage)
    await _delete_in_use(stage)
    await _deploy(stage, mesh)
    await _behind_our_back(stage, mesh)
    stage.summary()


async def _tree(stage: Stage) -> None:
    stage.scene("1. What does the shop at lyon hang on?")
    await stage.cheops("sites", expect=0)
    await stage.cheops("tree", "deployment/web", *LYON, expect=0)
    stage.say("\n  Does the front door need that Secret?")
    await stage.cheops("why", "ingress/shop", "secret/edge-ca", *LYON, expect=0)


async def _delete_in_use(stage: Stage) -> None:
    stage.scene("2. May this Secret go?")
    await stage.cheops("delete", "secret/edge-ca", *LYON, expect=3)
    stage.remember("delete a Secret in use at lyon", "denied: both Deployments named, with the fields that say so")
    stage.say("\n  And something that nobody uses:")
    await stage.cheops("delete", "configmap/banner-2019", *LYON, expect=0)
    stage.remember("delete a ConfigMap that nobody uses", "allowed and done: nothing at lyon depends on it")


async def _deploy(stage: Stage, mesh: Mesh) -> None:
    stage.scene("3. Deploying to oslo, where a ConfigMap is missing")
    await stage.cheops("apply", "-f", "checkout.yaml", "--site", "oslo", expect=3)
    stage.remember("deploy checkout to oslo", "denied: its ConfigMap is missing there")
    stage.say("\n  With the ConfigMap in the bundle, whatever the order of the files:")
    await stage.cheops("apply", "-f", "checkout.yaml", "-f", "checkout-settings.yaml", "--site", "oslo", expect=0)
    await _until_seen(mesh, "oslo", "deployment/checkout")
    await stage.cheops("dependencies", "deployment/checkout", *OSLO, "--depth", "1", expect=0)
    stage.remember("the same with the ConfigMap", "allowed, planned in order, applied, ready, seen in the cluster")


async def _behind_our_back(stage: Stage, mesh: Mesh) -> None:
    stage.scene("4. Somebody uses plain kubectl at nice")
    await stage.behind_our_back("nice", "DELETE", "Secret", "shop", "edge-ca")
    deleted_s = time.monotonic()
    await _until_alert(mesh, "nice", "raised")
    noticed_s = time.monotonic() - deleted_s
    await stage.cheops("alerts", "--site", "nice", expect=0)
    await stage.cheops("missing", "-n", "shop", "--site", "nice", expect=0)
    secret = next(one.body for one in read_documents(MANIFESTS / "shop.yaml") if one.body["kind"] == "Secret")
    await stage.create("nice", secret)
    await _until_alert(mesh, "nice", "healed")
    await stage.cheops("alerts", "--site", "nice", expect=0)
    stage.remember("kubectl delete at nice, past Cheops", f"alert after {noticed_s:.1f} s; healed when it came back")


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
