"""One watcher per site, whichever way two of them meet. Faults 25 (for watchers) and 38."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

import pytest

from schemas import subjects
from schemas.events import ResourceEvent
from schemas.identity import KindId, SiteName
from schemas.queries import Refusal, ResyncRequest
from services.chassis.bus.memory import MemoryBus
from services.chassis.errors import PermanentError
from services.watcher.publisher import Publisher, ReplacedError
from services.watcher.seat import WatchedAlreadyError
from services.watcher.service import Watcher
from tests.unit.watcher.replica import following
from tests.unit.watcher.shelf import Shelf
from tests.unit.watcher.test_service import running

LYON = SiteName("lyon")
ENDS_WITHIN_S = 30.0


def shelf_of(name: str) -> Shelf:
    made = Shelf("Pod")
    made.put("Pod", name)
    return made


def another(bus: Any, shelf: Shelf) -> Watcher:
    return Watcher(LYON, shelf, bus, clock=time.monotonic, randomness=random.Random(2), heartbeat_s=0.02, pulse_s=0.05)


async def test_who_comes_second_ends_with_a_sentence_and_the_first_goes_on_in_its_epoch() -> None:
    bus, shelf = MemoryBus(), shelf_of("web")
    async with running(shelf, bus) as first, following(LYON, bus) as replica:
        await replica.until_fresh()
        with pytest.raises(WatchedAlreadyError, match=r"site lyon is watched already \(epoch 1, 1 kind observed\)"):
            await asyncio.wait_for(another(bus, shelf_of("web")).run(), ENDS_WITHIN_S)
        shelf.put("Pod", "later")
        await replica.until(lambda: replica.versions == shelf.versions)
        assert (replica.evidence.epoch, first.publisher.batcher.epoch, replica.evidence.resyncs) == (1, 1, 1)


@pytest.mark.parametrize("seed", range(20))
async def test_of_many_that_start_at_once_exactly_one_stays(seed: int) -> None:
    bus, order = MemoryBus(), random.Random(seed)
    ended: list[PermanentError] = []

    async def watch() -> None:
        for _ in range(order.randrange(6)):
            await asyncio.sleep(0)  # each interleaving of the starts is another case
        try:
            await another(bus, shelf_of("web")).run()
        except (WatchedAlreadyError, ReplacedError) as error:
            ended.append(error)

    async with following(LYON, bus) as replica:
        watchers = [asyncio.create_task(watch()) for _ in range(4)]
        async with asyncio.timeout(ENDS_WITHIN_S):
            while len(ended) < 3:
                await asyncio.wait([task for task in watchers if not task.done()], return_when="FIRST_COMPLETED")
        await replica.until_fresh()
        assert sum(not task.done() for task in watchers) == 1
        for task in watchers:
            task.cancel()
        await asyncio.wait(watchers)


async def test_one_that_was_replaced_while_it_hung_ends_when_it_is_asked_and_takes_nothing_back() -> None:
    bus, shelf = MemoryBus(), shelf_of("web")
    old = another(bus, shelf)
    async with following(LYON, bus) as replica:
        task = asyncio.create_task(old.run())
        await replica.until_fresh()
    await asyncio.wait_for(old.publisher.drained(), ENDS_WITHIN_S)
    last = await bus.last("EVENTS", subjects.event(LYON))
    assert last is not None
    newer = Publisher(bus, LYON, 2, last.stream_seq, random.Random(3))  # what a newcomer does that heard no answer
    newer.add(ResourceEvent("sync_start", kind=KindId("Pod")))
    publishing = asyncio.create_task(newer.run())
    await asyncio.wait_for(newer.drained(), ENDS_WITHIN_S)
    question = ResyncRequest(site=LYON, reason="unknown epoch", epoch_seen=2).to_json()
    answer = await bus.request(subjects.api("watcher", LYON, "resync"), question, ENDS_WITHIN_S)
    assert Refusal.from_json(answer.payload).code == "409"
    with pytest.raises(ReplacedError, match="epoch 2, ours is 1"):
        await asyncio.wait_for(task, ENDS_WITHIN_S)
    publishing.cancel()
