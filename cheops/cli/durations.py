"""How long something may take, or be old, as people type it: 30, 1.5s, 500ms or 2m."""

from __future__ import annotations

import re
from typing import Final

import typer

LEAST_S: Final = 0.1
OLDEST_S: Final = 3600.0
_UNITS_S: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|)")


def duration(typed: str | float) -> float:
    """Seconds; a bare number is seconds. Raises typer.BadParameter."""
    found = _DURATION.fullmatch(str(typed))
    if found is None:
        raise typer.BadParameter(f"{typed!r} is no duration (expected seconds, as 30, or 500ms, 1.5s, 2m, 1h)")
    seconds = float(found[1]) * _UNITS_S[found[2]]
    if seconds < LEAST_S:
        raise typer.BadParameter(f"{typed} is less than {LEAST_S:g} s")
    return seconds


def age(typed: str | float) -> float:
    """The same, an hour at most."""
    seconds = duration(typed)
    if seconds > OLDEST_S:
        raise typer.BadParameter(f"{typed} is more than an hour")
    return seconds
