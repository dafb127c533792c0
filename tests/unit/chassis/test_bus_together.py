"""Messages of many that are stored together: as if each was stored alone, whatever goes wrong with one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from schemas import subjects
from schemas.identity import SiteName
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import ToStore
from services.chassis.bus.streams import ensure_streams
from services.chassis.bus.together import BATCH_MIN, BYTES_MAX, COMPANY_S, TOGETHER_MAX, Together
from services.chassis.errors import CheopsError, ConflictError, PermanentError, TransientError
from tests.kit.virtual_time import run_virtually

LYON = SiteName("lyon")
MESSAGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), st.sampled_from([None, 0, 1, 2])), max_size=90)


def message(step: int, number: int, fence: int | None) -> ToStore:
    """About one of some steps; ids repeat; the fence may be wrong."""
    return ToStore(subjects.outcome(LYON, "i", str(step)), b"%d" % number, f"{step}.{number}", {}, fence)


class Slow(MemoryBus):
    """Each store takes a moment, so that others come meanwhile. `stores`: how many messages each took."""

    def __init__(self) -> None:
        super().__init__()
        self.stores: list[int] = []
        self.trouble: CheopsError | None = None
        self.go = asyncio.Event()
        self.go.set()

    async def publish(self, *args: Any, **options: Any) -> int:
        await self._take(1)
        return await super().publish(*args, **options)

    async def publish_together(self, messages: Sequence[ToStore], **options: Any) -> int:
        await self._take(len(messages))
        return await super().publish_together(messages, **options)

    async def _take(self, many: int) -> None:
        self.stores.append(many)
        await asyncio.sleep(0)
        await self.go.wait()
        if self.trouble is not None:
            raise self.trouble


async def stored(bus: MemoryBus) -> list[tuple[str, bytes]]:
    found = bus.scan("OUTCOMES", subjects.filters("OUTCOMES", LYON))
    return [(one.subject, one.payload) async for one in found]


async def _run(messages: list[ToStore], together: bool) -> tuple[list[Any], list[Any]]:
    """What each heard, and what is stored."""
    bus = Slow()
    await ensure_streams(bus)
    if together:
        publisher = Together(bus)
        heard = await asyncio.gather(*map(publisher.publish, messages), return_exceptions=True)
    else:
        heard = []
        for one in messages:
            options = {"headers": one.headers, "expected_last_seq": one.expected_last_seq}
            try:
                heard.append(await bus.publish(one.subject, one.payload, message_id=one.message_id, **options))
            except CheopsError as error:
                heard.append(error)
    return [type(one) if isinstance(one, Exception) else one for one in heard], await stored(bus)


@given(MESSAGES)
def test_each_hears_and_the_stream_holds_what_it_would_one_by_one(kinds: list[tuple[int, int, int | None]]) -> None:
    messages = [message(*kind) for kind in kinds]
    assert asyncio.run(_run(messages, together=True)) == asyncio.run(_run(messages, together=False))


async def test_who_comes_alone_is_stored_alone_a_few_side_by_side_and_many_together() -> None:
    bus = Slow()
    await ensure_streams(bus)
    publisher, few = Together(bus), BATCH_MIN - 1
    assert await publisher.publish(message(0, 0, None)) == 1
    many = TOGETHER_MAX + few
    numbers = await asyncio.gather(*(publisher.publish(message(step, 1, None)) for step in range(many)))
    assert numbers == list(range(2, many + 2))
    assert bus.stores == [1, TOGETHER_MAX, *[1] * few]


async def test_who_comes_while_another_is_being_stored_is_stored_with_all_others_who_do() -> None:
    bus = Slow()
    await ensure_streams(bus)
    publisher, many = Together(bus), BATCH_MIN
    bus.go.clear()
    first = asyncio.create_task(publisher.publish(message(0, 0, None)))
    while bus.stores != [1]:
        await asyncio.sleep(0)
    others = []
    for step in range(many):
        others.append(asyncio.create_task(publisher.publish(message(step, 1, None))))
        await asyncio.sleep(0)
    bus.go.set()
    assert await asyncio.gather(first, *others) == list(range(1, many + 2))
    assert bus.stores == [1, many]


async def test_many_large_ones_are_stored_so_many_at_a_time_that_a_server_takes_them() -> None:
    bus = Slow()
    await ensure_streams(bus)
    publisher, large = Together(bus), b"x" * (BYTES_MAX // 20)
    messages = [structs.replace(message(step, 0, None), payload=large) for step in range(61)]
    assert await asyncio.gather(*map(publisher.publish, messages)) == list(range(1, 62))
    assert bus.stores == [20, 20, 20, 1]


def test_where_more_is_on_its_way_it_is_waited_for_until_enough_have_come() -> None:
    _, stores = run_virtually(_times_s(left=TOGETHER_MAX + 1, comes=TOGETHER_MAX))
    assert stores == [TOGETHER_MAX]


async def _times_s(left: int, comes: int) -> tuple[float, list[int]]:
    """How long it takes `comes` messages to be stored, when `left` are thought to be on their way, and the stores."""
    bus, loop = Slow(), asyncio.get_running_loop()
    await ensure_streams(bus)
    begun_s, tasks = loop.time(), []
    publisher = Together(bus, more=lambda: left > len(tasks))
    for step in range(comes):
        tasks.append(asyncio.create_task(publisher.publish(message(step, 0, None))))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return loop.time() - begun_s, bus.stores


def test_nothing_is_waited_for_when_the_last_that_was_on_its_way_has_come() -> None:
    assert run_virtually(_times_s(left=5, comes=5)) == (0.0, [1] * 5)


def test_company_that_does_not_come_is_waited_for_a_moment() -> None:
    took_s, stores = run_virtually(_times_s(left=5, comes=1))
    assert took_s == pytest.approx(COMPANY_S)
    assert stores == [1]


async def test_when_nobody_knows_whether_they_are_stored_each_hears_so_and_may_say_it_again() -> None:
    bus = Slow()
    await ensure_streams(bus)
    publisher = Together(bus)
    bus.trouble = TransientError("no answer in time", 1.0)
    heard = await asyncio.gather(*(publisher.publish(message(one, 0, 0)) for one in range(5)), return_exceptions=True)
    assert all(isinstance(one, TransientError) for one in heard)
    bus.trouble = None
    assert len(set(await asyncio.gather(*(publisher.publish(message(one, 0, 0)) for one in range(5))))) == 5


async def test_a_server_that_stores_no_batches_takes_each_alone() -> None:
    class Old(Slow):
        async def publish_together(self, messages: Sequence[ToStore], **options: Any) -> int:
            raise PermanentError("this server stores no batches")

    bus = Old()
    await ensure_streams(bus)
    publisher = Together(bus)
    many = 2 * BATCH_MIN
    numbers = await asyncio.gather(*(publisher.publish(message(step, 0, 0)) for step in range(many)))
    assert numbers == list(range(1, many + 1))


async def test_who_is_cancelled_takes_nobody_else_with_him() -> None:
    bus = Slow()
    await ensure_streams(bus)
    publisher, others = Together(bus), range(1, 6)
    bus.go.clear()
    first = asyncio.create_task(publisher.publish(message(0, 0, 0)))
    while bus.stores != [1]:
        await asyncio.sleep(0)
    waiting = [asyncio.create_task(publisher.publish(message(step, 1, None))) for step in others]
    await asyncio.sleep(0)
    first.cancel()  # in the middle of its own store
    waiting[2].cancel()  # before its turn
    await asyncio.wait({first})
    bus.go.set()
    heard = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(one, int) for one in heard] == [True, True, False, True, True]
    assert first.cancelled()


async def test_whose_store_is_cancelled_leaves_the_others_an_error_that_they_can_repeat() -> None:
    bus = Slow()
    await ensure_streams(bus)
    publisher, many = Together(bus), BATCH_MIN + 1
    bus.go.clear()
    tasks = [asyncio.create_task(publisher.publish(message(0, 0, None)))]
    while bus.stores != [1]:
        await asyncio.sleep(0)
    tasks += [asyncio.create_task(publisher.publish(message(step, 0, None))) for step in range(1, many)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    while bus.stores != [1, many - 1]:
        await asyncio.sleep(0)
    tasks[1].cancel()  # it stores for all the others
    await asyncio.wait({tasks[1]})
    heard = await asyncio.gather(*tasks[2:], return_exceptions=True)
    assert {type(one) for one in heard} == {TransientError}
    bus.go.set()
    again = [publisher.publish(message(step, 0, None)) for step in range(2, many)]
    assert len(await asyncio.gather(*again)) == many - 2


@pytest.mark.parametrize("fence", [0, 7])
@pytest.mark.parametrize("many", [6, 2 * BATCH_MIN])
async def test_a_fence_that_is_wrong_stops_only_its_own_message(fence: int, many: int) -> None:
    bus = Slow()
    await ensure_streams(bus)
    publisher = Together(bus)
    await publisher.publish(message(3, 9, None))
    made = [message(step, 0, fence if step == 3 else None) for step in range(many)]
    heard = await asyncio.gather(*map(publisher.publish, made), return_exceptions=True)
    assert [isinstance(one, ConflictError) for one in heard] == [step == 3 for step in range(many)]
