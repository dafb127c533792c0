"""Control traffic goes first: an intent does not wait behind a backlog of events, and events are not starved."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from schemas import subjects
from schemas.events import EventBatch, ResourceEvent, batch_hash
from schemas.intents import Intent
from schemas.verdicts import Verdict
from services.chassis.bus.memory import MemoryBus
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.service import ResolverService
from services.resolver.turns import Turns
from services.watcher.telling.teller import encode_batch
from tests.kit.manifests import secret
from tests.unit.resolver.naive_cluster import CATALOGUE, Cluster
from tests.unit.resolver.world import LYON, SURFACE

BATCHES = 500
WAIT_S = 60.0


def backlog() -> list[bytes]:
    """Batches that each say of one more Secret that it is there."""
    cluster, payloads, chain = Cluster(), [], ""
    for number in range(1, BATCHES + 1):
        event = ResourceEvent("put", cluster.put(secret(f"s-{number}")))
        events = (ResourceEvent("surface", surface=SURFACE), event) if number == 1 else (event,)
        first = 1 if number == 1 else number + 1
        payloads.append(encode_batch(EventBatch("event/v1", LYON, 1, first, chain, events)))
        chain = batch_hash(payloads[-1])
    return payloads


async def test_an_intent_is_decided_before_the_backlog_of_events_that_came_before_it() -> None:
    bus, machine = MemoryBus(), Machine(LYON, CATALOGUE, Policy(), "resolver/test")
    ready = asyncio.Event()
    now = datetime.now(UTC)
    intent = Intent(
        id="i-1",
        site=LYON,
        verb="delete",
        resources=("secret/s-1",),
        namespace="shop",
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    async with asyncio.timeout(WAIT_S), bus.subscribe(subjects.verdict(LYON, "*", "i-1")) as verdicts:
        running = asyncio.create_task(ResolverService(LYON, bus, machine).run(ready))
        await ready.wait()
        for number, payload in enumerate(backlog()):
            await bus.publish(subjects.event(LYON), payload, message_id=str(number))
        await bus.publish(subjects.intent(LYON, intent.id), intent.to_json(), message_id=intent.id)
        before = machine.evidence.seq
        verdict = Verdict.from_json((await anext(verdicts)).payload)
        assert verdict.intent == "i-1"
        assert machine.evidence.seq - before < BATCHES / 4, "most of the backlog is still to come"
        while machine.evidence.seq < BATCHES + 1:
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running})


async def test_events_wait_while_control_traffic_is_in_hand() -> None:
    turns = Turns()
    async with asyncio.timeout(WAIT_S):
        with turns.control():
            waiting = asyncio.create_task(turns.of_events())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not waiting.done()
        await waiting


async def test_a_flood_of_control_traffic_lets_a_batch_through_now_and_then() -> None:
    turns = Turns()
    async with asyncio.timeout(WAIT_S):
        with turns.control():
            batch = asyncio.create_task(turns.of_events())
            await asyncio.wait({batch})
    assert batch.exception() is None, "let through while control traffic goes on"


async def test_everything_else_has_its_turn_between_two_batches() -> None:
    turns, order = Turns(), list[str]()

    async def batches() -> None:
        for _ in range(3):
            await turns.of_events()
            order.append("batch")

    async def other() -> None:
        for _ in range(3):
            order.append("other")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(batches())
        tasks.create_task(other())
    assert order == ["other", "batch", "other", "batch", "other", "batch"]
