"""Answers that nobody waits for any more: what was begun and not run is let go of."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any

import pytest

from services.chassis.bus.port import Received
from services.chassis.bus.serving import HANDLERS_MAX, answering

QUESTION = Received("peers.lyon", b"?", {}, 0, 1)


@pytest.mark.parametrize("busy", [0, HANDLERS_MAX])
async def test_a_question_that_is_taken_when_all_ends_leaves_no_answer_that_nobody_awaits(busy: int) -> None:
    begun: list[Coroutine[Any, Any, bytes]] = []

    async def never() -> bytes:
        await asyncio.Event().wait()
        return b""

    def handler(received: Received) -> Coroutine[Any, Any, bytes]:
        begun.append(never())
        return begun[-1]

    async def reply(payload: bytes, headers: dict[str, str] | None) -> None:
        raise AssertionError("nothing was answered")

    async def take_all() -> None:
        async with answering("peers.lyon", handler) as taking:
            for _ in range(busy + 1):
                await taking.take(QUESTION, reply)
            raise asyncio.CancelledError

    serving = asyncio.create_task(take_all())
    await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert len(begun) == busy + 1
    assert {inspect.getcoroutinestate(one) for one in begun} == {inspect.CORO_CLOSED}
