"""The main job as separate processes: a change reaches the tree, an intent gets a verdict and is carried out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cheops.drafts import Intent
from cheops.following import Progress
from cheops.mesh import Mesh, connect
from cheops.sandbox.testbed import Testbed
from schemas import subjects
from schemas.documents import read_documents
from schemas.verdicts import Verdict
from tests.kit.bed import witness
from tests.kit.waiting import eventually

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "cheops" / "demo" / "manifests"
BOUTIQUE = ROOT.parent / "shared" / "corpora" / "online-boutique"
WAIT_S = 60.0


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.controlplane)])
def standing_bed(request: pytest.FixtureRequest) -> Testbed:
    """Both belong to no event loop."""
    found: Testbed = request.getfixturevalue(f"{request.param}_bed")
    return found


async def followed(mesh: Mesh, draft: Intent) -> list[Progress]:
    """To the end; a deferral on the way (a site that is not seen for a moment) ends by itself."""
    intent = await mesh.enter(draft, site="lyon")
    async with asyncio.timeout(WAIT_S):
        return [progress async for progress in mesh.follow(intent) if progress.verdict.decision != "defer"]


async def until(check: Callable[[], object]) -> None:
    await eventually(check, wait_s=WAIT_S)


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


async def test_the_shop_is_applied_protected_and_let_go_of(bed: Testbed) -> None:
    manifests = [one.body for one in read_documents(SHOP / "shop.yaml")]
    async with connect(bed.context) as mesh:
        applied = await followed(mesh, Intent.apply(manifests))
        assert applied[0].verdict.decision == "allow", applied[0].verdict.summary
        assert {one.outcome.state for one in applied if one.outcome} <= {"begun", "applied", "ready"}

        draft = Intent.delete("secret/edge-ca", namespace="shop", preview=True)

        async def is_in_use() -> bool:  # as soon as its pods are seen, not only the Deployment that will make them
            answer = await mesh.why("ingress/shop", "secret/edge-ca", namespace="shop", site="lyon")
            return len(answer.edges) == 3 and "D310" in codes(await mesh.submit(draft, site="lyon"))

        await until(is_in_use)
        refused = await mesh.submit(Intent.delete("secret/edge-ca", namespace="shop"), site="lyon")
        assert (refused.decision, codes(refused) & {"D310", "D311"}) == ("deny", {"D310", "D311"})
        allowed = await followed(mesh, Intent.delete("configmap/banner-2019", namespace="shop"))
        assert [one.outcome.state for one in allowed if one.outcome] == ["begun", "done"]
        missing = await mesh.missing(namespace="shop", site="lyon")
        assert missing.edges == ()


@pytest.mark.skipif(not BOUTIQUE.exists(), reason="the corpora are not beside the repository")
async def test_online_boutique_gets_ready_and_what_it_uses_is_protected(bed: Testbed) -> None:
    manifests = [one.body for one in read_documents(BOUTIQUE)]
    async with connect(bed.context) as mesh:
        applied = await followed(mesh, Intent.apply(manifests, namespace="default"))
        assert applied[0].verdict.decision == "allow", applied[0].verdict.summary
        ended = {one.outcome.step: one.outcome.state for one in applied if one.outcome}
        assert set(ended.values()) == {"ready"}
        assert len(ended) == len(manifests)
        account = await mesh.submit(Intent.delete("serviceaccount/frontend", namespace="default"), site="lyon")
        assert account.decision == "deny"


async def test_an_intent_with_an_unknown_field_is_buried_and_the_next_one_is_answered(bed: Testbed) -> None:
    async with connect(bed.context) as mesh:
        intent = await mesh.enter(Intent.delete("configmap/none", namespace="default"), site="lyon", intent_id="i-bad")
        bus = await witness(bed)
        body = json.dumps({**json.loads(intent.to_json()), "colour": "red"}).encode()
        await bus.publish(subjects.intent(intent.site, "i-bad"), body, message_id="i-bad")

        async def is_answered() -> bool:
            last = await bus.last("VERDICTS", subjects.verdict(intent.site, "deny", "i-bad"))
            return last is not None and b"D010" in last.payload and b"colour" in last.payload

        await until(is_answered)
        assert await bus.last("DEAD", subjects.dead("INTENTS")) is not None
        await bus.close()
        good = await mesh.submit(Intent.delete("configmap/none", namespace="default"), site="lyon")
        assert (good.decision, codes(good)) == ("allow", {"N302"})


async def test_a_killed_resolver_goes_on_where_the_streams_say(bed: Testbed) -> None:
    site = bed.sites[next(iter(bed.sites))]
    async with connect(bed.context) as mesh:
        first = await mesh.submit(Intent.delete("configmap/none", namespace="default"), site="lyon", intent_id="i-same")
        site.services["resolver"].kill()
        await bed.start_services(site.name)
        await bed.wait_fresh()
        again = await mesh.submit(Intent.delete("configmap/none", namespace="default"), site="lyon", intent_id="i-same")
        assert again == first
