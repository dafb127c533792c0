"""What is followed ends when nothing more will come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cheops.following import Follower
from schemas import subjects
from schemas.outcomes import Outcome, OutcomeState
from schemas.verdicts import Verdict
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Received
from tests.unit.cli.test_verdicts import LYON, WEB, outcome, reason, step, verdict

INTENT = "i-5d0e12ab90"
BEGUN = verdict(decision="allow", verb="update", targets=(WEB,), plan=(step(1),), reasons=())
DENIED = verdict(revision=2, verb="update", targets=(WEB,), reasons=(reason("D110", "it lacks a Secret"),))


async def nothing() -> AsyncIterator[Received]:
    await asyncio.Event().wait()
    yield Received("", b"")


async def store(bus: MemoryBus, *messages: Verdict | Outcome) -> None:
    for place, one in enumerate(messages):
        subject = (
            subjects.verdict(LYON, one.decision, INTENT)
            if isinstance(one, Verdict)
            else subjects.outcome(LYON, INTENT, one.step)
        )
        await bus.publish(subject, one.to_json(), message_id=str(place))


async def followed(*messages: Verdict | Outcome) -> list[str]:
    bus = MemoryBus()
    await store(bus, *messages)
    follower = Follower(bus, LYON, INTENT, nothing(), nothing(), on_failure="undo")
    async with asyncio.timeout(3):
        return [one.verdict.decision async for one in follower.run(5.0, from_begin=True)]


def ended(state: OutcomeState) -> Outcome:
    return outcome(1, state).model_copy(update={"changed": True, "former": ""})


async def test_what_a_site_that_was_away_denies_is_the_end_because_nothing_of_it_is_undone_elsewhere() -> None:
    assert await followed(BEGUN, ended("ready"), DENIED) == ["allow", "allow", "deny"]


async def test_what_has_failed_and_is_denied_then_is_followed_until_it_is_undone() -> None:
    with pytest.raises(TimeoutError):
        await followed(BEGUN, ended("failed"), DENIED)
