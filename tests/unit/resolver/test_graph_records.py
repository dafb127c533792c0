"""States are kept packed: what comes out is what went in, however many share it and whoever went before."""

from __future__ import annotations

from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import (
    Grant,
    LabelSelector,
    Reference,
    Requirement,
    ResourceEvent,
    ResourceState,
    Selector,
    member_weight,
    member_weights,
)
from schemas.identity import KindId, ResourceId, SiteName
from services.resolver.graph.names import Names
from services.resolver.graph.packing import pack_line, pack_lines, unpack_line
from services.resolver.graph.records import RECENT_MAX, Records
from services.resolver.graph.store import UNUSED_MAX, Graph

UIDS = (
    "",
    "u-1",
    "0b5f0c52-1e6c-4c0a-8d2b-2a4a4c9e1a11",
    "0B5F0C52-1e6c-4c0a-8d2b-2a4a4c9e1a11",
    "6f" * 16,
    "ab cd",
    "é",
)
names = st.sampled_from(("a", "b", "web", "web.x"))
uids = st.sampled_from(UIDS) | st.uuids().map(str) | st.text(max_size=40).filter(str.isprintable)
kinds = st.sampled_from(("Secret", "Pod", "apps/Deployment", "example.com/Thing"))
identities = st.builds("{}/{}{}".format, kinds, st.sampled_from(("", "shop/")), names).map(ResourceId)
labels = st.dictionaries(st.sampled_from(("app", "kind", "namespaces")), names)
label_selectors = st.builds(
    LabelSelector,
    labels,
    st.lists(st.builds(Requirement, names, st.sampled_from(("In", "Exists")), st.tuples(names)), max_size=2).map(tuple),
)
selectors = st.builds(
    Selector,
    kinds.map(KindId),
    st.lists(names, max_size=2).map(tuple),
    label_selectors,
    st.none() | label_selectors,
)
flags = {"granule": st.sampled_from(("", "key:crt")), "optional": st.booleans(), "soft": st.booleans(), "uid": uids}
naming = st.builds(Reference, names, names, st.just("reliance"), st.just("SL"), identities, st.none(), **flags)
choosing = st.builds(Reference, names, names, st.just("reliance"), st.just("L"), st.just(""), selectors, **flags)
references = naming | choosing
states = st.builds(
    ResourceState,
    identities,
    version=st.sampled_from(("v1", "v2")),
    uid=uids,
    resource_version=st.sampled_from(("", "17", "x")),
    digest=st.sampled_from(("", "ab" * 12, "AB" * 12, "zz")),
    deleting=st.booleans(),
    labels=labels,
    template_labels=st.none() | labels,
    references=st.lists(references, max_size=5).map(tuple),
    parts=st.dictionaries(st.sampled_from(("key", "port")), st.lists(names, max_size=2).map(tuple)),
    facts=st.dictionaries(names, st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from((1.0, 0.5)) | names),
    finalizers=st.lists(names, max_size=1).map(tuple),
)


@given(st.lists(states, min_size=1, max_size=8))
def test_a_state_comes_out_as_it_went_in(several: list[ResourceState]) -> None:
    records = Records(Names())
    packed = [records.pack(state) for state in several]
    for state, record in zip(several, packed, strict=True):
        again = records.unpack(state.resource, record)
        assert again == state
        assert repr(again) == repr(state)  # 1, 1.0 and True are equal and not the same


@given(states, states)
def test_two_states_are_packed_alike_only_when_they_are_alike(one: ResourceState, other: ResourceState) -> None:
    records = Records(Names())
    other = msgspec.structs.replace(other, resource=one.resource)  # a record does not say whose it is
    assert (records.pack(one) == records.pack(other)) == (repr(one) == repr(other))


def test_no_field_of_a_state_or_a_reference_is_left_out() -> None:
    """Every field that these messages have, with a value that is not the default."""
    reference = Reference(
        "rule", "path", "reliance", "L", ResourceId("Pod/a/b"), None, "u", "key:a", True, True, "inferred", True, True
    )
    grant = Grant(KindId("Pod"), ("a",), LabelSelector({"a": "b"}), KindId("Secret"), "name", "part", "a.b")
    whole = ResourceState(
        ResourceId("Secret/shop/ca"), "v2", "u", "1", "d", True, {"a": "b"}, {"c": "d"}, (reference,), {"key": ("a",)},
        {"n": 1}, ("f",), (grant,),
    )  # fmt: skip
    for message in (reference, grant, whole):
        unset = [
            field.name for field in msgspec.structs.fields(message) if getattr(message, field.name) == field.default
        ]
        assert unset in ([], ["selector"]), "give the new field a value here"
    records = Records(Names())
    assert records.unpack(whole.resource, records.pack(whole)) == whole


def pod(name: str, secret: str) -> ResourceState:
    use = Reference("podspec.volume.secret", "spec.volumes[0]", "reliance", "SL", ResourceId(f"Secret/shop/{secret}"))
    return ResourceState(ResourceId(f"Pod/shop/{name}"), uid=name, labels={"app": name}, references=(use,))


