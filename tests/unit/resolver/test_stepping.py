"""Whatever is decided meanwhile, all leaves in the order in which it was decided; events do not wait for the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import MessageError
from services.resolver.carrying import Carrying
from services.resolver.signals import BatchSeen, Effect, IntentSeen, Moment, Signal, StoreVerdict
from services.resolver.stepping import Stepping
from services.resolver.turns import TOGETHER_MAX, Turns

NOW = Moment(0.0, datetime(2026, 1, 1, tzinfo=UTC))


@dataclass
class Deciding:
    """A machine of which only the order matters: a signal brings as many verdicts as it says."""

    decided: list[int] = field(default_factory=list)
    site: str = "lyon"

    def step(self, signal: Signal, _: Moment) -> list[Effect]:
        wanted = cast("int", signal.payload if isinstance(signal, BatchSeen) else cast("IntentSeen", signal).intent)
        if wanted < 0:
            raise MessageError("it is none")
        begun = len(self.decided)
        numbers = range(begun, begun + wanted)
        self.decided += numbers
        return [StoreVerdict(cast("Any", number)) for number in numbers]


@dataclass
class Stored:
    """A stream to which every store takes some turns of the loop, or waits until it is let go."""

    turns: int = 0
    go: asyncio.Event | None = None
    numbers: list[int] = field(default_factory=list)
    stores: list[int] = field(default_factory=list)  # how many verdicts each time
    fails: bool = False

    async def store_verdicts(self, effects: Sequence[StoreVerdict]) -> None:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.go is not None:
            await self.go.wait()
        if self.fails:
            raise RuntimeError("another resolver decides")
        self.numbers += [cast("int", effect.verdict) for effect in effects]
        self.stores.append(len(effects))


def stepping(
    machine: Deciding, stored: Stored, turns: Turns | None = None, afterwards: Callable[[], None] = lambda: None
) -> Stepping:
    nobody = cast("Any", None)
    carrying = Carrying(cast("Any", machine), cast("Any", stored), nobody, nobody, lambda: NOW, nobody)
    return Stepping(cast("Any", machine), carrying, turns or Turns(), lambda: NOW, afterwards)


def intent(verdicts: int) -> IntentSeen:
    return IntentSeen(cast("Any", verdicts))


def batch(verdicts: int) -> BatchSeen:
    return BatchSeen(cast("Any", verdicts))


@given(
    signals=st.lists(st.tuples(st.sampled_from(["intents", "batch"]), st.integers(0, 3), st.integers(0, 3))),
    slowness=st.integers(0, 4),
)
def test_all_leaves_in_the_order_in_which_it_was_decided(signals: list[tuple[str, int, int]], slowness: int) -> None:
    machine, stored = Deciding(), Stored(slowness)

    async def run() -> None:
        steps = stepping(machine, stored)
        async with asyncio.TaskGroup() as tasks:
            for kind, verdicts, pause in signals:
                several = steps.step([intent(verdicts), intent(1)])
                tasks.create_task(several if kind == "intents" else _seen(steps, verdicts))
                if kind == "batch":
                    several.close()
                for _ in range(pause):
                    await asyncio.sleep(0)

    asyncio.run(run())
    assert stored.numbers == machine.decided


async def _seen(steps: Stepping, verdicts: int) -> None:
    await steps.observe(batch(verdicts))


async def test_events_are_taken_in_while_a_verdict_is_being_stored_and_what_follows_leaves_behind_it() -> None:
    machine, stored, turns = Deciding(), Stored(go=asyncio.Event()), Turns()
    steps = stepping(machine, stored, turns)
    with turns.control():
        deciding = asyncio.create_task(steps.step([intent(1)]))
        async with asyncio.timeout(10):
            await turns.of_events()
            assert not await steps.observe(batch(0)), "nothing follows: nothing is waited for"
        following = asyncio.create_task(steps.observe(batch(2)))
        await asyncio.sleep(0)
        assert machine.decided == [0, 1, 2], "taken in, while the first is not stored"
        assert stored.numbers == []
        assert stored.go is not None
        stored.go.set()
        await asyncio.gather(deciding, following)
    assert stored.numbers == [0, 1, 2]


async def _begun(stored: Stored, *steps: Coroutine[Any, Any, None]) -> list[asyncio.Task[None]]:
    """The first is being stored, the others have come meanwhile."""
    tasks = [asyncio.create_task(one) for one in steps]
    for _ in range(3):
        await asyncio.sleep(0)
    assert stored.numbers == []
    return tasks


async def test_what_comes_while_something_is_being_stored_is_decided_then_and_stored_at_one_go() -> None:
    machine, stored = Deciding(), Stored(go=asyncio.Event())
    steps = stepping(machine, stored)
    tasks = await _begun(stored, steps.step([intent(1)]), *(steps.step([intent(1), intent(2)]) for _ in range(5)))
    assert machine.decided == [0], "the others wait for what is not stored yet"
    assert stored.go is not None
    stored.go.set()
    await asyncio.gather(*tasks)
    assert stored.numbers == machine.decided == [*range(16)]
    assert stored.stores == [1, 15]


async def test_no_more_is_stored_at_a_time_than_an_idle_disk_would_keep_somebody_waiting_for() -> None:
    machine, stored = Deciding(), Stored(go=asyncio.Event())
    steps = stepping(machine, stored)
    tasks = await _begun(stored, *(steps.step([intent(1)] * 200) for _ in range(4)))
    assert stored.go is not None
    stored.go.set()
    await asyncio.gather(*tasks)
    assert stored.numbers == [*range(800)]
    assert max(stored.stores) == TOGETHER_MAX


async def test_what_nobody_waits_for_is_done_when_the_decisions_are_stored() -> None:
    machine, stored, done_after = Deciding(), Stored(2), list[int]()
    steps = stepping(machine, stored, afterwards=lambda: done_after.append(len(stored.numbers)))
    await steps.step([intent(1), intent(2)])
    await steps.step([intent(1)])
    assert done_after == [3, 4]


async def test_an_error_is_told_to_whose_signal_it_was_and_takes_no_other_decision_with_it() -> None:
    machine, stored = Deciding(), Stored(go=asyncio.Event())
    steps = stepping(machine, stored)
    wrong = [intent(1), intent(-1), intent(1)]
    tasks = await _begun(stored, *map(steps.step, ([intent(1)], [intent(1)], wrong, [intent(1)])))
    assert stored.go is not None
    stored.go.set()
    *_, refused, last = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(refused, MessageError)
    assert last is None
    assert stored.numbers == machine.decided == [*range(4)], (
        "of the wrong ones the first, and nothing behind the second"
    )


async def test_who_does_not_wait_any_more_is_not_decided_for() -> None:
    machine, stored = Deciding(), Stored(go=asyncio.Event())
    steps = stepping(machine, stored)
    first, gone, last = await _begun(stored, *(steps.step([intent(one)]) for one in (1, 2, 3)))
    gone.cancel()
    assert stored.go is not None
    stored.go.set()
    await asyncio.gather(first, last)
    assert gone.cancelled()
    assert stored.numbers == machine.decided == [*range(4)]


async def test_whose_storing_is_broken_off_has_decided_for_nobody_behind_him() -> None:
    machine, stored = Deciding(), Stored(go=asyncio.Event())
    steps = stepping(machine, stored)
    storing, waiting = await _begun(stored, *(steps.step([intent(1)]) for _ in range(2)))
    storing.cancel()
    await asyncio.wait([storing, waiting], timeout=0.05)
    assert storing.cancelled()
    assert not waiting.done(), "nothing says whether it is stored: the process ends"
    assert machine.decided == [0]
    waiting.cancel()


async def test_nothing_is_decided_on_what_could_not_be_stored() -> None:
    machine, stored = Deciding(), Stored(fails=True)
    steps = stepping(machine, stored)
    with pytest.raises(RuntimeError):
        await steps.step([intent(1)])
    later = [asyncio.create_task(steps.step([intent(1)])), asyncio.create_task(_seen(steps, 1))]
    await asyncio.wait(later, timeout=0.05)
    assert machine.decided == [0]
    for task in later:
        task.cancel()


async def test_a_batch_that_is_none_is_its_readers_to_bury_and_holds_nothing_up() -> None:
    machine, stored = Deciding(), Stored()
    steps = stepping(machine, stored)
    with pytest.raises(MessageError):
        await steps.observe(batch(-1))
    await steps.step([intent(1)])
    assert stored.numbers == [0]
