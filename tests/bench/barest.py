"""The barest executor that the bus allows: work queue → the executor's requests → a stored word on each → acknowledged.

It looks nothing up, keeps nothing, judges nothing and tries nothing again. What it takes more than a loop of the same
requests no executor of operations that come from a stream can save.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from schemas.operations import Operation
from services.chassis.bus.port import Bus, Delivery, Reader, ToStore
from services.chassis.bus.streams import DAY_S, StreamDefinition
from services.resolver.carrying import OPERATIONS_MAX

QUEUE, WORDS = "BAREOPERATIONS", "BAREOUTCOMES"
WORD: Final = b'{"schema":"outcome/v1",' + b" " * 700 + b"}"  # as large as the outcome of a creation
FETCH_WAIT_S: Final = 5.0
Act = Callable[[str], Awaitable[None]]


async def opened(bus: Bus) -> Reader:
    """Its streams are made as the executor's are."""
    for name, work_queue in ((QUEUE, True), (WORDS, False)):
        subjects = (f"bench.{name}.*",)
        await bus.ensure_stream(StreamDefinition(cast("Any", name), DAY_S, work_queue=work_queue, bound=subjects))
    return await bus.reader(cast("Any", QUEUE), "barest", f"bench.{QUEUE}.*")


async def carried_out(bus: Bus, reader: Reader, operations: Sequence[Operation], act: Act, at_one_time: int) -> None:
    """Stored as a resolver does it, each acted upon by its id, said and acknowledged, as many at a time."""
    released = [ToStore(f"bench.{QUEUE}.{place}", one.to_json(), one.id) for place, one in enumerate(operations)]
    for first in range(0, len(released), OPERATIONS_MAX):
        await bus.publish_together(released[first : first + OPERATIONS_MAX])
    free, done, said = asyncio.Semaphore(at_one_time), list[Delivery](), 0

    async def carry_out(delivery: Delivery) -> None:
        nonlocal said
        async with free:
            await act(json.loads(delivery.message.payload)["id"])
        done.append(delivery)
        if len(done) == OPERATIONS_MAX or said + len(done) == len(operations):
            some = done.copy()
            done.clear()
            said += len(some)
            await _answer(bus, some)

    left = len(operations)
    async with asyncio.TaskGroup() as tasks:
        while left:
            for delivery in await reader.fetch(min(left, OPERATIONS_MAX), FETCH_WAIT_S):
                tasks.create_task(carry_out(delivery))
                left -= 1


async def _answer(bus: Bus, some: Sequence[Delivery]) -> None:
    subjects = [f"bench.{WORDS}.{one.message.stream_seq}" for one in some]
    await bus.publish_together([ToStore(subject, WORD, subject) for subject in subjects])
    for one in some:
        await one.ack_unconfirmed()
