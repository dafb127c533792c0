"""Facts → batches: numbered, chained, bounded, and never two facts under one number."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.batches import decode_batch
from schemas.events import BATCH_EVENTS_MAX, ResourceEvent, ResourceState, batch_hash
from schemas.identity import ResourceId, SiteName
from services.watcher.telling.batching import BATCH_BYTES_MAX, FACT_BYTES_MAX, Batcher, OversizedFactError

SITE = SiteName("lyon")


def fact(number: int, padding: int = 0) -> ResourceEvent:
    return ResourceEvent("put", state=ResourceState(ResourceId(f"Secret/shop/s{number}"), digest="x" * padding))


def drain(batcher: Batcher) -> list[bytes]:
    payloads = []
    while (batch := batcher.take()) is not None:
        payloads.append(batch.payload)
        batcher.acknowledge(batch)
    return payloads


def test_a_single_fact_is_a_batch_at_once() -> None:
    batcher = Batcher(SITE, 3)
    assert batcher.take() is None
    assert batcher.add(fact(1)) == 1
    batch = batcher.take()
    assert batch is not None
    decoded = decode_batch(batch.payload)
    assert (decoded.site, decoded.epoch, decoded.seq, decoded.prev_hash) == ("lyon", 3, 1, "")
    assert decoded.events == (fact(1),)


def test_facts_that_wait_fill_batches_of_256_that_are_numbered_and_chained() -> None:
    batcher = Batcher(SITE, 1)
    for number in range(1, 601):
        batcher.add(fact(number))
    payloads = drain(batcher)
    batches = [decode_batch(payload) for payload in payloads]
    assert [(batch.seq, len(batch.events)) for batch in batches] == [(1, 256), (257, 256), (513, 88)]
    assert [batch.prev_hash for batch in batches] == ["", *(batch_hash(payload) for payload in payloads[:-1])]


def test_a_batch_that_is_not_acknowledged_stays_byte_for_byte_the_same() -> None:
    batcher = Batcher(SITE, 1)
    batcher.add(fact(1))
    first = batcher.take()
    batcher.add(fact(2))
    assert batcher.take() is first
    assert batcher.numbered == 2
    assert batcher.acknowledged == 0


def test_batches_stay_below_the_size_bound_and_a_large_fact_goes_alone() -> None:
    batcher = Batcher(SITE, 1)
    for number in range(4):
        batcher.add(fact(number, padding=BATCH_BYTES_MAX // 3))
    batcher.add(fact(9, padding=BATCH_BYTES_MAX * 2))
    assert [len(decode_batch(payload).events) for payload in drain(batcher)] == [2, 2, 1]


def test_a_fact_that_no_message_can_carry_is_refused() -> None:
    batcher = Batcher(SITE, 1)
    with pytest.raises(OversizedFactError, match="at most"):
        batcher.add(fact(1, padding=FACT_BYTES_MAX))
    assert batcher.idle


def test_a_new_epoch_numbers_from_one_what_was_not_acknowledged_first() -> None:
    batcher = Batcher(SITE, 1)
    batcher.add(fact(1))
    drain(batcher)
    batcher.add(fact(2))
    old = batcher.take()
    assert old is not None
    batcher.add(fact(3))
    batcher.begin_epoch(8)
    assert batcher.numbered == 2
    batcher.acknowledge(old)  # its acknowledgement comes too late to mean anything
    new = batcher.take()
    assert new is not None
    decoded = decode_batch(new.payload)
    assert (decoded.epoch, decoded.seq, decoded.prev_hash) == (8, 1, "")
    assert decoded.events == (fact(2), fact(3))


@given(st.lists(st.sampled_from(["add", "send", "lose", "epoch"]), max_size=60))
def test_every_fact_travels_once_in_order_whatever_is_lost_on_the_way(actions: list[str]) -> None:
    """Acknowledged batches of one epoch are consecutive; across epochs facts repeat only if not acknowledged."""
    batcher = Batcher(SITE, 1)
    added, stored = 0, []
    for action in actions:
        if action == "add":
            added += 1
            batcher.add(fact(added))
        elif action == "epoch":
            batcher.begin_epoch(batcher.epoch + 1)
        elif (batch := batcher.take()) is not None and action == "send":
            stored.append(decode_batch(batch.payload))
            batcher.acknowledge(batch)
    stored += [decode_batch(payload) for payload in drain(batcher)]
    assert [event for batch in stored for event in batch.events] == [fact(number) for number in range(1, added + 1)]
    for before, after in itertools.pairwise(stored):
        expected = before.seq + len(before.events) if after.epoch == before.epoch else 1
        assert after.seq == expected


def test_a_batch_is_never_larger_than_256() -> None:
    assert BATCH_EVENTS_MAX == 256
