"""Signs, words, colours and width: a sign and a word, never colour alone."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from dataclasses import dataclass, replace
from typing import Final

DECISION_STYLES: Final = {"allow": "green", "deny": "red", "defer": "yellow", "undo": "yellow"}
WIDTH_MIN: Final = 40  # of names and fields alone hardly less can be read
_ANSI: Final = {"green": "32", "red": "31", "yellow": "33", "bold": "1", "dim": "2", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Signs:
    """The characters of one output, whether it takes colour, and how wide it is (0: a pipe, nothing is cut)."""

    allow: str = "✓"
    deny: str = "✗"
    defer: str = "?"
    branch: str = "├─ "
    last: str = "└─ "
    pipe: str = "│  "
    gap: str = "   "
    undo: str = "↩"
    ellipsis: str = "…"
    dot: str = "·"
    arrow: str = "→"
    colour: bool = False
    width: int = 0

    def decision(self, decision: str) -> str:
        """`✓ ALLOW`, coloured."""
        sign = {"allow": self.allow, "deny": self.deny, "defer": self.defer, "undo": self.undo}[decision]
        return self.paint(f"{sign} {decision.upper()}", DECISION_STYLES[decision])

    def paint(self, text: str, style: str) -> str:
        """Colour for a terminal that wants it."""
        return f"\x1b[{_ANSI[style]}m{text}\x1b[0m" if self.colour and text else text

    @property
    def plain(self) -> Signs:
        """The same without colour, to measure with."""
        return replace(self, colour=False)

    def wrapped(self, text: str, hanging: str = "", lead: str = "") -> list[str]:
        """Lines of at most the width, `hanging` before all but the first; words (names, commands) are never broken."""
        if not self.width or len(lead) + len(text) <= self.width:
            return [f"{lead}{text}"]
        return textwrap.wrap(
            text,
            self.width,
            initial_indent=lead,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
            expand_tabs=False,
        )

    def cut(self, text: str, room: int) -> str:
        """At most `room` characters, the end marked; everything where the width is free."""
        if not self.width or len(text) <= room:
            return text
        return text[: max(0, room - len(self.ellipsis))] + self.ellipsis


ASCII: Final = Signs("+", "x", "?", "|- ", "`- ", "|  ", "   ", "<", "...", "-", "->")


def signs_for(ascii_only: bool) -> Signs:
    """For stdout as it is: NO_COLOR, FORCE_COLOR, a pipe, COLUMNS, an encoding without our signs are respected."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    terminal = sys.stdout.isatty()
    wanted = os.environ.get("FORCE_COLOR") or (terminal and os.environ.get("TERM") != "dumb")
    colour = bool(wanted) and not os.environ.get("NO_COLOR")
    base = ASCII if ascii_only or not encoding.startswith("utf") else Signs()
    return replace(base, colour=colour, width=_width(terminal))


def _width(terminal: bool) -> int:
    """COLUMNS, else the terminal's; a pipe without COLUMNS is as wide as its lines."""
    if os.environ.get("COLUMNS", "").isdigit():
        return max(WIDTH_MIN, int(os.environ["COLUMNS"]))
    return max(WIDTH_MIN, shutil.get_terminal_size().columns) if terminal else 0
