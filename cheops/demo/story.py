"""The scenes, in order. Each shows commands as a person types them; an unexpected exit code ends the story."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Final

from cheops.demo.stage import MANIFESTS, Stage, StoryError
from cheops.mesh import Mesh
from schemas.documents import read_documents
from services.chassis.errors import TransientError

WAIT_S: Final = 30.0
LYON: Final = ("-n", "shop", "--site", "lyon")
BOTH: Final = "lyon & oslo"
OFFER: Final = re.compile(r"(?<=--scope ')[^']+")
OVERRIDE: Final = re.compile(r"cheops\.io/override=\S+")
INTENT: Final = re.compile(r"i-[0-9a-f]{10}")


async def play(stage: Stage, mesh: Mesh) -> None:
    """All scenes, and what they showed."""
    for site in ("lyon", "oslo", "nice"):
        await _until_seen(mesh, site, "ingress/shop")
    await _tree(stage)
    await _delete_in_use(stage)
    await _deploy(stage, mesh)
    await _cut_off(stage, mesh)
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
    stage.scene("3. Deploying to lyon and oslo, where oslo lacks a ConfigMap")
    output = await stage.cheops("apply", "-f", "checkout.yaml", "--scope", BOTH, "--site", "lyon", expect=3)
    stage.remember(f"deploy checkout to {BOTH}", "denied: its ConfigMap is at lyon only; a scope that works is offered")
    stage.say("\n  With the scope that was offered:")
    scope = _found(OFFER, output, "the denial offers no scope")
    await stage.cheops("apply", "-f", "checkout.yaml", "--scope", scope, "--site", "lyon", expect=0)
    stage.remember("the same with the scope offered", "allowed, planned in order over both sites, done, ready")
    stage.say("\n  Seen in both clusters; oslo has a copy of the ConfigMap:")
    for site in ("lyon", "oslo"):
        await _until_seen(mesh, site, "deployment/checkout")
    await stage.cheops("dependents", "configmap/checkout-settings", "-n", "shop", "--all-sites", expect=0)


async def _cut_off(stage: Stage, mesh: Mesh) -> None:
    stage.scene("4. nice is cut off")
    await stage.cut("nice")
    output = await stage.cheops(
        "delete", "configmap/banner-2019", "-n", "shop", "--site", "oslo", "--scope", "oslo & nice", expect=4
    )
    stage.remember("delete at oslo & nice, nice is cut off", "deferred: nice is named, and when it was last heard")
    intent = _found(INTENT, output, "the verdict names no intent to follow")
    stage.say("\n  nice goes on alone, and begins to use what is to be deleted:")
    await stage.cheops("apply", "-f", "banner.yaml", "--site", "nice", expect=0)
    stage.remember("deploy at nice meanwhile", "allowed and done: a site needs nobody to decide for itself")
    stage.say("\n  The link is back. Nobody asks again:")
    await stage.heal("nice")
    healed_s = time.monotonic()
    await _until_decided(mesh, intent, "deny")
    decided_s = time.monotonic() - healed_s
    await stage.cheops("show", intent, "--site", "oslo", expect=3)
    stage.remember("the link heals", f"after {decided_s:.1f} s decided by itself: denied, nice has a use for it now")


def _found(pattern: re.Pattern[str], text: str, otherwise: str) -> str:
    found = pattern.search(text)
    if found is None:
        raise StoryError(otherwise)
    return found.group()


async def _until_decided(mesh: Mesh, intent: str, decision: str) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            async for verdict in mesh.verdicts(site="oslo", decision=decision, stored=True, follow=True):
                if verdict.intent == intent:
                    return
    except TimeoutError:
        raise StoryError(f"{intent} was not decided again within {WAIT_S:g} s") from None


async def _behind_our_back(stage: Stage, mesh: Mesh) -> None:
    stage.scene("5. Somebody uses plain kubectl at nice")
    secret = next(one.body for one in read_documents(MANIFESTS / "shop.yaml") if one.body["kind"] == "Secret")
    refusal = await stage.kubectl("nice", "delete", secret, refused=True)
    stage.remember("kubectl delete at nice, past Cheops", "refused by the cluster: it asks the gate of its site first")
    stage.say("\n  Somebody insists:")
    override = _found(OVERRIDE, refusal, "the refusal offers no way past it")
    await stage.kubectl("nice", "annotate", secret, override)
    await stage.kubectl("nice", "delete", secret)
    deleted_s = time.monotonic()
    await _until_alert(mesh, "nice", "raised")
    noticed_s = time.monotonic() - deleted_s
    await stage.cheops("alerts", "--site", "nice", expect=0)
    await stage.cheops("missing", "-n", "shop", "--site", "nice", expect=0)
    await stage.kubectl("nice", "create", secret)
    await _until_alert(mesh, "nice", "healed")
    await stage.cheops("alerts", "--site", "nice", expect=0)
    stage.remember("the same, overridden", f"done, an alert after {noticed_s:.1f} s; healed when it came back")


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
