"""A stored decision, run again on the state at its cursor, gives the same bytes; or it is said what has aged out."""

from __future__ import annotations

from pathlib import Path

import pytest

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.replaying import ReplayError
from cheops.sandbox.testbed import Testbed
from schemas.documents import read_documents
from schemas.policy import PolicyFile
from services.resolver.judge.policy import Policy
from tests.kit.bed import bare_client
from tests.kit.waiting import eventually

SHOP = Path(__file__).parents[2] / "cheops" / "demo" / "manifests" / "shop.yaml"
WAIT_S = 60.0


async def _applied(mesh: Mesh) -> str:
    intent = await mesh.enter(Intent.apply([one.body for one in read_documents(SHOP)]), site="lyon")
    async for _ in mesh.follow(intent):
        pass
    return intent.id


async def _refused(mesh: Mesh) -> str:
    """To the last word: on a busy machine it is deferred first, while the watcher is not heard."""
    intent = await mesh.enter(Intent.delete("secret/edge-ca", namespace="shop"), site="lyon")
    verdicts = [progress.verdict async for progress in mesh.follow(intent, verdict_timeout_s=WAIT_S)]
    assert verdicts[-1].decision == "deny"
    return intent.id


async def _restart_watcher(bed: Testbed) -> None:
    """The new one begins an epoch with all that there is."""
    site = bed.sites[next(iter(bed.sites))]
    before = (await bed.wait_fresh())[site.name].evidence.epoch
    site.services["watcher"].kill()
    await bed.start_services(site.name)

    async def begun() -> bool:
        return (await bed.wait_fresh())[site.name].evidence.epoch != before  # the old one's word is young for a while

    await eventually(begun, "no new epoch begins", WAIT_S)


async def test_allow_and_deny_replay_to_the_same_bytes_also_over_a_restarted_watcher(bed: Testbed) -> None:
    async with connect(bed.context) as mesh:
        intents = [await _applied(mesh), await _refused(mesh)]
        await _restart_watcher(bed)
        intents.append(await _refused(mesh))
        found = [await mesh.replay(one) for one in intents]
        assert [one.same for one in found] == [True, True, True]
        assert found[2].stored.evidence[0].epoch > found[1].stored.evidence[0].epoch


async def test_a_decision_made_while_another_was_in_flight_replays_with_it(bed: Testbed) -> None:
    site = bed.sites[next(iter(bed.sites))]
    async with connect(bed.context) as mesh:
        await _applied(mesh)
        site.services["executor"].kill()  # what is allowed now stays in flight
        first = await mesh.submit(Intent.delete("configmap/banner-2019", namespace="shop"), site="lyon")
        second = await mesh.submit(Intent.delete("configmap/banner-2019", namespace="shop"), site="lyon")
        assert (first.decision, second.decision) == ("allow", "defer")
        replay = await mesh.replay(second.intent)
        assert (replay.same, replay.stored.waits_for[0].intent) == (True, first.intent)


async def test_another_policy_or_an_unknown_intent_is_said(bed: Testbed) -> None:
    async with connect(bed.context) as mesh:
        verdict = await mesh.submit(Intent.delete("configmap/none", namespace="default"), site="lyon")
        strict = PolicyFile.model_validate({"schema": "policy/v1", "rules": [{"code": "302", "set": "deny"}]})
        with pytest.raises(ReplayError, match="decided under the policy default"):
            await mesh.replay(verdict.intent, policy=Policy(strict))
        with pytest.raises(ReplayError, match="no verdict on 'i-none'"):
            await mesh.replay("i-none")
        with pytest.raises(ReplayError, match=r"no revision 7 \(there are 1\)"):
            await mesh.replay(verdict.intent, revision=7)


async def test_events_that_have_aged_out_are_named(bed: Testbed) -> None:
    async with connect(bed.context) as mesh:
        verdict = await mesh.submit(Intent.delete("configmap/none", namespace="default"), site="lyon")
        client = await bare_client(bed)
        await client.jetstream().purge_stream("EVENTS")
        await client.close()
        with pytest.raises(ReplayError, match="of lyon is not in the stream any more"):
            await mesh.replay(verdict.intent)
    await _restart_watcher(bed)  # for whoever replays after this
