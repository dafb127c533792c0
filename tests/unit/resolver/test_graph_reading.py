"""A batch taken in by its bytes leaves the same graph, and says the same changes, as its events one by one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.batches import decode_batch
from schemas.envelope import MessageError
from schemas.events import EventBatch, LabelSelector, Reference, ResourceEvent, ResourceState, Selector
from schemas.identity import KindId, ResourceId, SiteName
from services.resolver.graph import quick, reading
from services.resolver.graph.changed import Changed
from services.resolver.graph.forms import short
from services.resolver.graph.packing import pack, pack_line, unpack_line
from services.resolver.graph.store import Graph
from services.watcher.telling.teller import Teller, join
from tests.kit.examples import examples
from tests.unit.resolver.test_graph_records import identities, kinds, states, uids

LYON = SiteName("lyon")
UID = "30650414-b2d0-f10e-f00a-4480e43cd056"
MARKS = st.sampled_from(("sync_start", "sync_end", "sync_same"))
EVENTS = st.one_of(
    states.map(lambda state: ResourceEvent("put", state)),
    states.map(lambda state: ResourceEvent("put", msgspec.structs.replace(state, facts={"drift": "labels"}))),
    st.builds(lambda one, uid: ResourceEvent("delete", resource=one, uid=uid), identities, uids),
    st.builds(lambda op, kind: ResourceEvent(op, kind=KindId(kind)), MARKS, kinds),
)
BATCHES = st.lists(st.lists(EVENTS, min_size=1, max_size=5), max_size=6)


COMPILED = not str(quick.__file__).endswith(".py")
SIGNS = rb"""" \ \" { } [ ] , : / 0 1 00 9999999999999999999 -1 1.0 1e3""".split()
WORDS = rb"""null true "uid":"u", "op":"put", {"op":"delete"}""".split()
PIECES = st.sampled_from((b"", b" ", b"\n", b"\x00", b"\x7f", b"\x80", "é".encode(), *SIGNS, *WORDS))
EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3), PIECES), min_size=1, max_size=3)


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


@given(st.lists(EVENTS, min_size=1, max_size=6), EDITS)
def test_bytes_that_were_changed_anywhere_are_a_batch_only_if_the_plain_way_says_so(
    events: list[ResourceEvent], edits: list[tuple[int, int, bytes]]
) -> None:
    payload = join(LYON, 1, 1, "", tuple(map(Teller().tell, events)))
    for place, length, piece in edits:
        at = place % len(payload)
        payload = payload[:at] + piece + payload[at + length :]
    assert_read_as_decoded(payload, join(LYON, 1, 1, "", tuple(map(Teller().tell, events))))


def assert_read_as_decoded(payload: bytes, *before: bytes) -> None:
    """`before`: what was read before, so that its tables are known."""
    plain, graph = Graph(LYON), Graph(LYON)
    for one in before:
        graph.read(one)
    try:
        batch = decode_batch(payload)
    except MessageError:
        with pytest.raises(MessageError):
            graph.read(payload)
        return
    read = graph.read(payload)
    head = (batch.site, batch.epoch, batch.seq, batch.prev_hash)
    assert (read.site, read.epoch, read.seq, read.prev_hash, len(read.events)) == (*head, len(batch.events))
    for _ in graph.take(read, read.events):
        pass
    for event in batch.events:
        plain.apply(event)
    assert known(graph) == known(plain)


