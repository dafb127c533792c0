"""Observations of a kind → facts: first listings are silent, differences travel, a resync names everything."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import ResourceEvent, ResourceState, ServedKind, kind_digest
from schemas.identity import KindId, ResourceId
from services.watcher.source import Gone, Listed, Listing, Observation, Seen, Unreadable
from services.watcher.telling.following import KindFollower

SECRET = ServedKind(KindId("Secret"), "secrets", ("v1",))


def state(name: str, uid: str = "", version: str = "1") -> ResourceState:
    return ResourceState(ResourceId(f"Secret/shop/{name}"), uid=uid or f"uid-{name}", resource_version=version)


def gone(name: str, uid: str = "", version: str = "9") -> Gone:
    return Gone(ResourceId(f"Secret/shop/{name}"), uid or f"uid-{name}", version)


def told(follower: KindFollower, *observations: Observation) -> list[str]:
    return [short(event) for observation in observations for event in follower.take(observation)]


def short(event: ResourceEvent) -> str:
    if event.op == "put":
        assert event.state is not None
        return f"put {event.state.resource.rpartition('/')[2]}@{event.state.resource_version}"
    if event.op == "delete":
        return f"delete {event.resource.rpartition('/')[2]} {event.uid}"
    return event.op


def listed(*states: ResourceState) -> Iterable[Observation]:
    return (Listing(), *states, Listed())


def test_a_first_listing_fills_the_ledger_and_says_nothing() -> None:
    follower = KindFollower(SECRET)
    assert told(follower, *listed(state("a"), state("b"))) == []
    assert follower.ledger.digest() == kind_digest([("uid-a", "1"), ("uid-b", "1")])


def test_changes_after_the_first_listing_are_told_and_repetitions_are_not() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a")))
    assert told(follower, state("a", version="2"), state("a", version="2"), state("b")) == ["put a@2", "put b@1"]


def test_a_later_listing_tells_differences_and_finds_deletions() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a"), state("b"), state("c")))
    assert told(follower, *listed(state("b", version="2"), state("c"), state("d"))) == [
        "put b@2",
        "put d@1",
        "delete a uid-a",
    ]


def test_a_listing_that_never_ended_deletes_nothing() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a"), state("b")))
    assert told(follower, Listing(), state("b", version="2")) == ["put b@2"]
    assert told(follower, *listed(state("a"), state("b", version="2"))) == []


def test_recreated_under_the_same_name_is_a_deletion_and_another_object() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a")))
    assert told(follower, *listed(state("a", uid="second", version="7"))) == ["delete a uid-a", "put a@7"]


def test_who_stops_between_a_deletion_and_its_successor_tells_the_rest_later() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a"), state("b")))
    successor = state("a", uid="second", version="7")
    assert short(next(iter(follower.take(successor)))) == "delete a uid-a"
    assert follower.ledger.digest() == kind_digest([("uid-b", "1")])
    assert told(follower, successor) == ["put a@7"]
    seen = Seen(ResourceId("Secret/shop/b"), "second", "8")
    assert short(next(iter(follower.take(seen)))) == "delete b uid-b"
    assert follower.ledger.digest() == kind_digest([("second", "7")])
    assert told(follower, seen) == []
    assert follower.ledger.digest() == kind_digest([("second", "7"), ("second", "8")])


def test_who_stops_at_the_end_of_a_listing_tells_the_rest_later() -> None:
    follower = KindFollower(SECRET, announce=True)
    told(follower, *listed(state("a"), state("b"), state("c")), Listing(), state("b"))
    assert short(next(iter(follower.take(Listed())))) == "delete c uid-c"
    assert follower.ledger.digest() == kind_digest([("uid-a", "1"), ("uid-b", "1")])
    assert told(follower, *listed(state("b"))) == ["delete a uid-a"]


def test_a_late_deletion_of_a_predecessor_leaves_the_successor_alone() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a", uid="second")))
    assert told(follower, gone("a", uid="first")) == []
    assert told(follower, gone("a", uid="second"), gone("a", uid="second")) == ["delete a second"]


def test_an_equal_digest_is_confirmed_without_listing() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a")))
    follower.ask(kind_digest([("uid-a", "1")]))
    assert [event.op for event in follower.answer()] == ["sync_same"]
    assert not follower.needs_listing


def test_a_kind_that_is_not_listed_yet_is_compared_at_the_end_of_its_listing() -> None:
    follower = KindFollower(SECRET)
    follower.ask(kind_digest([("uid-a", "1")]))
    assert list(follower.answer()) == []
    assert told(follower, *listed(state("a"))) == ["sync_same"]


def test_a_receiver_that_has_nothing_is_told_everything_by_the_first_listing() -> None:
    follower = KindFollower(SECRET)
    follower.ask(kind_digest([]))
    assert list(follower.answer()) == []
    assert told(follower, *listed(state("a"))) == ["sync_start", "put a@1", "sync_end"]


def test_a_silent_listing_under_way_is_begun_again_for_a_receiver_that_has_nothing() -> None:
    follower = KindFollower(SECRET)
    told(follower, Listing(), state("a"))
    follower.ask(kind_digest([]))
    assert follower.needs_listing


def test_a_kind_of_which_neither_has_anything_is_confirmed_without_listing() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed())
    follower.ask(kind_digest([]))
    assert [event.op for event in follower.answer()] == ["sync_same"]


def test_an_unequal_digest_is_answered_by_naming_everything_between_marks() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a"), state("b")))
    follower.ask("2:0000")
    assert list(follower.answer()) == []
    assert follower.needs_listing
    follower.announce()
    assert told(follower, *listed(state("a"), state("c"))) == [
        "sync_start",
        "put a@1",
        "put c@1",
        "delete b uid-b",
        "sync_end",
    ]


def test_an_announced_listing_that_breaks_is_begun_again_with_its_mark() -> None:
    follower = KindFollower(SECRET, announce=True)
    assert told(follower, Listing(), state("a")) == ["sync_start", "put a@1"]
    assert told(follower, *listed(state("a"))) == ["sync_start", "put a@1", "sync_end"]


def test_a_question_during_an_announced_listing_waits_for_its_end() -> None:
    follower = KindFollower(SECRET, announce=True)
    told(follower, Listing(), state("a"))
    follower.ask(kind_digest([("uid-a", "1")]))
    assert not follower.needs_listing
    assert told(follower, Listed()) == ["sync_end", "sync_same"]


def test_a_resource_that_cannot_be_read_exists_all_the_same() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a")))
    unreadable = Unreadable(ResourceId("Secret/shop/a"), "uid-a", "ValueError")
    assert told(follower, Listing(), unreadable, Listed()) == []
    assert follower.unreadable == {"Secret/shop/a": "ValueError"}
    told(follower, state("a", version="3"))
    assert not follower.unreadable


def test_a_resource_that_could_not_be_read_is_deleted_like_any_other() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a"), state("b")))
    told(follower, Unreadable(ResourceId("Secret/shop/a"), "uid-a", "ValueError"))
    told(follower, Unreadable(ResourceId("Secret/shop/b"), "uid-b", "ValueError"))
    assert told(follower, gone("a")) == ["delete a uid-a"]
    assert told(follower, *listed()) == ["delete b uid-b"]


def test_only_what_will_be_published_is_wanted() -> None:
    follower = KindFollower(SECRET)
    a = (ResourceId("Secret/shop/a"), "uid-a", "1")
    told(follower, Listing())
    assert not follower.wants(*a), "nobody asked for this listing"
    assert told(follower, Seen(*a), Listed()) == []
    assert follower.ledger.digest() == kind_digest([("uid-a", "1")])
    assert not follower.wants(*a)
    assert follower.wants(a[0], "uid-a", "2")
    assert follower.wants(a[0], "second", "1")
    follower.reread = True
    assert follower.wants(*a)
    told(follower, *listed(state("a")))
    assert not follower.wants(*a)
    follower.announce()
    told(follower, Listing())
    assert follower.wants(*a), "an announced listing names everything"


def test_what_reads_otherwise_now_is_told_though_its_content_is_the_same() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a")))
    assert told(follower, *listed(state("a"))) == []
    follower.reread = True
    assert told(follower, *listed(state("a"))) == ["put a@1"], "its references may be others"
    assert told(follower, *listed(state("a"))) == []


def test_what_could_not_be_read_is_wanted_again_in_every_listing() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a")))
    told(follower, Unreadable(ResourceId("Secret/shop/a"), "uid-a", "ValueError"))
    assert follower.wants(ResourceId("Secret/shop/a"), "uid-a", "1")


def test_a_kind_that_is_not_served_any_more_takes_its_resources_along() -> None:
    follower = KindFollower(SECRET)
    told(follower, *listed(state("a"), state("b")))
    assert [short(event) for event in follower.dissolve()] == ["delete a uid-a", "delete b uid-b"]
    assert len(follower.ledger) == 0


worlds = st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 4), max_size=4), min_size=1, max_size=8)


@given(worlds, st.data())
def test_whatever_is_listed_or_watched_a_replay_of_the_facts_gives_the_last_world(
    history: list[dict[str, int]], data: st.DataObject
) -> None:
    """Versions stand for uids too: half of the changes are recreations."""
    follower = KindFollower(SECRET, announce=True)
    replayed: dict[str, str] = {}
    for world in history:
        states = [state(name, uid=f"{name}{version // 2}", version=str(version)) for name, version in world.items()]
        if data.draw(st.booleans(), label="broken listing first"):
            replay(replayed, follower, [Listing(), *states[:1]])
        if data.draw(st.booleans(), label="asked"):
            follower.announce()
        replay(replayed, follower, [Listing()])
        for one in states:
            identity = (one.resource, one.uid, one.resource_version)
            described = follower.wants(*identity) or data.draw(st.booleans(), label="described all the same")
            replay(replayed, follower, [one if described else Seen(*identity)])
        replay(replayed, follower, [Listed()])
        assert replayed == {one.resource: one.uid + "@" + one.resource_version for one in states}
        assert follower.ledger.digest() == kind_digest([(one.uid, one.resource_version) for one in states])


def replay(replayed: dict[str, str], follower: KindFollower, observations: Iterable[Observation]) -> None:
    for observation in observations:
        for event in follower.take(observation):
            if event.op == "put":
                assert event.state is not None
                replayed[event.state.resource] = event.state.uid + "@" + event.state.resource_version
            elif event.op == "delete" and replayed.get(event.resource, "").startswith(event.uid + "@"):
                del replayed[event.resource]


def test_what_confirms_a_kind_says_up_to_which_version_it_was_observed() -> None:
    """By the end of a listing, not by its objects, which come in no order; and by what happens afterwards."""
    follower = KindFollower(SECRET, announce=True)
    events = [*follower_events(follower, Listing(), state("b", version="7"), state("a", version="3"), Listed("9"))]
    assert [event.resource_version for event in events if event.op == "sync_end"] == ["9"]
    told(follower, state("a", version="11"))
    follower.ask(follower.ledger.digest())
    assert [(event.op, event.resource_version) for event in follower.answer()] == [("sync_same", "11")]


def follower_events(follower: KindFollower, *observations: Observation) -> Iterable[ResourceEvent]:
    for observation in observations:
        yield from follower.take(observation)
