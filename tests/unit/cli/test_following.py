"""What is followed ends when nothing more will come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from cheops.following import Follower
from schemas import subjects
from schemas.outcomes import Outcome, OutcomeState
from schemas.verdicts import Verdict
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Received
from services.chassis.errors import TransientError
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


class Restarting(MemoryBus):
    """Its server is away for a while."""

    is_away = False
    tries_left = 1_000

    def ensure_open(self) -> None:
        super().ensure_open()
        if self.is_away:
            self.tries_left -= 1
            self.is_away = self.tries_left > 0
            raise TransientError("the bus is not connected (reconnecting)")


async def test_a_bus_that_is_started_again_does_not_end_the_following() -> None:
    bus, decisions = Restarting(), list[str]()
    await store(bus, BEGUN)
    follower = Follower(bus, LYON, INTENT, nothing(), nothing(), poll_s=0.01)
    async with asyncio.timeout(3), aclosing(follower.run(5.0, from_begin=True)) as progress:
        async for one in progress:
            decisions.append(one.outcome.state if one.outcome else one.verdict.decision)
            if one.outcome is None:
                await store(bus, BEGUN, outcome(1, "ready"))
                bus.is_away, bus.tries_left = True, 3
    assert decisions == ["allow", "ready"]


async def test_a_bus_that_stays_away_is_told_together_with_how_to_go_on() -> None:
    bus = Restarting()
    await store(bus, BEGUN)
    follower = Follower(bus, LYON, INTENT, nothing(), nothing(), poll_s=0.01, lost_max_s=0.05)
    progress = follower.run(5.0, from_begin=True)
    await anext(progress)
    bus.is_away = True
    with pytest.raises(TransientError, match=f"not connected.*it goes on by itself.*cheops show {INTENT} --follow"):
        await anext(progress)
