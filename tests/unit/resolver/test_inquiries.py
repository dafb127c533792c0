"""What the resolver asks others so that it can decide: whatever becomes of a question, it goes on."""

from __future__ import annotations

from typing import Any, cast

from schemas.intents import Intent
from schemas.rehearsals import Rehearsal
from services.chassis.bus.memory import MemoryBus
from services.resolver.inquiries import Inquiries
from services.resolver.signals import AskRehearsal, Rehearsed, Signal
from tests.kit.court import create
from tests.kit.manifests import secret, without_uid
from tests.unit.resolver.world import LYON, World

BYTES_MAX = 20_000


async def test_a_rehearsal_that_the_bus_is_too_small_for_is_one_that_was_not_answered() -> None:
    """It is a little larger than the intent, which a server of another max_payload took: the resolver ended by it."""
    world, taken = World(), list[Signal]()
    world.settle()

    async def step(signal: Signal) -> None:
        taken.append(signal)

    wide = without_uid({**secret("wide"), "metadata": {"name": "wide", "annotations": {"a": BYTES_MAX * "x"}}})
    intent: Intent = create(wide)
    rehearsal = world.machine.rehearsal(world.machine.take_in(intent, world.moment))
    assert isinstance(rehearsal, Rehearsal)
    bus = MemoryBus(bytes_max=BYTES_MAX)
    asking = Inquiries(LYON, bus, world.machine, lambda: world.moment, step, cast("Any", None))
    await asking.ask(AskRehearsal(intent.id, rehearsal))
    assert taken == [Rehearsed(intent.id, None)]
