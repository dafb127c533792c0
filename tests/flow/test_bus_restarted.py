"""nats-server killed under a site at work: every service finds it again, every intent is decided and done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect
from cheops.sandbox.testbed import Testbed
from schemas import subjects
from schemas.identity import SiteName
from schemas.outcomes import FINAL_STATES, Outcome
from schemas.verdicts import Verdict
from services.chassis.bus.port import Bus
from services.chassis.errors import TransientError
from tests.kit.bed import witness
from tests.kit.waiting import eventually

LYON = SiteName("lyon")
WAIT_S = 90.0
INTENTS = 40
# A delivery that a killed server counted and that never arrived: perhaps somebody has begun it, so it is decided again.
LOST = "an earlier try was not answered"


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Testbed]:
    async with Testbed(tmp_path, ["lyon"], layout="apart") as made:
        yield made


def manifest(number: int) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"map-{number}", "namespace": "default"}}


async def entered(mesh: Mesh, bus: Bus, number: int) -> str:
    """Enter an intent, again while the bus is away: its message id makes that harmless."""
    intent = await mesh.enter(Intent.apply([manifest(number)]), site="lyon")

    async def acknowledged() -> int:
        try:
            return await bus.publish(subjects.intent(LYON, intent.id), intent.to_json(), message_id=intent.id)
        except TransientError:
            return 0

    await eventually(acknowledged, f"{intent.id} is never acknowledged", WAIT_S)
    return intent.id


async def test_intents_through_two_kills_are_all_decided_and_done_once(bed: Testbed) -> None:
    names: list[str] = []
    bus = await witness(bed)  # as people connect; it comes back, too
    async with asyncio.timeout(WAIT_S), connect(bed.context) as mesh:
        for number in range(INTENTS):
            names.append(await entered(mesh, bus, number))
            if number in (INTENTS // 3, 2 * INTENTS // 3):
                bed.nats.kill()
                await eventually(lambda: not bus.connected, "who is connected does not notice", WAIT_S)
                await bed.nats.restart()
    final: list[Outcome] = []

    async def over() -> bool:
        stored = bus.scan("OUTCOMES", subjects.filters("OUTCOMES", LYON))
        found = [Outcome.from_json(one.payload) async for one in stored]
        final[:] = [one for one in found if one.state in FINAL_STATES]
        return {one.intent for one in final if one.state == "ready"} == set(names)

    await eventually(over, lambda: f"never over, all that is final: {final}", WAIT_S, pause_s=0.2)
    assert [one for one in final if one.state != "ready" and LOST not in one.message] == []
    assert sorted(one.intent for one in final if one.state == "ready") == sorted(names)
    decided: dict[tuple[str, int], set[bytes]] = {}
    async for one in bus.scan("VERDICTS", subjects.filters("VERDICTS", LYON)):
        verdict = Verdict.from_json(one.payload)
        decided.setdefault((verdict.intent, verdict.revision), set()).add(one.payload)
    # An intent that comes again gets a copy of its verdict, so that whoever sent it again is answered: the same bytes.
    assert {name: len(found) for name, found in decided.items() if len(found) != 1} == {}
    assert sorted(decided) == sorted((one.intent, one.revision) for one in final)
    await bus.close()
    for service in bed.sites[LYON].services.values():
        service.ensure_running()
