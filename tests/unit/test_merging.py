"""Several streams become one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cheops.merging import as_they_come, in_order

START = datetime(2026, 1, 1, tzinfo=UTC)


async def source(items: list[int]) -> AsyncIterator[int]:
    for item in items:
        yield item


def when(item: int) -> datetime:
    return START + timedelta(seconds=item)


@given(some.lists(some.lists(some.integers(0, 50)), max_size=4))
async def test_ordered_sources_make_an_ordered_whole(parts: list[list[int]]) -> None:
    found = [item async for item in in_order([source(sorted(part)) for part in parts], when)]
    assert found == sorted(item for part in parts for item in part)


@given(some.lists(some.lists(some.integers(0, 50)), max_size=4))
async def test_nothing_that_comes_is_lost_and_each_source_keeps_its_order(parts: list[list[int]]) -> None:
    tagged = [[(number, item) for item in part] for number, part in enumerate(parts)]
    found = [item async for item in as_they_come([source(part) for part in tagged])]
    assert [[item for item in found if item[0] == number] for number in range(len(parts))] == tagged


async def test_who_stops_listening_leaves_no_task_behind() -> None:
    async def silent() -> AsyncIterator[int]:
        await asyncio.Event().wait()
        yield 0

    merged = as_they_come([source([1]), silent()])
    assert await anext(merged) == 1
    await merged.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_error_of_one_source_is_raised() -> None:
    async def broken() -> AsyncIterator[int]:
        raise ValueError("gone")
        yield 0

    with pytest.raises(ValueError, match="gone"):
        async for _ in as_they_come([broken()]):
            pass
