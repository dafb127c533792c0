"""An alert that stands is said again each day, so that its stream never forgets it; one that healed is silent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.alerts import Alert, AlertState
from schemas.identity import SiteName
from services.resolver.reminding import TOGETHER_MAX, Reminders
from services.resolver.signals import Moment, SendAlert

LYON = SiteName("lyon")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_S = 3600.0


def at(hours: float) -> Moment:
    return Moment(hours * HOUR_S, BEGIN + timedelta(hours=hours))


def alert(name: str = "a", state: AlertState = "raised", code: str = "A310") -> Alert:
    return Alert(id=name, code=code, state=state, site=LYON, message=f"{name} is gone", at=BEGIN)


def said_by(reminders: Reminders, hours: float, *told: Alert) -> list[Alert]:
    effects = reminders.heed([*map(SendAlert, told)], at(hours))
    assert effects[: len(told)] == [*map(SendAlert, told)]
    return [one.alert for one in effects[len(told) :] if isinstance(one, SendAlert)]


def test_what_stands_is_said_once_a_day_until_it_heals() -> None:
    reminders, said = Reminders(), list[float]()
    assert said_by(reminders, 0.0, alert()) == []
    for hour in range(1, 24 * 9):
        for one in said_by(reminders, hour):
            assert (one.id, one.at, one.again_at) == ("a", BEGIN, at(hour).wall)
            said.append(hour)
    assert said == [24.0 * day for day in range(1, 9)]
    assert said_by(reminders, 240.0, alert(state="healed")) == []
    assert all(said_by(reminders, hour) == [] for hour in range(241, 300))


def test_a_start_goes_on_where_the_last_one_was() -> None:
    before, after = Reminders(), Reminders()
    said_by(before, 0.0, alert())
    (said,) = said_by(before, 30.0)
    after.recover([said, alert("b", "healed"), alert("c")])
    assert [one.id for one in said_by(after, 31.0)] == ["c"], "the other was said an hour ago"
    assert [one.id for one in said_by(after, 54.0)] == ["a"]


def test_a_lost_update_is_history_and_is_not_said_again() -> None:
    reminders = Reminders()
    said_by(reminders, 0.0, alert(code="A506"))
    assert said_by(reminders, 48.0) == []


def test_many_are_said_in_several_steps() -> None:
    reminders, many = Reminders(), 2 * TOGETHER_MAX + 5
    said_by(reminders, 0.0, *(alert(f"{number:04}") for number in range(many)))
    said = [said_by(reminders, 24.0 + step / HOUR_S) for step in range(5)]
    assert [len(one) for one in said] == [TOGETHER_MAX, TOGETHER_MAX, 5, 0, 0]
    assert len({one.id for some in said for one in some}) == many


def test_a_clock_that_was_ahead_for_a_moment_silences_nobody() -> None:
    reminders = Reminders()
    ahead = alert("a").model_copy(update={"at": BEGIN + timedelta(days=30)})
    assert [one.id for one in said_by(reminders, 0.0, ahead, alert("b"))] == ["a"], "with the time that it is"
    assert said_by(reminders, 1.0) == []
    assert {one.id for one in said_by(reminders, 25.0)} == {"a", "b"}
