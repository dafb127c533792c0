"""What a source says of its watches → what a heartbeat calls blind."""

from __future__ import annotations

from schemas.identity import KindId
from services.watcher.health import WatchHealth
from services.watcher.source import Health

POD = KindId("Pod")


def test_a_kind_is_blind_until_it_is_observed() -> None:
    health = WatchHealth()
    health.note(POD, Health("syncing"), 10.0)
    assert health.blind(12.5)[POD].reason == "syncing"
    assert health.blind(12.5)[POD].for_s == 2.5
    health.note(POD, Health("observed"), 13.0)
    assert health.blind(14.0) == {}


def test_an_interruption_is_forgiven_for_a_second_and_is_a_failure_after_it() -> None:
    health = WatchHealth()
    health.note(POD, Health("observed"), 0.0)
    health.note(POD, Health("interrupted", "reset by peer"), 100.0)
    assert health.blind(100.9) == {}
    found = health.blind(101.5)[POD]
    assert (found.reason, found.for_s, found.message) == ("failing", 1.5, "reset by peer")


def test_a_first_listing_that_fails_is_never_forgiven() -> None:
    health = WatchHealth()
    health.note(POD, Health("syncing"), 0.0)
    health.note(POD, Health("interrupted", "refused"), 0.1)
    assert health.blind(0.2)[POD].reason == "failing"


def test_the_time_of_blindness_goes_on_through_changing_reasons() -> None:
    health = WatchHealth()
    health.note(POD, Health("observed"), 0.0)
    health.note(POD, Health("stalled", for_s=75.0), 200.0)
    health.note(POD, Health("interrupted"), 201.0)
    health.note(POD, Health("syncing"), 202.0)
    assert health.blind(203.0)[POD].for_s == 78.0


def test_a_kind_with_a_resource_that_cannot_be_read_is_blind_though_its_watch_is_open() -> None:
    health = WatchHealth()
    health.note(POD, Health("observed"), 0.0)
    health.note_unreadable(POD, "1 cannot be read, for instance Pod/shop/web: ValueError")
    assert "Pod/shop/web" in health.blind(1.0)[POD].message
    health.note_unreadable(POD, "")
    assert health.blind(2.0) == {}


def test_a_kind_that_is_not_served_any_more_is_neither_observed_nor_blind() -> None:
    health = WatchHealth()
    health.note(POD, Health("gone"), 0.0)
    health.forget(POD)
    assert health.blind(1.0) == {}
    assert len(health) == 0
