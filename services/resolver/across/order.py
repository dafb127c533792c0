"""A hybrid logical clock: an order of all intents that agrees with cause and, nearly, with the wall clocks. Pure.

One number: milliseconds of the wall clock in the upper bits, a counter in the lower 16 (Kulkarni and others, 2014).
Clocks that are off by an hour give an unfair order and never a wrong one: ties and doubt go to the intent's id.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from schemas.ties import COUNTER_BITS, first_stamp

AHEAD_MAX_MS: Final = 24 * 3600 * 1000  # a peer's stamp further in the future than this is not followed


class HybridClock:
    """Grows with every stamp that is made or heard."""

    def __init__(self) -> None:
        self._last = 0

    def stamp(self, wall: datetime) -> int:
        """Later than everything that was made or heard here before."""
        self._last = max(self._last + 1, first_stamp(wall))
        return self._last

    def hear(self, stamp: int, wall: datetime) -> bool:
        """A peer has made this one; False when it is not followed."""
        if stamp > first_stamp(wall) + (AHEAD_MAX_MS << COUNTER_BITS):
            return False
        self._last = max(self._last, stamp)
        return True
