"""A loop stays awake for whoever asks one question after another, and for nobody else."""

from __future__ import annotations

import asyncio

from services.chassis.bus.awake import AWAKE_S, PROMPT_S, Awake


class Clock:
    """Stands still, and counts who looks at it."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now_s


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _looks(clock: Clock, turns: int = 10) -> int:
    before = clock.looks
    await _turns(turns)
    return clock.looks - before


async def _question(awake: Awake) -> bool:
    in_a_row = awake.asked()
    awake.answered(in_a_row=in_a_row)
    return in_a_row


async def test_the_loop_sleeps_after_a_lone_question() -> None:
    clock = Clock()
    awake = Awake(clock)
    assert not await _question(awake)
    assert await _looks(clock) == 0
    clock.now_s += PROMPT_S * 1.01
    assert not await _question(awake), "it came too late to be one in a row"
    assert await _looks(clock) == 0


async def test_the_loop_looks_for_the_next_question_in_a_row_and_sleeps_when_none_comes() -> None:
    clock = Clock()
    awake = Awake(clock)
    await _question(awake)
    clock.now_s += PROMPT_S / 2
    assert await _question(awake)
    assert await _looks(clock, turns=10) == 10, "once in each turn of the loop"
    clock.now_s += AWAKE_S
    assert await _looks(clock) == 1, "the moment has passed"
    assert await _looks(clock) == 0


async def test_however_many_are_asked_at_once_one_of_them_looks() -> None:
    clock = Clock()
    awake = Awake(clock)
    for _ in range(50):
        await _question(awake)
    assert await _looks(clock, turns=10) == 10


async def test_what_else_is_to_be_done_has_its_turn_meanwhile() -> None:
    clock = Clock()
    awake = Awake(clock)
    await _question(awake)
    await _question(awake)
    done: list[int] = []
    loop = asyncio.get_running_loop()
    for one in range(3):
        loop.call_soon(done.append, one)
    await _turns(1)
    assert done == [0, 1, 2]
