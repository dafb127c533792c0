"""Every code: a number that names the finding and is stable, and the letter that it has by default.

D deny · F defer · W warning on an allow · N note · A alert. A policy may change the letter; the number never changes.
"""

from __future__ import annotations

from typing import Final

from schemas.codes.alerts import ALERTS
from schemas.codes.code import Code
from schemas.codes.knowing import KNOWING
from schemas.codes.making import MAKING
from schemas.codes.taking_away import TAKING_AWAY

__all__ = ["CODES", "Code", "find"]

CODES: Final = (*MAKING, *TAKING_AWAY, *KNOWING, *ALERTS)


def find(text: str) -> Code | None:
    """`D310`, or `310`; the letter may be another than the default one. None when there is no such code."""
    wanted = text.strip().upper()
    letter, number = (wanted[0], wanted[1:]) if wanted[:1].isalpha() else ("", wanted)
    found = [code for code in CODES if code.number == number]
    exact = [code for code in found if code.letter == letter]
    others = [code for code in found if code.letter != "A" or not letter or letter == "A"]
    return next(iter([*exact, *others]), None)
