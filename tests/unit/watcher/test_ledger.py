"""What was said of a kind is known by uid, version and digest, and weighs what a receiver computes as well."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import ResourceState, kind_digest
from schemas.identity import ResourceId
from services.watcher.telling.ledger import Entry, KindLedger
from tests.kit.examples import examples
from tests.unit.watcher.both_ways import again, plain

PLAIN_WAY = plain("services.watcher.telling.ledger")
POD = ResourceId("Pod/shop/a")
WORDS = ("", "a", "ab", "abc", "0b5f0c52-1e6c-4c0a-8d2b-2a4a4c9e1a11", "é", "☃", "x" * 17, "x" * 16, "x" * 128)
words = st.sampled_from(WORDS).map(again)
resources = st.sampled_from(("Pod/shop/a", "Pod/shop/é", "Node/b")).map(again).map(ResourceId)
states = st.builds(lambda *said: ResourceState(said[0], "v1", *said[1:]), resources, words, words, words)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("put"), states),
        st.tuples(st.just("note"), resources, words, words, words.map(lambda one: one[:16])),
        st.tuples(st.just("remove"), resources),
        st.tuples(st.just("has"), resources, words, words),
        st.tuples(st.just("name"), resources),
        st.tuples(st.just("begin")),
        st.tuples(st.just("take_unnamed")),
    ),
    max_size=30,
)


def done(ledger: Any, entry: Any, act: tuple[Any, ...]) -> object:
    name, *said = act
    if name == "note":
        return ledger.note(said[0], entry(*said[1:]))
    return getattr(ledger, name)(*said)


@settings(max_examples=examples(200))
@given(acts)
def test_both_ways_say_the_same_of_whatever_was_done(done_one_by_one: list[tuple[Any, ...]]) -> None:
    mine, other, unnamed = KindLedger(), PLAIN_WAY.KindLedger(), set[ResourceId]()
    for act in done_one_by_one:
        said = done(mine, Entry, act)
        assert said == done(other, PLAIN_WAY.Entry, act)
        if act[0] == "take_unnamed":
            assert (said is None) == (not unnamed), "what was known as the listing began and was not heard of since"
            unnamed -= {said[0]} if isinstance(said, tuple) else set()
        elif act[0] == "begin":
            unnamed = {*mine}
        elif act[0] != "has":
            unnamed.discard(act[1].resource if act[0] == "put" else act[1])
        assert unnamed <= {*mine}
        assert (mine.digest(), len(mine), [*mine]) == (other.digest(), len(other), [*other])
        known = {one: mine.find(one) for one in mine}
        assert known == {one: other.find(one) for one in other}
        assert mine.digest() == kind_digest([(one.uid, one.version) for one in known.values() if one is not None])


def test_what_a_listing_does_not_name_is_known_until_its_deletion_is_told() -> None:
    ledger, other = KindLedger(), ResourceId("Pod/shop/b")
    for one in (POD, other):
        ledger.note(one, Entry("u", "1"))
    both = ledger.digest()
    for _ in range(2):  # the first is broken off
        ledger.begin()
        ledger.name(POD)
    assert (ledger.find(other), ledger.has(other, "u", "1"), len(ledger)) == (Entry("u", "1"), True, 2)
    assert ledger.digest() == both
    assert ledger.take_unnamed() == (other, Entry("u", "1"))
    assert ledger.take_unnamed() is None
    assert [*ledger] == [POD]
    assert ledger.digest() == kind_digest([("u", "1")])


@pytest.mark.parametrize("uid", [*range(0, 140, 3), 126, 127, 128])
def test_a_member_of_any_length_weighs_what_it_does_for_its_receiver(uid: int) -> None:
    for version in (0, 1, 2, 127 - uid, 128 - uid, 129 - uid):
        ledger, said = KindLedger(), ("u" * uid, "7" * version)
        ledger.put(ResourceState(POD, uid=said[0], resource_version=said[1]))
        assert ledger.digest() == kind_digest([said])


def test_a_state_is_the_same_changed_or_of_another_object() -> None:
    ledger = KindLedger()
    state = ResourceState(POD, uid="u", resource_version="1", digest="d")
    assert ledger.put(state) == "changed"
    assert ledger.put(state) == "same"
    assert ledger.put(ResourceState(POD, uid="u", resource_version="1", digest="e")) == "changed"
    assert ledger.put(ResourceState(POD, uid="u", resource_version="2", digest="e")) == "changed"
    for uid in ("v", "", "u1"):
        assert ledger.put(ResourceState(POD, uid=uid, resource_version="2", digest="e")) == "recreated"
        assert ledger.find(POD) == Entry("u", "2", "e"), "its deletion comes first"
        assert ledger.digest() == kind_digest([("u", "2")])


def test_of_a_digest_the_first_sixteen_signs_count() -> None:
    ledger = KindLedger()
    ledger.put(ResourceState(POD, digest="0123456789abcdef" + "a"))
    assert ledger.put(ResourceState(POD, digest="0123456789abcdef" + "b")) == "same"
    assert ledger.put(ResourceState(POD, digest="0123456789abcdeg")) == "changed"


def test_what_is_known_is_known_at_its_version_only() -> None:
    ledger = KindLedger()
    ledger.put(ResourceState(POD, uid="u", resource_version="12", digest="d"))
    assert ledger.has(POD, "u", "12")
    for uid, version in (("u", "1"), ("u", "123"), ("u", ""), ("", "12"), ("v", "12"), ("u\0", "12"), ("u1", "2")):
        assert not ledger.has(POD, uid, version)
    assert not ledger.has(ResourceId("Pod/shop/b"), "u", "12")
