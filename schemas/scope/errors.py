"""What is wrong with a scope, and where.

ScopeError(ValueError)     D600: the text, its column, what was expected there, names that look alike
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

WIDTH_MAX: Final = 100  # of the line that is shown: what fits beside a prompt
BEFORE_MAX: Final = 60


class ScopeError(ValueError):
    """A scope that cannot be read or cannot be served.

    message   one sentence, as it stands behind the caret
    column    counted from 1 in the text; 0 = it concerns no place of a text
    expected  what could stand there, in words; () = the language allows it, but it makes no sense
    near      names that look like what stands there
    text      the text that was read
    code      D600, or D601 where the caller knows the sites
    """

    def __init__(
        self,
        message: str,
        column: int = 0,
        expected: Iterable[str] = (),
        near: Iterable[str] = (),
        text: str = "",
        code: str = "D600",
    ) -> None:
        self.message, self.column, self.text, self.code = message, column, text, code
        self.expected, self.near = tuple(expected), tuple(near)
        super().__init__(message, column)

    def __str__(self) -> str:
        if not self.column:
            return self._said
        line, place = _window(self.text, self.column - 1)
        return f"{line}\n{' ' * place}^ {self._said}"

    @property
    def sentence(self) -> str:
        """The same in one line, where no caret can be shown."""
        return f"column {self.column} of the scope: {self._said}" if self.column else self._said

    @property
    def _said(self) -> str:
        return self.message + (f"; did you mean {spoken(self.near, 'or')}?" if self.near else "")


def spoken(words: Iterable[str], last: str) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def _window(text: str, place: int) -> tuple[str, int]:
    """The line to show and where its caret stands. All that was understood is ASCII, so a character is a column."""
    line = "".join(one if one.isprintable() else " " for one in text)
    start = max(0, place - BEFORE_MAX) if len(line) > WIDTH_MAX else 0
    shown = line[start : start + WIDTH_MAX]
    head, tail = "…" if start else "", "…" if start + WIDTH_MAX < len(line) else ""
    return f"{head}{shown}{tail}", place - start + len(head)