@pytest.mark.parametrize(
    ("former", "now"),
    [
        (b'"seq":1', b'"seq":01'),
        (b'"seq":1', b'"seq":-1'),
        (b'"seq":1', b'"seq":1.0'),
        (b'"seq":1', b'"seq":99999999999999999999'),
        (b'"labels":1', b'"labels":01'),
        (b'"labels":1', b'"labels":2'),
        (b'"labels":{"1"', b'"labels":{"01"'),
        (b'"labels":{"1"', b'"labels":{"0"'),
        (b'"labels":{"1":{', b'"labels":{"1":{},"1":{'),
        (b'"app":"web"', b'"app":"web","app":"till"'),
        (b'"app":"web"', b'"app":"\\u0077eb"'),
        (b'"app":"web"', b'"app":"w\x80b"'),
        (b'"app":"web"', b'"app":1'),
        (b'"app":"web"', b'"app":"we\x01b"'),
        (b'"Pod/shop/a"', b'"Pod"'),
        (b'"Pod/shop/a"', b'""'),
        (b'"Pod/shop/a"', b'"Pod/shop/\\u0061"'),
        (b'"uid":"u"', b'"uid":"u","uid":"v"'),
        (b'"uid":"u"', b'"uid":null'),
        (b'"uid":"u"', b'"resource_version":"1","uid":"u"'),
        (b'"op":"put"', b'"op":"take"'),
        (b'"op":"put"', b'"op":"delete"'),
        (b'"events":[', b'"events":[{"op":"delete"},'),
        (b'"events":[', b'"events":[{"op":"sync_end","kind":"Pod"},'),
        (b'"events":[', b'"events":[,'),
        (b'"schema":"event/v1"', b'"schema":"event/v2"'),
        (b'"site":"lyon"', b'"site":"ly\xc3\xb4n"'),
        (b"}}", b"}},"),
        (b"}", b"} "),
    ],
)
def test_a_batch_that_is_written_in_another_way_is_what_the_plain_way_makes_of_it(former: bytes, now: bytes) -> None:
    state = ResourceState(ResourceId("Pod/shop/a"), uid="u", labels={"app": "web"}, facts={"phase": "Running"})
    payload = join(LYON, 1, 1, "", (Teller().tell(ResourceEvent("put", state)),))
    assert former in payload
    assert_read_as_decoded(payload.replace(former, now))
    assert_read_as_decoded(payload.replace(former, now, 1))


@pytest.mark.parametrize("more", [b" ", b"\n", b"x", b"}", b"\x00", b"{}"])
def test_what_follows_a_batch_is_looked_at_as_the_plain_way_does(more: bytes) -> None:
    state = ResourceState(ResourceId("Pod/shop/a"), uid="u", labels={"app": "web"})
    assert_read_as_decoded(join(LYON, 1, 1, "", (Teller().tell(ResourceEvent("put", state)),)) + more)


@pytest.mark.parametrize("count", [0, 1, 2, 14, 15, 16, 17])
@pytest.mark.parametrize("length", [1, 30, 31, 32, 33, 63, 255, 256])
def test_labels_of_any_number_and_length_are_those_that_were_written(count: int, length: int) -> None:
    labels = {f"{one:02}".ljust(length, "k"): "v" * length for one in range(count)}
    state = ResourceState(ResourceId("Pod/shop/a"), labels=labels, template_labels=labels)
    assert_both_ways_alike([[ResourceEvent("put", state)]])


@pytest.mark.parametrize("count", [*range(1, 18)])
def test_labels_that_end_in_a_comma_are_none(count: int) -> None:
    labels = {f"k{one}": "v" for one in range(count)}
    payload = join(
        LYON, 1, 1, "", (Teller().tell(ResourceEvent("put", ResourceState(ResourceId("Pod/shop/a"), labels=labels))),)
    )
    assert_read_as_decoded(payload)
    with pytest.raises(MessageError, match="trailing comma"):
        Graph(LYON).read(payload.replace(b'"v"}', b'"v",}'))


def secret(name: str, uid: str = "") -> Reference:
    return Reference("pod.secret", "spec", "requirement", "A", ResourceId(f"Secret/shop/{name}"), uid=uid)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"digest": "ab" * 12},
        {"uid": UID[::-1]},
        {"uid": "u"},
        {"facts": {"phase": "Failed"}},
        {"facts": {"drift": "labels"}},
        {"finalizers": ("a",)},
        {"labels": {"app": "till"}},
        {"labels": {}},
        {"template_labels": {"app": "web"}},
        {"references": ()},
        {"references": (secret("now"),)},
        {"references": (secret("former"), secret("former"))},
        {"references": (secret("former", "u"),)},
    ],
)
def test_whatever_a_later_put_says_otherwise_is_known_and_told_as_one_by_one(other: dict[str, Any]) -> None:
    names = ("Secret/shop/former", "Secret/shop/now")
    there = [ResourceEvent("put", ResourceState(ResourceId(one))) for one in names]
    former = ResourceState(
        ResourceId("Pod/shop/a"),
        uid=UID,
        resource_version="1",
        labels={"app": "web"},
        facts={"phase": "Running"},
        references=(secret("former"),),
    )
    now = msgspec.structs.replace(former, resource_version="2", **other)
    back = msgspec.structs.replace(former, resource_version="3")
    puts = [ResourceEvent("put", one) for one in (former, now, now, back)]
    assert_both_ways_alike([there, *([one] for one in puts)])
    assert_both_ways_alike([there, puts])


