"""A cancellation that comes with the answer, or that the client swallows, is one; foreign errors say what is wrong."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import nats.js.errors
import pytest

from services.chassis.bus.nats.calls import calling, converted
from services.chassis.errors import TransientError


async def test_who_is_cancelled_in_the_moment_of_the_answer_is_cancelled() -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    went_on = False

    async def ask() -> None:
        nonlocal went_on
        async with calling("asking", 5.0):
            await asyncio.wait_for(answer, 5.0)  # as nats-py waits
        went_on = True

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answer.set_result(1)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert not went_on


@pytest.mark.parametrize("then", [None, TimeoutError()])
async def test_a_cancellation_that_the_client_swallows_counts_when_its_call_ends(then: Exception | None) -> None:
    async def ask() -> None:
        async with calling("asking", 5.0):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:  # as nats-py's flush does
                if then is not None:
                    raise then from None

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_a_swallowed_time_out_is_a_transient_error_and_no_cancellation() -> None:
    async def ask() -> None:
        async with calling("asking", 0.01):
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    with pytest.raises(TransientError, match="asking: no answer in time"):
        await ask()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


def test_a_server_without_jetstream_is_said_to_be_one() -> None:
    said = converted(nats.js.errors.ServiceUnavailableError(), "stream EVENTS was not made")
    assert isinstance(said, TransientError)
    assert str(said).startswith("stream EVENTS was not made: JetStream does not answer (is it on?")
