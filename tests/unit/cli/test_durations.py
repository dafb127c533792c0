"""How long something may take is typed as kubectl's users type it, or as seconds."""

from __future__ import annotations

import pytest

from cheops.cli.durations import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30.0), ("0.5", 0.5), ("5s", 5.0), ("500ms", 0.5), ("1.5m", 90.0), ("2h", 7200.0), (10.0, 10.0)],
)
def test_a_number_is_seconds_and_units_are_read(text: str | float, seconds: float) -> None:
    assert duration(text) == seconds
