"""Signs, words and colours: a sign and a word, never colour alone."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Final

DECISION_STYLES: Final = {"allow": "green", "deny": "red", "defer": "yellow"}
_ANSI: Final = {"green": "32", "red": "31", "yellow": "33", "bold": "1", "dim": "2", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Signs:
    """The characters of one output, and whether it takes colour."""

    allow: str = "✓"
    deny: str = "✗"
    defer: str = "?"
    branch: str = "├─ "
    last: str = "└─ "
    pipe: str = "│  "
    gap: str = "   "
    ellipsis: str = "…"
    colour: bool = False

    def decision(self, decision: str) -> str:
        """`✓ ALLOW`, coloured."""
        sign = {"allow": self.allow, "deny": self.deny, "defer": self.defer}[decision]
        return self.paint(f"{sign} {decision.upper()}", DECISION_STYLES[decision])

    def paint(self, text: str, style: str) -> str:
        """Colour for a terminal that wants it."""
        return f"\x1b[{_ANSI[style]}m{text}\x1b[0m" if self.colour else text


ASCII: Final = Signs("+", "x", "?", "|- ", "`- ", "|  ", "   ", "...")


def signs_for(ascii_only: bool) -> Signs:
    """For stdout as it is: NO_COLOR, a pipe and an encoding without our signs are respected."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    base = ASCII if ascii_only or not encoding.startswith("utf") else Signs()
    return Signs(**{**{name: getattr(base, name) for name in base.__slots__}, "colour": colour})
