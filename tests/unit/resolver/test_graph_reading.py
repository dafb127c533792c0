"""A batch taken in by its bytes leaves the same graph, and says the same changes, as its events one by one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.batches import decode_batch
from schemas.envelope import MessageError
from schemas.events import EventBatch, ResourceEvent, ResourceState
from schemas.identity import KindId, ResourceId, SiteName
from schemas.telling import Teller, join
from services.resolver.graph import reading
from services.resolver.graph.changed import Changed
from services.resolver.graph.forms import short
from services.resolver.graph.packing import pack, pack_line, unpack_line
from services.resolver.graph.store import Graph
from tests.kit.examples import examples
from tests.unit.resolver.test_graph_records import identities, kinds, states, uids

LYON = SiteName("lyon")
MARKS = st.sampled_from(("sync_start", "sync_end", "sync_same"))
EVENTS = st.one_of(
    states.map(lambda state: ResourceEvent("put", state)),
    states.map(lambda state: ResourceEvent("put", msgspec.structs.replace(state, facts={"drift": "labels"}))),
    st.builds(lambda one, uid: ResourceEvent("delete", resource=one, uid=uid), identities, uids),
    st.builds(lambda op, kind: ResourceEvent(op, kind=KindId(kind)), MARKS, kinds),
)
BATCHES = st.lists(st.lists(EVENTS, min_size=1, max_size=6), max_size=8)


def said(changes: list[Changed]) -> list[object]:
    return [(one.resource, one.old, one.new, one.may_take_away) for one in changes]


def known(graph: Graph) -> dict[str, object]:
    resources = {state.resource: state for state in graph.resources()}
    return {
        "resources": resources,
        "counts": (graph.resource_count, graph.edge_count, sum(graph.missing())),
        "digests": {kind: graph.digest(kind) for kind in graph.kinds()},
        "dependents": {one: graph.dependents(one) for one in resources},
        "targets": {
            one: [graph.targets(one, reference) for reference in state.references] for one, state in resources.items()
        },
    }


def assert_both_ways_alike(batches: list[list[ResourceEvent]]) -> None:
    plain, quick, teller = Graph(LYON), Graph(LYON), Teller()
    seq = 1
    for events in batches:
        payload = join(LYON, 1, seq, "", tuple(map(teller.tell, events)))
        assert decode_batch(payload) == EventBatch("event/v1", LYON, 1, seq, "", tuple(events))
        batch = quick.read(payload)
        taken = {place: said([*changes]) for place, changes in quick.take(batch, batch.events)}
        for place, event in enumerate(events):
            changes = [*plain.apply(event)]
            due = [one for one in changes if one.may_take_away or "drift" in one.facts]
            assert taken.get(place, []) == said(changes if event.op != "put" else due)
        seq += len(events)
    assert known(quick) == known(plain)


@given(BATCHES)
def test_a_batch_read_by_its_bytes_is_what_its_events_are_one_by_one(batches: list[list[ResourceEvent]]) -> None:
    assert_both_ways_alike(batches)


@settings(max_examples=examples(50))
@given(BATCHES)
def test_it_is_also_when_nearly_everything_is_forgotten_in_between(batches: list[list[ResourceEvent]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "ENTRIES_MAX", 1)
        patch.setattr(reading, "NAMES_MAX", 1)
        patch.setattr("schemas.telling.KEYS_MAX", 1)
        patch.setattr("services.resolver.graph.store.UNUSED_MAX", 1)
        patch.setattr("services.resolver.graph.records.SWEEP_MIN", 1)
        patch.setattr("services.resolver.graph.records.SWEEP_ROWS", 2)
        assert_both_ways_alike(batches)


UID = "3065041a-b2d0-f10e-f00a-0480e43cd056"


def with_version(event: ResourceEvent, version: str) -> ResourceEvent:
    """The same of an object with a uid as objects have them."""
    if event.state is None:
        return event
    return ResourceEvent("put", msgspec.structs.replace(event.state, uid=UID, resource_version=version))


@settings(max_examples=examples(50))
@given(BATCHES)
def test_new_versions_of_what_is_known_say_the_same_as_one_by_one(batches: list[list[ResourceEvent]]) -> None:
    assert_both_ways_alike(
        [[with_version(one, version) for one in batch] for batch in batches for version in ("1", "1", "2")]
    )
    assert_both_ways_alike(
        [[with_version(one, version) for one in batch for version in ("1", "2", "2")] for batch in batches]
    )


def test_a_batch_that_is_none_changes_nothing_though_its_first_facts_are_whole() -> None:
    graph, teller = Graph(LYON), Teller()
    good = teller.tell(ResourceEvent("put", ResourceState(ResourceId("Pod/shop/a"), labels={"app": "web"})))
    broken = msgspec.structs.replace(good, labels=(good.labels[0], b'{"app": 1}'))
    with pytest.raises(MessageError, match=r"labels: Expected `str`, got `int` - at `\$"):
        graph.read(join(LYON, 1, 1, "", (broken,)))
    with pytest.raises(MessageError, match=r"events\.1: op 'delete' needs 'resource'"):
        graph.read(join(LYON, 1, 1, "", (good, teller.tell(ResourceEvent("delete")))))
    assert graph.resource_count == 0


@given(uids, st.text(max_size=20), st.sampled_from(("", "ab" * 12, "AB" * 12, "zz" * 12, "  " * 12)))
def test_a_line_is_packed_in_one_go_as_it_is_in_three(uid: str, version: str, digest: str) -> None:
    line = pack_line(uid, version, digest)
    assert line == pack((short(uid), version, short(digest)))
    assert unpack_line(line) == (short(uid), version, short(digest))
