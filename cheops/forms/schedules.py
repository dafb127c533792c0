"""When a CronJob runs: five fields, or a word for them. As the API server parses them. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

MACROS: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
MONTHS: Final = ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Minute, hour, day of the month, month, day of the week: the least, the most, and words for numbers.
FIELDS: Final[tuple[tuple[int, int, tuple[str, ...]], ...]] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, MONTHS),
    (0, 6, DAYS),
)
_DURATION: Final = re.compile(r"[-+]?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h))+|[-+]?0")


def is_schedule(value: Any) -> bool:
    """A time zone in front belongs in a field of its own."""
    text = str(value)
    if text.startswith("@"):
        every = text.removeprefix("@every ")
        return text in MACROS or (every != text and _DURATION.fullmatch(every) is not None)
    parts = text.split()
    return len(parts) == len(FIELDS) and all(map(_is_field, parts, FIELDS))


def _is_field(text: str, field: tuple[int, int, tuple[str, ...]]) -> bool:
    return all(_is_range(one, *field) for one in text.split(",") if one) and text.strip(",") != ""


def _is_range(text: str, least: int, most: int, words: tuple[str, ...]) -> bool:
    span, slash, step = text.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    first, dash, last = span.partition("-")
    if first in ("*", "?"):
        return True
    begin = _number(first, words)
    end = _number(last, words) if dash else begin
    return begin is not None and end is not None and least <= begin <= end <= most


def _number(text: str, words: tuple[str, ...]) -> int | None:
    if text.lower() in words and text:
        return words.index(text.lower())
    return int(text) if text.isdecimal() else None
