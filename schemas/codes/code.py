"""What a code is: a number that names the finding and is stable, and the letter that it has by default."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One finding: what it means, why it matters, what to do, an example."""

    letter: str
    number: str
    title: str
    meaning: str
    why: str
    what_to_do: str
    example: str
