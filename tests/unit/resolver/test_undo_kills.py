"""The resolver's process killed at every wait of a flow that fails and is undone: the Secret is made once, gone once.

As test_service_kills.py; but the API server refuses the Deployment.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import subjects
from schemas.events import ResourceEvent
from schemas.operations import Operation
from schemas.outcomes import Outcome, OutcomeState
from schemas.verdicts import Verdict
from services.resolver import service
from services.resolver.machine import Machine
from tests.kit.waiting import eventually
from tests.unit.resolver.mortal import Mortal
from tests.unit.resolver.test_service_kills import WAIT_S, WAITS_MAX, Site, bundle
from tests.unit.resolver.world import LYON


class RefusingSite(Site):
    """Its executor refuses the Deployment; what it makes, it can take away again."""

    def __init__(self) -> None:
        super().__init__()
        self.taken_back: Counter[str] = Counter()
        self.said: dict[str, list[Outcome]] = {}

    async def execute(self) -> None:
        reader = await self.bus.reader("OPERATIONS", "executor-lyon", subjects.filters("OPERATIONS", LYON))
        while True:
            for delivery in await reader.fetch(1, 1.0):
                operation = Operation.from_json(delivery.message.payload)
                if operation.id not in self.said:
                    self.said[operation.id] = await self._do(operation)
                for outcome in self.said[operation.id]:
                    subject = subjects.outcome(LYON, operation.intent, f"{operation.revision}-{operation.step}")
                    await self.bus.publish(subject, outcome.to_json(), message_id=f"{operation.id}.{outcome.state}")
                await delivery.ack()

    async def _do(self, operation: Operation) -> list[Outcome]:
        if operation.action == "delete":
            self.taken_back[operation.resource] += 1
            uid = self.cluster.state(operation.resource).uid
            self.cluster.remove(operation.resource)
            await self.see(ResourceEvent("delete", resource=operation.resource, uid=uid))
            return [self._outcome(operation, "done")]
        assert operation.manifest is not None, "a write carries what it writes"
        if "Deployment" in operation.resource:
            return [self._outcome(operation, "failed", changed=False, status=403)]
        self.effects[operation.resource] += 1
        state = self.cluster.put(operation.manifest)
        await self.see(ResourceEvent("put", state))
        known = {"former": "", "uid": state.uid, "resource_version": state.resource_version}
        return [self._outcome(operation, one, **known) for one in ("applied", "ready")]

    def _outcome(self, operation: Operation, state: OutcomeState, **known: Any) -> Outcome:
        names = {name: getattr(operation, name) for name in ("intent", "revision", "step", "action", "resource")}
        return Outcome(operation=operation.id, site=LYON, state=state, at=datetime.now(UTC), **names, **known)


async def undone(machine: Machine) -> None:
    """Nothing is under way any more, and the last word is an undo."""

    def over() -> bool:
        known = machine.docket.known("i-one")
        busy = machine.docket.active or machine.docket.asked or len(machine.holds) or not machine.evidence.synced
        return bool(known is not None and known.undoes is not None and not busy)

    await eventually(over, wait_s=WAIT_S, pause_s=0.01)


async def killed_at(waits: int) -> bool:
    """One whole flow; False when the process lived to its end."""
    site = RefusingSite()
    async with site.running():
        mortal = Mortal(site.bus, waits)
        async with site.resolver(mortal) as machine:
            intent = bundle()
            await site.bus.publish(subjects.intent(LYON, intent.id), intent.to_json(), message_id=intent.id)
            ends = [asyncio.ensure_future(one) for one in (mortal.died.wait(), undone(machine))]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            died = mortal.died.is_set()
            for one in ends:
                one.cancel()
        if died:
            async with site.resolver(site.bus) as successor:
                await undone(successor)
        stored = [one async for one in site.bus.scan("VERDICTS", subjects.verdict(LYON, "*", "i-one"))]
        verdicts = {one.revision: one for one in (Verdict.from_json(row.payload) for row in stored)}
        decided = [one for one in verdicts.values() if one.decision != "defer"]  # while the site was not known yet
        assert [(one.decision, one.undoes) for one in decided] == [("allow", None), ("allow", decided[0].revision)], (
            waits
        )
        assert site.effects == site.taken_back == {"Secret/shop/ca": 1}, waits
        assert set(site.cluster.objects) == {"Namespace/shop"}, waits
    return died


async def test_a_process_killed_at_any_of_its_waits_undoes_what_was_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "TICK_S", 0.01)  # no waiting for the clock: what has to happen happens by messages
    died = await asyncio.gather(*map(killed_at, range(1, WAITS_MAX + 1)))
    assert died == sorted(died, reverse=True)
    assert 20 < died.count(True) < WAITS_MAX, "each wait of the flow was one where it died, and one flow lived"