def test_labels_that_are_new_are_found_under_those_that_somebody_asked_for_before() -> None:
    def pod(name: str, labels: dict[str, str]) -> ResourceEvent:
        return ResourceEvent("put", ResourceState(ResourceId(f"Pod/shop/{name}"), labels=labels))

    wanted = Selector(KindId("Pod"), ("shop",), LabelSelector({"app": "web-7"}))
    reference = Reference("service.pods", "spec", "requirement", "A", selector=wanted)
    service = ResourceState(ResourceId("Service/shop/web"), references=(reference,))
    first = [pod(f"a-{one}", {"app": f"web-{one}"}) for one in range(64)]
    later = [pod("b", {"app": "web-7", "tier": "front"}), pod("c", {"app": "web-8", "tier": "front"})]
    graph, seq = Graph(LYON), 1
    for events in ([*first, ResourceEvent("put", service)], later):
        batch = graph.read(join(LYON, 1, seq, "", tuple(map(Teller().tell, events))))
        assert [*graph.take(batch, batch.events)] == []
        found = graph.targets(service.resource, reference).present
        seq += len(events)
    assert {*found} == {"Pod/shop/a-7", "Pod/shop/b"}


NAMED = '"targets":["Secret/shop/tls","apps/ReplicaSet/shop/a"],"uids":["u-1"],"selectors":[{"kind":"Pod","labels":{}}]'


@pytest.mark.parametrize(
    "now",
    [
        NAMED,
        NAMED.replace('"Secret/shop/tls",', ""),
        NAMED.replace('"Secret/shop/tls"', '"Secret/shop/tls","Secret/shop/tls"'),
        NAMED.replace('["u-1"]', '["u-1","u-2"]'),
        NAMED.replace('"uids":["u-1"],', ""),
        NAMED.replace('["u-1"]', '[""]'),
        NAMED.replace('["u-1"]', "[]"),
        NAMED.replace('{"kind":"Pod","labels":{}}', '{"kind":"Pod"},{"kind":"Node"}'),
        NAMED.replace(',"selectors":[{"kind":"Pod","labels":{}}]', ""),
        NAMED.replace('{"kind":"Pod","labels":{}}', '{"kind":1}'),
        NAMED.replace('{"kind":"Pod","labels":{}}', '{"kind":"Pod","labels":{"match_labels":{"app":"\\u0061"}}}'),
        NAMED.replace('"Secret/shop/tls",', '"Secret/shop/tls", '),
    ],
)
def test_a_fact_that_names_more_or_less_than_its_shape_is_no_fact(now: str) -> None:
    references = (
        Reference("pod.secret", "spec", "requirement", "A", ResourceId("Secret/shop/tls")),
        Reference("service.pods", "spec", "requirement", "A", selector=Selector(KindId("Pod"))),
        Reference("owner", "metadata", "composition", "L", ResourceId("apps/ReplicaSet/shop/a"), uid="u-1"),
    )
    state = ResourceState(ResourceId("Pod/shop/a"), references=references)
    payload = join(LYON, 1, 1, "", (Teller().tell(ResourceEvent("put", state)),))
    assert NAMED.encode() in payload
    assert_read_as_decoded(payload.replace(NAMED.encode(), now.encode()))


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_of_a_batch_that_was_seen_in_part_the_rest_is_taken_in(first: int) -> None:
    names = ("a", "b", "c")
    events = [ResourceEvent("put", ResourceState(ResourceId(f"Pod/shop/{one}"), uid=one)) for one in names]
    graph = Graph(LYON)
    batch = graph.read(join(LYON, 1, 1, "", tuple(map(Teller().tell, events))))
    rest = batch.events[first:]
    assert [fact.uid for fact in rest] == [*names[first:]]
    assert [*graph.take(batch, rest)] == []
    assert sorted(state.uid for state in graph.resources()) == [*names[first:]]


