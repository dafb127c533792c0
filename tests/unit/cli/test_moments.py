"""When something happened: a stream keeps a month, and a time of day alone would say that it was today."""

from __future__ import annotations

from datetime import datetime, timedelta

from cheops.cli.render.moments import moment

NOON = datetime(2026, 1, 2, 12).astimezone()


def test_what_happened_today_has_its_time_and_what_happened_before_has_its_day() -> None:
    assert moment(NOON, NOON + timedelta(minutes=1)) == "12:00:00"
    assert moment(NOON, NOON + timedelta(days=5)) == "2026-01-02 12:00:00"
