"""What the resolver asks others so that it can decide: whatever becomes of a question, it goes on."""

from __future__ import annotations

from typing import Any, cast

import pytest

from schemas import subjects
from schemas.identity import ResourceId
from schemas.intents import Intent
from schemas.rehearsals import Rehearsal, RehearsalAnswer, RehearsedResult
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


STATES: dict[str, dict[str, Any]] = {
    "of another form": {"resource": "Secret/shop/ca", "template_labels": "none"},
    "of nothing": {"labels": {}},
    "of another object": {"resource": "Secret/shop/cb"},
}


@pytest.mark.parametrize("after", STATES.values(), ids=STATES)
async def test_a_state_that_is_none_is_no_answer(after: dict[str, Any]) -> None:
    """An executor of another version may write it so: the resolver ended by the first `apply`."""
    world, taken = World(), list[Signal]()
    world.settle()

    async def step(signal: Signal) -> None:
        taken.append(signal)

    result = RehearsedResult(resource=ResourceId("Secret/shop/ca"), after=after)
    answer = RehearsalAnswer(site=LYON, results=(result,)).to_json()
    bus = MemoryBus()
    asking = Inquiries(LYON, bus, world.machine, lambda: world.moment, step, cast("Any", None))
    async with bus.serve(subjects.api("executor", LYON, "rehearse"), lambda _: answer, name="executor-lyon"):
        await asking.ask(AskRehearsal("i-1", Rehearsal(site=LYON, changes=())))
    assert taken == [Rehearsed("i-1", None)]
