"""An intent is acknowledged once, when its verdict is stored: not before, whatever goes on meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from schemas import subjects
from schemas.intents import Intent
from schemas.queries import CancelRequest
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.lifecycle import _innermost
from services.resolver.__main__ import ResolverSettings, run
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.outgoing import SteppedDownError
from services.resolver.service import ResolverService
from services.resolver.signals import IntentSeen, Tick
from tests.unit.resolver.world import CATALOGUE, LYON


class Slow:
    """A delivery whose acknowledgement takes until it is let go, as while a server is away."""

    def __init__(self) -> None:
        self.acknowledged, self.go = 0, asyncio.Event()
        self.message = Received("cheops.v1.intent.lyon.i-1", b"")

    async def ack(self) -> None:
        raise AssertionError("nobody waits for the word: what comes again is known")

    async def ack_unconfirmed(self) -> None:
        self.acknowledged += 1
        await self.go.wait()

    async def retry(self, delay_s: float = 0.0) -> None:
        raise AssertionError("it was decided")

    async def terminate(self, reason: str) -> None:
        raise AssertionError("it was decided")

    async def extend(self) -> None:
        raise AssertionError("it was decided")


async def test_steps_that_meet_while_acknowledgements_are_slow_acknowledge_each_intent_once() -> None:
    machine = Machine(LYON, CATALOGUE, Policy(), "resolver/lyon@test")
    service = ResolverService(LYON, MemoryBus(), machine)
    waiting = {f"i-{number}": Slow() for number in range(3)}
    service._unanswered.update(waiting)
    async with asyncio.TaskGroup() as tasks:
        steps = [tasks.create_task(service._step(Tick())) for _ in range(3)]
        await asyncio.sleep(0)
        for one in waiting.values():
            one.go.set()
    assert all(step.exception() is None for step in steps)
    assert [one.acknowledged for one in waiting.values()] == [1, 1, 1]


async def test_an_intent_whose_verdict_another_resolver_kept_from_being_stored_is_left_to_that_one() -> None:
    """It was acknowledged by whatever step came next, and lost: the machine took it for decided."""
    bus = MemoryBus()
    await ensure_streams(bus, LYON)
    service = ResolverService(LYON, bus, Machine(LYON, CATALOGUE, Policy(), "resolver/lyon@test"))
    await service._out.begin()
    await bus.publish(subjects.verdict(LYON, "allow", "i-0"), b"{}", message_id="of the other resolver")
    now = datetime.now(UTC)
    intent = Intent(
        id="i-1",
        site=LYON,
        verb="read",
        resources=("secret/ca",),
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    service._unanswered["i-1"] = delivery = Slow()
    deciding = asyncio.create_task(service._step(IntentSeen(intent)))
    next_one = asyncio.create_task(service._step(Tick()))
    with pytest.raises(SteppedDownError):
        await deciding
    await asyncio.wait({next_one}, timeout=0.1)
    assert delivery.acknowledged == 0
    next_one.cancel()


async def test_a_question_that_finds_another_resolver_in_charge_ends_the_service_and_does_not_hang_it() -> None:
    bus = MemoryBus()
    service = ResolverService(LYON, bus, Machine(LYON, CATALOGUE, Policy(), "resolver/lyon@test"))
    ready = asyncio.Event()
    running = asyncio.create_task(service.run(ready))
    await ready.wait()
    now = datetime.now(UTC)
    later = now + timedelta(hours=1)
    intent = Intent(id="i-1", site=LYON, verb="read", resources=("secret/ca",), created_at=now, expires_at=later)
    await service._step(IntentSeen(intent))  # nothing was heard of the site yet: it waits
    await bus.publish(subjects.verdict(LYON, "allow", "i-0"), b"{}", message_id="of the other resolver")
    question = CancelRequest(intent="i-1").to_json()
    async with asyncio.timeout(30):
        asking = asyncio.create_task(bus.request(subjects.api("resolver", LYON, "cancel"), question, 20.0))
        with pytest.raises(ExceptionGroup) as ended:
            await running
        asking.cancel()
    assert isinstance(_innermost(ended.value), SteppedDownError)


async def test_who_takes_a_site_over_waits_until_the_other_has_noticed_and_goes_on_alone() -> None:
    """By its events, which are read by another: no verdict is needed, and none is lost between the two."""
    bus = MemoryBus()
    service = ResolverService(LYON, bus, Machine(LYON, CATALOGUE, Policy(), "resolver/lyon@test"))
    ready, taken = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(service.run(ready))
    await ready.wait()
    settings = ResolverSettings(site=LYON, takeover=True)
    async with asyncio.timeout(30):
        second = asyncio.create_task(run(settings, bus, taken))
        with pytest.raises(ExceptionGroup) as ended:
            await first
        await taken.wait()
    assert isinstance(_innermost(ended.value), SteppedDownError)
    assert not second.done()
    second.cancel()