def test_a_uid_and_a_version_of_any_length_weigh_in_the_digest_of_their_kind_as_they_do_alone() -> None:
    sizes = (0, 1, 36, 90, 91, 92, 93, 127, 128, 129, 300)
    states = [
        ResourceState(ResourceId(f"Pod/shop/{uid}-{version}"), uid="u" * uid, resource_version="1" * version)
        for uid in sizes
        for version in sizes
    ]
    graph, plain = Graph(LYON), Graph(LYON)
    for state in states:
        plain.apply(ResourceEvent("put", state))
    batch = graph.read(join(LYON, 1, 1, "", tuple(Teller().tell(ResourceEvent("put", state)) for state in states)))
    assert [*graph.take(batch, batch.events)] == []
    assert known(graph) == known(plain)


def test_compiled_code_reads_a_batch_as_watchers_write_it_and_leaves_any_other_to_the_plain_way() -> None:
    state = ResourceState(ResourceId("Pod/shop/a"), uid="u", labels={"app": "web"}, facts={"phase": "Running"})
    payload = join(LYON, 1, 1, "", tuple(map(Teller().tell, [ResourceEvent("put", state)])))
    read = Graph(LYON).read(payload)
    assert (read.lines is not None) == COMPILED
    assert [fact.resource for fact in read.events] == ["Pod/shop/a"]
    assert read.events[-1].uid == "u"
    with pytest.raises(IndexError):
        read.events[1]
    spaced = Graph(LYON).read(payload.replace(b",", b", "))
    assert spaced.lines is None
    assert [*spaced.events] == [*read.events]


@settings(max_examples=examples(50))
@given(BATCHES)
def test_it_is_also_when_nearly_everything_is_forgotten_in_between(batches: list[list[ResourceEvent]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "ENTRIES_MAX", 1)
        patch.setattr(reading, "NAMES_MAX", 1)
        patch.setattr("services.watcher.telling.teller.KEYS_MAX", 1)
        patch.setattr("services.resolver.graph.store.UNUSED_MAX", 1)
        patch.setattr("services.resolver.graph.records.SWEEP_MIN", 1)
        patch.setattr("services.resolver.graph.records.SWEEP_ROWS", 2)
        assert_both_ways_alike(batches)


def with_version(event: ResourceEvent, version: str, uid: str = UID) -> ResourceEvent:
    """The same of an object with a uid as objects have them."""
    if event.state is None:
        return event
    return ResourceEvent("put", msgspec.structs.replace(event.state, uid=uid, resource_version=version))


@settings(max_examples=examples(50))
@given(BATCHES)
def test_new_versions_of_what_is_known_say_the_same_as_one_by_one(batches: list[list[ResourceEvent]]) -> None:
    assert_both_ways_alike(
        [[with_version(one, version) for one in batch] for batch in batches for version in ("1", "1", "2")]
    )
    assert_both_ways_alike(
        [[with_version(one, version) for one in batch for version in ("1", "2", "2")] for batch in batches]
    )
    assert_both_ways_alike(
        [[with_version(one, "1", uid) for one in batch] for batch in batches for uid in (UID, UID[::-1], UID)]
    )


def test_a_batch_that_is_none_changes_nothing_though_its_first_facts_are_whole() -> None:
    graph, teller = Graph(LYON), Teller()
    good = teller.tell(ResourceEvent("put", ResourceState(ResourceId("Pod/shop/a"), labels={"app": "web"})))
    broken = join(LYON, 1, 1, "", (good,)).replace(b'{"app":"web"}', b'{"app": 1}')
    with pytest.raises(MessageError, match=r"labels: Expected `str`, got `int` - at `\$"):
        graph.read(broken)
    with pytest.raises(MessageError, match=r"events\.1: op 'delete' needs 'resource'"):
        graph.read(join(LYON, 1, 1, "", (good, teller.tell(ResourceEvent("delete")))))
    assert graph.resource_count == 0


@given(uids, st.text(max_size=20), st.sampled_from(("", "ab" * 12, "AB" * 12, "zz" * 12, "  " * 12)))
def test_a_line_is_packed_in_one_go_as_it_is_in_three(uid: str, version: str, digest: str) -> None:
    line = pack_line(uid, version, digest)
    assert line == pack((short(uid), version, short(digest)))
    assert unpack_line(line) == (short(uid), version, short(digest))
