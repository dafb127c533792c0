"""What a listing did not name goes slice by slice, with events in between: in the end as if it had gone at once."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given, settings

from schemas.events import EventBatch, Heartbeat, ResourceEvent, ResourceState, ServedKind, batch_hash
from schemas.identity import KindId, ResourceId, SiteName
from services.resolver.graph.store import Graph
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.signals import BatchSeen, BeatSeen, Moment, SweepOn
from services.watcher.telling.teller import encode_batch
from tests.kit.court import NOW
from tests.kit.examples import examples
from tests.unit.resolver.naive_cluster import CATALOGUE
from tests.unit.resolver.test_graph_model import EVENTS, both
from tests.unit.resolver.test_graph_snapshot import everything

LYON = SiteName("lyon")
POD = KindId("Pod")
MOMENT = Moment(100.0, NOW)


@settings(max_examples=examples(300))
@given(st.lists(st.tuples(EVENTS, st.integers(0, 3)), max_size=60), st.integers(1, 3), st.integers(1, 4))
def test_slices_with_events_in_between_end_in_the_same_graph_as_a_whole_sweep(
    log: list[tuple[ResourceEvent, int]], gone_max: int, looked_max: int
) -> None:
    """`log`: events, and how many slices come after each."""
    sliced = Graph(LYON)
    sliced.listings.slice_at(gone_max, looked_max)
    for event, slices in log:
        sliced.apply(event)
        for _ in range(slices):
            sliced.sweep()
    while sliced.listings.swept:
        sliced.sweep()
    whole, model = both([event for event, _ in log])
    assert everything(sliced) == everything(whole)
    assert {state.resource: state for state in sliced.resources()} == model.there


def batch(seq: int, chain: str, *events: ResourceEvent) -> bytes:
    return encode_batch(EventBatch("event/v1", LYON, 1, seq, chain, events))


def test_while_a_kind_is_swept_it_is_not_claimed_to_be_known_and_others_are() -> None:
    machine = Machine(LYON, CATALOGUE, Policy(), "resolver/lyon@test")
    machine.graph.listings.slice_at(gone_max=1)
    machine.evidence.answered(1, 0, MOMENT.monotonic_s)
    secret = KindId("Secret")
    surface = tuple(ServedKind(kind, f"{kind.lower()}s", ("v1",)) for kind in (POD, secret))
    pods = [ResourceEvent("put", ResourceState(ResourceId(f"Pod/shop/web-{one}"), uid=f"u{one}")) for one in range(3)]
    same = [ResourceEvent("sync_same", kind=kind) for kind in (POD, secret)]
    first = batch(1, "", ResourceEvent("surface", surface=surface), *pods, *same)
    vanished = (ResourceEvent("sync_start", kind=POD), ResourceEvent("sync_end", kind=POD))
    second = batch(7, batch_hash(first), *vanished)
    for payload in (first, second):
        machine.step(BatchSeen(payload), MOMENT)
    machine.step(BeatSeen(Heartbeat("heartbeat/v1", LYON, 1, 8, 2, {}, 1.0)), MOMENT)
    for left in (2, 1):
        assert machine.graph.resource_count == left
        claim = machine.evidence.claim(10.0, MOMENT.monotonic_s)
        assert claim.fresh
        assert claim.blind == (POD,)
        machine.step(SweepOn(), MOMENT)
    while machine.evidence.swept:
        machine.step(SweepOn(), MOMENT)
    assert machine.graph.resource_count == 0
    assert machine.evidence.claim(10.0, MOMENT.monotonic_s).blind == ()
