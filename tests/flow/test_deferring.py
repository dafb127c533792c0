"""A deferred intent names what it waits for, wakes by itself, and can be given up; on real processes."""

from __future__ import annotations

import asyncio

import pytest

from cheops.drafts import Intent
from cheops.mesh import Mesh, RefusedError, connect
from cheops.sandbox.testbed import Testbed
from schemas.verdicts import Verdict
from tests.kit.waiting import eventually

SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
WAIT_S = 60.0


async def _deferred(mesh: Mesh, bed: Testbed) -> Verdict:
    """An intent that waits for another one, whose operation nobody carries out for now."""
    bed.sites[next(iter(bed.sites))].services["executor"].kill()
    first = await mesh.submit(Intent.create([SETTINGS], namespace="default"), site="lyon")
    second = await mesh.submit(Intent.delete("configmap/settings", namespace="default"), site="lyon")
    assert (first.decision, second.decision) == ("allow", "defer")
    assert [(one.code, one.severity) for one in second.reasons] == [("F510", "defer")]
    assert second.waits_for[0].intent == first.intent
    return second


async def test_what_it_waited_for_is_over_and_it_is_decided_and_done_once(bed: Testbed) -> None:
    async with connect(bed.context) as mesh:
        waiting = await _deferred(mesh, bed)
        await bed.start_services(next(iter(bed.sites)))
        intent = (await mesh.show(waiting.intent)).intent
        assert intent is not None
        async with asyncio.timeout(WAIT_S):
            async for progress in mesh.follow(intent, publish=False):
                if progress.outcome is not None and progress.outcome.state == "done":
                    break
        chain = await mesh.show(waiting.intent)
        assert [one.decision for one in chain.verdicts] == ["defer", "allow"]
        assert [one.state for one in chain.outcomes] == ["begun", "done"]


async def test_a_given_up_intent_is_never_done(bed: Testbed) -> None:
    async with connect(bed.context) as mesh:
        waiting = await _deferred(mesh, bed)
        last = await mesh.cancel(waiting.intent)
        assert (last.decision, [one.code for one in last.reasons], last.revision) == ("deny", ["D012"], 2)
        assert "given up by" in last.reasons[0].message
        with pytest.raises(RefusedError, match="does not wait: its verdict is deny"):
            await mesh.cancel(waiting.intent)
        await bed.start_services(next(iter(bed.sites)))

        async def idle() -> bool:
            return (await mesh.status("lyon")).in_flight == 0

        await eventually(idle, "something is in flight", WAIT_S)
        chain = await mesh.show(waiting.intent)
        assert (len(chain.verdicts), chain.outcomes) == (2, ())
        there = await mesh.submit(Intent.read("configmap/settings", namespace="default"), site="lyon")
        assert there.decision == "allow"