def test_numbers_are_used_again_and_nothing_else_changes() -> None:
    graph = Graph(SiteName("lyon"))
    stays = pod("stays", "kept")
    graph.apply(ResourceEvent("put", stays))
    for place in range(2 * (RECENT_MAX + UNUSED_MAX)):
        passing = pod(f"passing-{place}", f"only-{place}")
        graph.apply(ResourceEvent("put", passing))
        graph.apply(ResourceEvent("delete", resource=passing.resource))
    assert (graph.resource_count, graph.edge_count, sum(graph.missing())) == (1, 1, 1)
    assert list(graph.resources()) == [stays]
    assert [edge.source for edge in graph.dependents(ResourceId("Secret/shop/kept")).edges] == [stays.resource]
    assert graph.dependents(ResourceId("Secret/shop/only-1")).count == 0
    assert len(graph.parts.names) < 4 * UNUSED_MAX


def test_what_is_missing_counts_when_somebody_misses_it() -> None:
    graph = Graph(SiteName("lyon"))
    weak = pod("weak", "maybe")
    soft = msgspec.structs.replace(weak.references[0], soft=True)
    graph.apply(ResourceEvent("put", msgspec.structs.replace(weak, references=(soft,))))
    assert sum(graph.missing()) == 0
    graph.apply(ResourceEvent("put", pod("strong", "maybe")))
    graph.apply(ResourceEvent("put", pod("other", "gone")))
    assert sum(graph.missing()) == 2
    graph.apply(ResourceEvent("put", ResourceState(ResourceId("Secret/shop/maybe"), uid="s")))
    assert sum(graph.missing()) == 1


def test_a_selector_of_the_default_leads_to_what_is_marked_so_now() -> None:
    graph = Graph(SiteName("lyon"))
    kind = KindId("storage.k8s.io/StorageClass")
    asks = Reference("claim.class", "spec", "requirement", "S", selector=Selector(kind, default=True))
    claim = ResourceState(ResourceId("PersistentVolumeClaim/shop/data"), references=(asks,))
    fast = ResourceState(ResourceId(f"{kind}/fast"), facts={"default": "true"})
    slow = ResourceState(ResourceId(f"{kind}/slow"))
    for state in (claim, fast, slow):
        graph.apply(ResourceEvent("put", state))
    assert graph.targets(claim.resource, asks).present == (fast.resource,)
    assert [edge.source for edge in graph.dependents(fast.resource).edges] == [claim.resource]
    assert graph.dependents(slow.resource).count == 0
    graph.apply(ResourceEvent("put", msgspec.structs.replace(fast, facts={})))
    graph.apply(ResourceEvent("put", msgspec.structs.replace(slow, facts={"default": "true"})))
    assert graph.targets(claim.resource, asks).present == (slow.resource,)
    assert graph.dependents(fast.resource).count == 0


def test_a_number_that_no_field_can_hold_is_kept_as_text() -> None:
    graph = Graph(SiteName("lyon"))
    huge = ResourceState(
        ResourceId("example.com/Thing/shop/huge"), facts={"replicas": 10**30, "phase": "Odd", "n": 3, "on": True}
    )
    assert graph.apply(ResourceEvent("put", huge))
    assert not graph.apply(ResourceEvent("put", huge))
    found = graph.find(huge.resource)
    assert found is not None
    assert found.facts == {"replicas": str(10**30), "phase": "Odd", "n": 3, "on": True}


@given(
    st.lists(
        st.tuples(uids, st.sampled_from(("", "17", "x")), st.sampled_from(("", "ab" * 12, "AB" * 12, "zz"))), max_size=4
    )
)
def test_lines_packed_in_one_go_are_those_packed_one_by_one(told: list[tuple[str, str, str]]) -> None:
    columns = [*zip(*told, strict=True)] or [(), (), ()]
    assert pack_lines(*columns) == [pack_line(*one) for one in told]


@given(
    st.lists(
        st.tuples(st.uuids().map(str), st.text("0123456789", min_size=1), st.binary(min_size=12, max_size=12)),
        max_size=4,
    )
)
def test_so_are_lines_that_all_have_the_usual_form(told: list[tuple[str, str, bytes]]) -> None:
    lines = pack_lines([one for one, _, _ in told], [one for _, one, _ in told], [one.hex() for _, _, one in told])
    assert [unpack_line(one) for one in lines] == [(UUID(uid).bytes, version, own) for uid, version, own in told]


@given(st.lists(st.tuples(uids, uids), max_size=4))
def test_weights_found_in_one_go_are_those_found_one_by_one(told: list[tuple[str, str]]) -> None:
    columns = [*zip(*told, strict=True)] or [(), ()]
    assert [*member_weights(*columns)] == [member_weight(*one) for one in told]


def test_who_looks_at_what_was_there_before_does_not_rename_what_comes_after() -> None:
    """A number is handed out again; a reference that was remembered by it must not be."""

    def naming(pod: str, secret: str) -> ResourceState:
        reference = Reference("pod.secret", "spec", "requirement", "A", ResourceId(f"Secret/shop/{secret}"))
        return ResourceState(ResourceId(f"Pod/shop/{pod}"), references=(reference,))

    graph, many = Graph(SiteName("lyon")), UNUSED_MAX + 64  # each leaves two numbers that nobody uses
    for one in range(many):
        graph.apply(ResourceEvent("put", naming(f"p{one}", f"s{one}")))
    graph.apply(ResourceEvent("put", naming("stays", "at-first")))
    for one in range(many):
        (changed,) = graph.apply(ResourceEvent("delete", resource=ResourceId(f"Pod/shop/p{one}")))
        assert changed.old == naming(f"p{one}", f"s{one}")
        if one >= UNUSED_MAX:  # so many that they are forgotten
            graph.apply(ResourceEvent("put", naming("stays", f"other-{one}")))
            assert graph.find(ResourceId("Pod/shop/stays")) == naming("stays", f"other-{one}")
