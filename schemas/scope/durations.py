"""`10ms`, `1.5s`, `2m` ⇄ seconds. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

DURATION_MAX_S: Final = 3600.0  # nobody calls a site that is an hour away near
_UNITS: Final = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60)}
_DURATION: Final = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,9})?)(ms|s|m)")


def parse_duration(text: str) -> float:
    """Seconds, more than 0 and at most an hour; raises ValueError."""
    found = _DURATION.fullmatch(text)
    seconds = float(Decimal(found[1]) * _UNITS[found[2]]) if found else 0.0
    if not 0 < seconds <= DURATION_MAX_S:
        raise ValueError(f"not a duration: {text[:80]!r} (expected 10ms, 1.5s or 2m, more than 0, at most 60m)")
    return seconds


def print_duration(seconds: float) -> str:
    """The shortest exact form, so that a scope printed is never longer than the scope read."""
    exact = Decimal(repr(seconds))
    return min((f"{(exact / factor).normalize():f}{unit}" for unit, factor in _UNITS.items()), key=len)
