"""The watcher on a bus: epochs, resync, restarts, a bus that fails, kinds that come and go. Faults 1, 2, 4, 9."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest

from schemas import subjects
from schemas.batches import decode_batch
from schemas.envelope import MESSAGE_BYTES_MAX
from schemas.events import BATCH_EVENTS_MAX, batch_hash, decode_heartbeat
from schemas.identity import KindId, ResourceId, SiteName
from schemas.queries import Refusal, ResyncRequest
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.streams import HEADERS_BYTES_MAX
from services.watcher.publisher import TURN_MAX
from services.watcher.service import Watcher
from services.watcher.source import Health, Unreadable
from services.watcher.telling.batching import ANSWERS_FACTS_MAX, ENVELOPE_BYTES_MAX, QUEUE_FACTS_MAX
from tests.kit.waiting import eventually
from tests.unit.watcher.flaky import FlakyBus
from tests.unit.watcher.replica import following
from tests.unit.watcher.shelf import Shelf

LYON = SiteName("lyon")
POD, SECRET = KindId("Pod"), KindId("Secret")


@asynccontextmanager
async def running(shelf: Shelf, bus: Any, heartbeat_s: float = 0.02) -> AsyncIterator[Watcher]:
    """A watcher while the context lasts; it is killed at its end, with whatever it had not published."""
    watcher = Watcher(
        LYON, shelf, bus, clock=time.monotonic, randomness=random.Random(1), heartbeat_s=heartbeat_s, pulse_s=0.05
    )
    ready = asyncio.Event()
    task = asyncio.create_task(watcher.run(ready))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    waiting.cancel()
    try:
        yield watcher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def shelf() -> Shelf:
    made = Shelf("Pod", "Secret")
    made.put("Pod", "web")
    made.put("Secret", "db")
    return made


async def test_a_replica_that_knows_nothing_is_told_everything(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        assert replica.versions == shelf.versions
        assert replica.evidence.surface.served.keys() == {POD, SECRET}
        assert replica.evidence.observed == 2


async def test_changes_are_published_one_by_one_when_idle(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        count = replica.evidence.seq
        for number in range(5):
            shelf.put("Pod", f"extra-{number}")
            await replica.until(lambda: replica.versions == shelf.versions)
            assert replica.evidence.seq == count + number + 1
        shelf.delete("Pod", "extra-0")
        await replica.until(lambda: replica.versions == shelf.versions)


async def test_a_burst_travels_in_full_batches(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        before = len(replica.payloads)
        for number in range(640):
            shelf.put("Pod", f"burst-{number}")
        await replica.until(lambda: replica.versions == shelf.versions)
        batches = [decode_batch(payload) for payload in replica.payloads[before:] if b'"event/v1"' in payload]
        assert len(batches) <= 30


@pytest.mark.parametrize("vanished", [False, True])
async def test_everything_else_has_its_turns_while_a_long_listing_is_taken_in(
    bus: MemoryBus, shelf: Shelf, *, vanished: bool
) -> None:
    for number in range(20 * TURN_MAX):
        shelf.put("Pod", f"p-{number}")
    async with running(shelf, bus) as watcher:
        await eventually(lambda: all(one.listed for one in watcher.followers.values()), "it is not listed")
        batcher = watcher.publisher.batcher
        told = [batcher.numbered]
        if vanished:  # one observation then tells of all that has gone
            shelf.objects[POD].clear()
            shelf.break_watches("Pod")
        else:
            request = ResyncRequest(site=LYON, reason="it has nothing").to_json()
            await bus.request(subjects.api("watcher", LYON, "resync"), request, 2.0)
        while told[-1] < told[0] + 20 * TURN_MAX:
            await asyncio.sleep(0)
            told.append(batcher.numbered)
        assert max(later - former for former, later in pairwise(told)) < 2 * TURN_MAX


async def test_the_same_version_again_is_not_published(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus) as watcher, following(LYON, bus) as replica:
        await replica.until_fresh()
        seq = watcher.publisher.batcher.numbered
        for state in list(shelf.objects[POD].values()) * 10:
            shelf.say("Pod", state)
        shelf.put("Pod", "last")
        await replica.until(lambda: replica.versions == shelf.versions)
        assert watcher.publisher.batcher.numbered == seq + 1


async def test_a_restarted_watcher_takes_the_next_epoch_and_lists_only_what_differs(
    bus: MemoryBus, shelf: Shelf
) -> None:
    async with following(LYON, bus) as replica:
        async with running(shelf, bus):
            await replica.until_fresh()
            assert replica.evidence.epoch == 1
        shelf.put("Pod", "meanwhile")
        shelf.delete("Pod", "web")
        replica.operations.clear()
        async with running(shelf, bus):
            await replica.until(lambda: replica.evidence.epoch == 2 and replica.fresh)
            assert replica.versions == shelf.versions
    assert [one for one in replica.operations if "Secret" in one] == ["sync_same Secret"]


async def test_killed_between_the_event_and_its_publication_nothing_is_missed(bus: MemoryBus, shelf: Shelf) -> None:
    flaky = FlakyBus(bus)
    async with following(LYON, bus) as replica:
        async with running(shelf, flaky) as watcher:
            await replica.until_fresh()
            flaky.hold()
            shelf.put("Pod", "lost")
            shelf.delete("Secret", "db")
            await flaky.until_held()
            assert replica.versions != shelf.versions
            assert watcher.heart.heartbeat().seq > replica.evidence.seq, "nobody may call this fresh"
        flaky.release()
        async with running(shelf, flaky):
            await replica.until(lambda: replica.evidence.epoch == 2 and replica.fresh)
            assert replica.versions == shelf.versions


async def test_recreated_under_the_same_name_while_nobody_watched_it_is_another_object(
    bus: MemoryBus, shelf: Shelf
) -> None:
    async with following(LYON, bus) as replica:
        async with running(shelf, bus):
            await replica.until_fresh()
        shelf.put("Secret", "db", uid="second")
        async with running(shelf, bus):
            await replica.until(lambda: replica.evidence.epoch == 2 and replica.fresh)
            assert replica.resources[ResourceId("Secret/shop/db")].uid == "second"


async def test_recreated_between_two_listings_of_one_watcher_the_old_one_is_deleted_first(
    bus: MemoryBus, shelf: Shelf
) -> None:
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        shelf.put("Secret", "db", uid="second")
        shelf.break_watches("Secret")
        await replica.until(lambda: replica.versions == shelf.versions)
        assert replica.operations[-2:] == ["delete Secret/shop/db", "put Secret/shop/db"]


async def test_what_the_bus_refuses_is_published_again_under_the_same_id_and_in_order(
    bus: MemoryBus, shelf: Shelf
) -> None:
    flaky = FlakyBus(bus)
    async with running(shelf, flaky), following(LYON, bus) as replica:
        await replica.until_fresh()
        flaky.refuse_next(3)
        for number in range(100):
            shelf.put("Pod", f"p-{number}")
        await replica.until(lambda: replica.versions == shelf.versions)
    ids = flaky.message_ids
    assert len(ids) - len(set(ids)) == 3
    await assert_chained(bus)


async def test_a_lost_acknowledgement_stores_nothing_twice(bus: MemoryBus, shelf: Shelf) -> None:
    flaky = FlakyBus(bus)
    async with running(shelf, flaky), following(LYON, bus) as replica:
        await replica.until_fresh()
        flaky.lose_acknowledgements(2)
        shelf.put("Pod", "a")
        await replica.until(lambda: replica.versions == shelf.versions)
        shelf.put("Pod", "b")
        await replica.until(lambda: replica.versions == shelf.versions)
    await assert_chained(bus)


async def assert_chained(bus: MemoryBus) -> None:
    """Everything stored is one unbroken chain."""
    digest, seq = "", 1
    async for received in bus.scan("EVENTS", subjects.event(LYON)):
        batch = decode_batch(received.payload)
        assert (batch.seq, batch.prev_hash) == (seq, digest)
        digest, seq = batch_hash(received.payload), seq + len(batch.events)


async def test_a_bus_that_takes_nothing_slows_the_reading_and_the_queue_stays_bounded(
    bus: MemoryBus, shelf: Shelf
) -> None:
    flaky = FlakyBus(bus)
    async with running(shelf, flaky) as watcher, following(LYON, bus) as replica:
        await replica.until_fresh()
        flaky.hold()
        for number in range(QUEUE_FACTS_MAX + 500):
            shelf.put("Pod", f"p-{number}")
        await flaky.until_held()
        for _ in range(100):
            await asyncio.sleep(0)  # whatever can still move has moved then
        waiting = watcher.publisher.batcher.numbered - watcher.publisher.batcher.acknowledged
        assert waiting <= QUEUE_FACTS_MAX + BATCH_EVENTS_MAX, "a full queue behind the batch that is under way"
        flaky.release()
        await replica.until(lambda: replica.versions == shelf.versions)


async def test_a_receiver_that_knows_a_later_epoch_makes_the_watcher_go_above_it(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        replica.evidence.epoch = 41
        answer = await replica.ask("the stream was lost")
        assert answer.epoch == 42
        replica.evidence.answered(answer.epoch, answer.seq, time.monotonic())
        await replica.until_fresh()
        assert replica.evidence.epoch == 42
        assert replica.versions == shelf.versions


async def test_a_kind_that_appears_is_told_in_full_without_being_asked(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        shelf.serve("Widget")
        shelf.put("Widget", "w")
        await replica.until(lambda: replica.versions == shelf.versions and replica.fresh)
        assert replica.evidence.resyncs == 1


async def test_a_kind_that_disappears_takes_its_resources_along(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus) as watcher, following(LYON, bus) as replica:
        await replica.until_fresh()
        shelf.withdraw("Secret")
        await replica.until(lambda: SECRET not in replica.evidence.surface.served)
        assert replica.versions == shelf.versions
        assert set(watcher.followers) == {POD}


async def test_a_kind_that_was_withdrawn_while_nobody_watched_is_swept(bus: MemoryBus, shelf: Shelf) -> None:
    async with following(LYON, bus) as replica:
        async with running(shelf, bus):
            await replica.until_fresh()
        shelf.withdraw("Secret")
        async with running(shelf, bus):
            await replica.until(lambda: replica.evidence.epoch == 2 and replica.fresh)
            assert replica.versions == shelf.versions


async def test_a_kind_that_may_be_served_by_a_broken_group_is_not_swept_and_the_group_is_named(
    bus: MemoryBus,
) -> None:
    shelf = Shelf("Pod", "example.com/Thing")
    shelf.put("example.com/Thing", "t")
    async with following(LYON, bus) as replica:
        async with running(shelf, bus):
            await replica.until_fresh()
        shelf.withdraw("example.com/Thing")
        shelf.silent_groups["example.com"] = "its server does not answer"
        async with running(shelf, bus):
            await replica.until(lambda: replica.evidence.epoch == 2 and replica.evidence.synced)
            await replica.until(lambda: set(replica.evidence.blind) == {"example.com/*"})
            assert replica.of("example.com/Thing")


async def test_many_questions_at_once_cost_one_listing_more(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        before = shelf.listings["Pod"]
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(replica.ask("doubt", {}))
        await replica.until_fresh()
        shelf.put("Pod", "after")
        await replica.until(lambda: replica.versions == shelf.versions)
        assert shelf.listings["Pod"] - before <= 2


async def test_questions_are_answered_by_a_refusal_when_they_are_none_of_ours(bus: MemoryBus, shelf: Shelf) -> None:
    subject = subjects.api("watcher", LYON, "resync")
    async with running(shelf, bus):
        for body in (b"{", ResyncRequest(site=SiteName("oslo"), reason="doubt").to_json()):
            reply = await bus.request(subject, body, 1.0)
            assert Refusal.from_json(reply.payload).code in ("400", "404")


async def test_a_heartbeat_names_what_is_not_observed_and_why(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        shelf.say("Secret", Health("forbidden", "secrets is forbidden"))
        await replica.until(lambda: SECRET in replica.evidence.blind)
        assert replica.evidence.blind[SECRET].reason == "forbidden"
        assert replica.evidence.observed == 1
        shelf.say("Secret", Health("observed"))
        await replica.until(lambda: not replica.evidence.blind)


async def test_what_cannot_be_seen_is_told_at_once_and_so_is_that_it_is_seen_again(
    bus: MemoryBus, shelf: Shelf
) -> None:
    async with following(LYON, bus) as replica, running(shelf, bus, heartbeat_s=3600):
        await replica.until_fresh()
        shelf.say("Secret", Health("stalled", "silent for 75 s"))
        await replica.until(lambda: SECRET in replica.evidence.blind)
        shelf.say("Secret", Health("observed"))
        await replica.until(lambda: not replica.evidence.blind)
        shelf.say("Secret", Unreadable(ResourceId("Secret/shop/db"), "u", "ValueError"))
        await replica.until(lambda: SECRET in replica.evidence.blind)
        shelf.put("Secret", "db")
        await replica.until(lambda: not replica.evidence.blind)
        shelf.trouble = "connection refused"
        await replica.until(lambda: set(replica.evidence.blind) == {POD, SECRET})
        shelf.trouble = ""
        await replica.until(lambda: not replica.evidence.blind)
        assert "Secret/shop/db" in replica.resources


async def test_a_kind_that_reads_otherwise_is_blind_from_the_surface_on_until_it_was_read_again(
    bus: MemoryBus, shelf: Shelf
) -> None:
    async with following(LYON, bus) as replica, running(shelf, bus, heartbeat_s=3600) as watcher:
        await replica.until_fresh()
        listed = shelf.listings["Pod"]
        shelf.lists.clear()
        shelf.reads_otherwise = frozenset({POD})
        shelf.serve("Widget")
        await replica.until(lambda: POD in replica.evidence.blind)
        assert SECRET not in replica.evidence.blind, "nothing of it reads otherwise"
        shelf.lists.set()
        await replica.until(lambda: not replica.evidence.blind)
        assert shelf.listings["Pod"] == listed + 1
        assert not watcher.heart.heartbeat().blind


@pytest.mark.parametrize("way", ["refused", "swallowed"])
async def test_an_application_that_cannot_be_reached_makes_all_kinds_blind(
    bus: MemoryBus, shelf: Shelf, way: str
) -> None:
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        if way == "refused":
            shelf.trouble = "connection refused"
        else:
            shelf.awake.clear()
        await replica.until(lambda: set(replica.evidence.blind) == {POD, SECRET})
        assert replica.evidence.blind[POD].reason == "failing"
        shelf.trouble = ""
        shelf.awake.set()
        await replica.until_fresh()


async def test_heartbeats_go_on_while_nothing_can_be_stored(bus: MemoryBus, shelf: Shelf) -> None:
    flaky = FlakyBus(bus)
    async with running(shelf, flaky), bus.subscribe(subjects.heartbeat(LYON)) as beats:
        flaky.hold()
        shelf.put("Pod", "a")
        seen = [decode_heartbeat((await anext(beats)).payload) for _ in range(3)]
        assert seen[2].at_s > seen[0].at_s
        flaky.release()


async def test_a_resource_that_cannot_be_read_makes_its_kind_blind_until_it_can(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        shelf.say("Secret", Unreadable(ResourceId("Secret/shop/db"), "u", "ValueError"))
        await replica.until(lambda: SECRET in replica.evidence.blind)
        assert "Secret/shop/db" in replica.evidence.blind[SECRET].message
        shelf.put("Secret", "db")
        await replica.until_fresh()
        assert replica.versions == shelf.versions


@pytest.mark.parametrize("bytes_max", [MESSAGE_BYTES_MAX, 1024**2 - HEADERS_BYTES_MAX, 64 * 1024])
async def test_a_resource_too_large_for_a_message_makes_its_kind_blind_and_the_rest_goes_on(
    shelf: Shelf, bytes_max: int
) -> None:
    """Also where a server takes less than ours do: the watcher had ended by it, and again at each start."""
    bus = MemoryBus(bytes_max=bytes_max)
    for number in range(200):  # more than fit together
        shelf.put("Pod", f"a-{number}", padding=bytes_max // 20)
    async with running(shelf, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        shelf.put("Secret", "db", padding=bytes_max - ENVELOPE_BYTES_MAX)
        shelf.put("Pod", "next")
        await replica.until(lambda: "Pod/shop/next" in replica.resources and SECRET in replica.evidence.blind)
        shelf.put("Secret", "db")
        await replica.until_fresh()
        assert replica.versions == shelf.versions


async def test_the_source_is_closed_when_the_watcher_ends(bus: MemoryBus, shelf: Shelf) -> None:
    async with running(shelf, bus):
        pass
    assert shelf.closed


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_fails_after_the_end_of_the_faults_a_replica_equals_the_application(
    bus: MemoryBus, seed: int
) -> None:
    """Changes, recreations, broken watches, a failing bus, killed watchers, kinds that come and go; then peace."""
    chance = random.Random(seed)
    shelf, flaky = Shelf("Pod", "Secret"), FlakyBus(bus)
    async with following(LYON, bus) as replica:
        for _ in range(3):
            async with running(shelf, flaky):
                for _ in range(chance.randrange(40)):
                    misfortune(chance, shelf, flaky)
                    for _ in range(chance.randrange(4)):
                        await asyncio.sleep(0)
            flaky.release()
        async with running(shelf, flaky) as watcher:
            await replica.until(lambda: replica.evidence.epoch == watcher.publisher.batcher.epoch and replica.fresh)
            await replica.until(lambda: replica.versions == shelf.versions)
            assert json.dumps(replica.versions, sort_keys=True) == json.dumps(shelf.versions, sort_keys=True)


def misfortune(chance: random.Random, shelf: Shelf, flaky: FlakyBus) -> None:
    """One step of the world."""
    kind = chance.choice(sorted(shelf.objects))
    name = chance.choice("abcde")
    match chance.randrange(10):
        case 0 | 1 | 2 | 3:
            shelf.put(kind, name)
        case 4 | 5:
            shelf.delete(kind, name)
        case 6:
            shelf.put(kind, name, uid=f"again-{chance.randrange(10**6)}")
        case 7:
            shelf.break_watches(kind)
        case 8:
            chance.choice((lambda: flaky.refuse_next(2), lambda: flaky.lose_acknowledgements(1)))()
        case 9:
            if "Widget" in shelf.objects:
                shelf.withdraw("Widget")
            else:
                shelf.serve("Widget")


async def test_questions_while_the_bus_takes_nothing_fill_a_bounded_queue_and_are_answered_afterwards(
    bus: MemoryBus, shelf: Shelf
) -> None:
    """A resolver that starts again every few seconds asks each time; each answer waits for the bus."""
    most = QUEUE_FACTS_MAX + ANSWERS_FACTS_MAX
    subject, flaky = subjects.api("watcher", LYON, "resync"), FlakyBus(bus)
    question = ResyncRequest(site=LYON, reason="it starts").to_json()
    async with running(shelf, flaky) as watcher, following(LYON, bus) as replica:
        await replica.until_fresh()
        flaky.hold()
        replies = [await bus.request(subject, question, 5.0) for _ in range(most + 100)]
        queue_len = watcher.publisher.batcher.numbered - watcher.publisher.batcher.acknowledged
        assert queue_len < most + 20
        assert Refusal.from_json(replies[-1].payload).code == "503"
        flaky.release()
        shelf.put("Pod", "next")
        await replica.until_fresh()
        assert replica.versions == shelf.versions
