"""The resolver's process killed at every wait of a whole flow: one effect of each step, not two, not none.

An intent makes a Secret and a Deployment that mounts it. The process dies at its n-th wait on the bus, before or after
what it asked took place; a new one goes on with what the streams hold. The largest n are beyond the flow: it lives.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas import subjects
from schemas.events import EventBatch, Heartbeat, ResourceEvent, batch_hash, encode
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import Outcome, OutcomeState
from schemas.queries import ResyncAnswer
from schemas.verdicts import Verdict
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.streams import ensure_streams
from services.resolver import service
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.service import ResolverService
from services.watcher.telling.teller import encode_batch
from tests.kit.manifests import deployment, mounts_secret, namespace, secret, without_uid
from tests.kit.waiting import eventually
from tests.unit.resolver.mortal import Mortal
from tests.unit.resolver.naive_cluster import CATALOGUE, Cluster
from tests.unit.resolver.world import KINDS, LYON, SURFACE

WAIT_S = 90.0  # what was taken and not acknowledged comes again after half a minute
WAITS_MAX = 80
BEAT_S = 0.05


class Site:
    """Watcher and executor on a bus in memory, over a naive cluster."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.cluster = Cluster()
        self.seq, self.chain, self.read_by = 0, "", ""
        self.effects: Counter[str] = Counter()
        self.ledger: dict[str, list[OutcomeState]] = {}
        self.cluster.put(namespace("shop"))

    async def see(self, *events: ResourceEvent) -> None:
        batch = EventBatch("event/v1", LYON, 1, self.seq + 1, self.chain, events)
        payload = encode_batch(batch)
        self.seq += len(events)
        self.chain = batch_hash(payload)
        await self.bus.publish(subjects.event(LYON), payload, message_id=f"1.{self.seq}")

    async def resync(self, received: Any) -> bytes:
        answer = ResyncAnswer(site=LYON, epoch=1, seq=self.seq, differing=len(KINDS))
        await self.see(ResourceEvent("surface", surface=SURFACE, read_by=self.read_by))
        for served in SURFACE:
            states = [self.cluster.state(one) for one in self.cluster.objects]
            puts = [ResourceEvent("put", one) for one in states if one.resource.startswith(f"{served.kind}/")]
            start, end = ResourceEvent("sync_start", kind=served.kind), ResourceEvent("sync_end", kind=served.kind)
            await self.see(start, *puts, end)
        return answer.to_json()

    async def beats(self) -> None:
        while True:
            at_s = asyncio.get_running_loop().time()
            beat = Heartbeat("heartbeat/v1", LYON, 1, self.seq, len(KINDS), {}, at_s)
            await self.bus.emit(subjects.heartbeat(LYON), encode(beat))
            await asyncio.sleep(BEAT_S)

    async def execute(self) -> None:
        reader = await self.bus.reader("OPERATIONS", "executor-lyon", subjects.filters("OPERATIONS", LYON))
        while True:
            for delivery in await reader.fetch(1, 1.0):
                operation = Operation.from_json(delivery.message.payload)
                assert operation.manifest is not None, "only writes here"
                if operation.id not in self.ledger:
                    self.ledger[operation.id] = ["applied", "ready"]
                    self.effects[operation.resource] += 1
                    await self.see(ResourceEvent("put", self.cluster.put(operation.manifest)))
                for state in self.ledger[operation.id]:
                    await self.report(operation, state)
                await delivery.ack()

    async def report(self, operation: Operation, state: OutcomeState) -> None:
        outcome = Outcome(
            operation=operation.id,
            intent=operation.intent,
            revision=operation.revision,
            step=operation.step,
            site=LYON,
            action=operation.action,
            resource=operation.resource,
            state=state,
            resource_version=self.cluster.state(operation.resource).resource_version,
            at=datetime.now(UTC),
        )
        subject = subjects.outcome(LYON, operation.intent, f"{operation.revision}-{operation.step}")
        await self.bus.publish(subject, outcome.to_json(), message_id=f"{operation.id}.{state}")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await ensure_streams(self.bus)
        serving = self.bus.serve(subjects.api("watcher", LYON, "resync"), self.resync, name="watcher")
        async with serving, asyncio.TaskGroup() as tasks:
            mine = [tasks.create_task(self.beats()), tasks.create_task(self.execute())]
            yield
            for task in mine:
                task.cancel()

    @asynccontextmanager
    async def resolver(self, bus: Any) -> AsyncIterator[Machine]:
        machine = Machine(LYON, CATALOGUE, Policy(), "resolver/lyon@test")
        task = asyncio.create_task(ResolverService(LYON, bus, machine).run())
        try:
            yield machine
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.wait({task})


def bundle() -> Intent:
    now = datetime.now(UTC)
    return Intent(
        id="i-one",
        site=LYON,
        verb="create",
        manifests=(without_uid(deployment("web", mounts_secret("ca"))), without_uid(secret("ca"))),
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )


async def over(machine: Machine) -> None:
    """Decided, carried out, seen: nothing is under way any more."""

    def over() -> bool:
        known = machine.docket.known("i-one")
        busy = machine.docket.active or machine.docket.asked or len(machine.holds) or not machine.evidence.synced
        return bool(known is not None and known.decision != "defer" and not busy)

    await eventually(over, wait_s=WAIT_S, pause_s=0.01)


async def killed_at(waits: int) -> bool:
    """One whole flow; False when the process lived to its end."""
    site = Site()
    async with site.running():
        mortal = Mortal(site.bus, waits)
        async with site.resolver(mortal) as machine:
            intent = bundle()
            await site.bus.publish(subjects.intent(LYON, intent.id), intent.to_json(), message_id=intent.id)
            ends = [asyncio.ensure_future(one) for one in (mortal.died.wait(), over(machine))]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            died = mortal.died.is_set()
            for one in ends:
                one.cancel()
        if died:
            async with site.resolver(site.bus) as successor:
                await over(successor)
        verdicts = [one async for one in site.bus.scan("VERDICTS", subjects.verdict(LYON, "*", "i-one"))]
        last = Verdict.from_json(verdicts[-1].payload)
        assert (last.decision, last.revision) == ("allow", len({one.payload for one in verdicts})), waits
        assert site.effects == {"Secret/shop/ca": 1, "apps/Deployment/shop/web": 1}, waits
    return died


async def test_a_process_killed_at_any_of_its_waits_leaves_one_effect_of_each_step(monkeypatch: Any) -> None:
    monkeypatch.setattr(service, "TICK_S", 0.01)  # no waiting for the clock: what has to happen happens by messages
    died = await asyncio.gather(*map(killed_at, range(1, WAITS_MAX + 1)))  # side by side: most of it is waiting
    assert died == sorted(died, reverse=True)
    assert 20 < died.count(True) < WAITS_MAX, "each wait of the flow was one where it died, and one flow lived"
