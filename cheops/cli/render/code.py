"""`cheops explain`."""

from __future__ import annotations

import textwrap
from typing import Final

from schemas.codes import CODES, Code

WIDTH: Final = 88


def page(code: Code) -> list[str]:
    """One code, whole."""
    lines = [f"{code.letter}{code.number}  {code.title}"]
    for label, text in (
        ("means", code.meaning),
        ("matters", code.why),
        ("to do", code.what_to_do),
        ("example", code.example),
    ):
        wrapped = textwrap.wrap(text, WIDTH - 11) or [""]
        lines += ["", f"  {label:<8} {wrapped[0]}", *(f"  {'':<8} {line}" for line in wrapped[1:])]
    return lines


def listing() -> list[str]:
    """All codes, a line each."""
    return [f"{code.letter}{code.number}  {code.title}" for code in CODES]
