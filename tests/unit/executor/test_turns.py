"""Turns: never more than there are, none lost, and who comes back goes first; whoever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from services.executor.turns import Turns
from tests.kit.virtual_time import run_virtually


async def test_who_comes_back_goes_before_those_who_wait_for_their_first_turn() -> None:
    turns, order, stored = Turns(1), list[str](), asyncio.Event()

    async def keeping() -> None:
        async with turns.turn() as mine:
            order.append("looked")
            async with mine.given_up():
                await stored.wait()
            order.append("written")

    async def other(name: str) -> None:
        async with turns.turn():
            order.append(name)
            stored.set()
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(keeping())
        for name in ("first", "second", "third"):
            group.create_task(other(name))
    assert order.index("written") < order.index("third")
    assert order[:2] == ["looked", "first"]


async def test_what_is_raised_while_it_is_given_up_ends_the_turn_and_loses_none() -> None:
    turns = Turns(1)
    with suppress(ZeroDivisionError):
        async with turns.turn() as mine, mine.given_up():
            raise ZeroDivisionError
    async with asyncio.timeout(30), turns.turn():
        assert turns._free == 0
    assert turns._free == 1


ACTS = st.lists(st.tuples(*[st.integers(0, 3)] * 3, st.one_of(st.none(), st.integers(0, 8))), max_size=12)


async def _acted(most: int, acts: list[tuple[int, int, int, int | None]]) -> int:
    turns, acting, worst = Turns(most), 0, 0

    async def speak(for_s: int) -> None:
        nonlocal acting, worst
        acting += 1
        worst = max(worst, acting)
        try:
            await asyncio.sleep(for_s)
        finally:
            acting -= 1

    async def act(before_s: int, storing_s: int, after_s: int) -> None:
        async with turns.turn() as mine:
            await speak(before_s)
            async with mine.given_up():
                await asyncio.sleep(storing_s)
            await speak(after_s)

    async def all_of_them() -> None:
        tasks = [asyncio.create_task(act(*times)) for *times, _ in acts]
        loop = asyncio.get_running_loop()
        for task, (*_, end_s) in zip(tasks, acts, strict=True):
            if end_s is not None:
                loop.call_later(end_s, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)

    await all_of_them()
    assert turns._free == most
    return worst


@given(st.integers(1, 3), ACTS)
def test_never_more_act_than_may_and_no_turn_is_lost(most: int, acts: list[tuple[int, int, int, int | None]]) -> None:
    assert run_virtually(_acted(most, acts)) <= most
