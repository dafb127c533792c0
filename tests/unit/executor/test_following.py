"""How long what was applied is followed: as long as it comes nearer, within an hour."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.outcomes import Outcome
from services.executor.following import FOLLOW_MAX_S, Patience, remaining_s
from services.executor.target import Progress
from tests.unit.executor.builders import NOW, config_map, operation

FOLLOWED = operation("apply", config_map("shop"), ready_timeout_s=300.0)
APPLIED = Outcome(
    operation=FOLLOWED.id,
    intent="i1",
    revision=1,
    step="s1",
    site=FOLLOWED.site,
    action="apply",
    resource=FOLLOWED.resource,
    state="applied",
    at=NOW,
)


def at(reason: str) -> Progress:
    return Progress("progressing", reason)


def patience(left_s: float = FOLLOW_MAX_S) -> Patience:
    return Patience(FOLLOWED, left_s, 60.0, now_s=0.0)


def test_a_rollout_that_comes_nearer_is_followed_longer_than_one_that_stands_still() -> None:
    one = patience()
    for minute in range(0, 20, 4):
        assert not one.ends_with(at(f"{minute} of 20 replicas are ready"), minute * 60.0)
    assert not one.ends_with(at("16 of 20 replicas are ready"), 16 * 60.0 + 299.0)
    assert one.ends_with(at("16 of 20 replicas are ready"), 16 * 60.0 + 300.0)


def test_what_is_said_again_and_again_is_no_progress() -> None:
    one = patience()
    said = [one.ends_with(at(f"{second % 2} of 2 replicas are ready"), float(second)) for second in range(303)]
    assert said.index(True) == 301, "five minutes after both were heard for the first time"


def test_nothing_is_followed_longer_than_an_hour() -> None:
    one = patience()
    said = [one.ends_with(at(f"{minute} of 1000 replicas are ready"), minute * 60.0) for minute in range(61)]
    assert said.index(True) == 60


def test_a_kind_that_is_not_served_at_the_end_is_waited_for_a_minute() -> None:
    one = patience()
    assert not one.ends_with(at("0 of 2 replicas are ready"), 0.0)
    assert not one.ends_with(at("0 of 2 replicas are ready"), 290.0)
    assert not one.ends_with(Progress("unserved"), 349.0)
    assert one.ends_with(Progress("unserved"), 350.0)


def test_an_api_server_that_is_silent_at_the_end_is_not_asked_more_often_than_before() -> None:
    one = patience()
    assert [one.pause_s(3.0, now_s) for now_s in (0.0, 298.5, 300.0, 400.0)] == [3.0, 1.5, 3.0, 3.0]


@pytest.mark.parametrize(
    ("passed_s", "left_s"), [(-7_200.0, FOLLOW_MAX_S), (0.0, FOLLOW_MAX_S), (3_000.0, 600.0), (7_200.0, 0.0)]
)
def test_neither_a_restart_nor_a_clock_that_was_set_back_lengthens_the_hour(passed_s: float, left_s: float) -> None:
    assert remaining_s(FOLLOWED, APPLIED, NOW + timedelta(seconds=passed_s)) == left_s
