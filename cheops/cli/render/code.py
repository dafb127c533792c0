"""`cheops explain`."""

from __future__ import annotations

import textwrap
from typing import Final

from schemas.codes import CODES, Code

WIDTH: Final = 80
LABEL: Final = 11
LEGEND: Final = (
    "D deny, F defer, W warning on an allow, N note, A alert. A policy may change the letter, never the number. "
    "One of them: cheops explain D310"
)


def page(code: Code, width: int = WIDTH) -> list[str]:
    """One code, whole."""
    lines = _titled(code, width)
    for label, text in (
        ("means", code.meaning),
        ("matters", code.why),
        ("to do", code.what_to_do),
        ("example", code.example),
    ):
        if text:
            wrapped = textwrap.wrap(text, width - LABEL, break_long_words=False, break_on_hyphens=False)
            lines += ["", f"  {label:<8} {wrapped[0]}", *(f"  {'':<8} {line}" for line in wrapped[1:])]
    return lines


def listing(width: int = WIDTH) -> list[str]:
    """All codes, a line each; the letter is the default one."""
    return [*(line for code in CODES for line in _titled(code, width)), "", *textwrap.wrap(LEGEND, width)]


def _titled(code: Code, width: int) -> list[str]:
    return textwrap.wrap(f"{code.letter}{code.number}  {code.title}", width, subsequent_indent=" " * 6)


def body(code: Code) -> dict[str, str]:
    """For programs."""
    return {
        "schema": "code/v1",
        "code": f"{code.letter}{code.number}",
        "title": code.title,
        "meaning": code.meaning,
        "why": code.why,
        "what_to_do": code.what_to_do,
        "example": code.example,
    }
