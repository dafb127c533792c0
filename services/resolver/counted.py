"""Heartbeats that count events which are not here yet. Pure.

What they count comes in a moment, or late behind a backlog; when nothing of it comes for a while although heartbeats
do, it is not in the stream any more (a disk that is as it was before, a stream that was purged).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

PENDING_MAX: Final = 120  # two minutes of heartbeats that wait for their events
LOST_AFTER_S: Final = 20.0
BEAT_S_MAX: Final = 2.0  # heartbeats that were kept from us come at once, and before the events: they count for nothing


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat. `sent_s`: on our clock; `seq`: the last event before it."""

    sent_s: float
    seq: int


class Counted:
    """The heartbeats of one epoch."""

    def __init__(self) -> None:
        self._waiting: deque[Beat] = deque(maxlen=PENDING_MAX)
        self._seq, self._still_s, self._last_s = 0, 0.0, float("-inf")

    def add(self, beat: Beat, seq: int, now_s: float) -> bool:
        """One that has come. `seq`: what is here. True when what they count is not to be expected any more."""
        is_moving = beat.seq <= seq or seq != self._seq
        self._still_s = 0.0 if is_moving else self._still_s + min(now_s - self._last_s, BEAT_S_MAX)
        self._seq, self._last_s = seq, now_s
        self._waiting.append(beat)
        if self._still_s < LOST_AFTER_S:
            return False
        self._still_s = 0.0
        return True

    def covered(self, seq: int) -> float | None:
        """When the last of those was sent that count nothing else than what is here; each is told once."""
        sent_s = None
        while self._waiting and self._waiting[0].seq <= seq:
            mine = self._waiting.popleft().sent_s
            sent_s = mine if sent_s is None else max(mine, sent_s)
        return sent_s

    def clear(self) -> None:
        """Another epoch begins."""
        self._waiting.clear()
        self._still_s = 0.0
