"""When a deferred intent of several sites begins again by itself. Pure.

It begins again by event; this is for an event that never comes: after half a minute, then more and more seldom.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

TRY_AGAIN_S: Final = 30.0
TRY_AGAIN_MAX_S: Final = 120.0


@dataclass(slots=True)
class Retries:
    """By intent: the time of the next try, and how long it was waited for."""

    _next_s: dict[str, float] = field(default_factory=dict)
    _pause_s: dict[str, float] = field(default_factory=dict)
    _hurried: set[str] = field(default_factory=set)  # since the last pause

    def begun(self, intent_id: str, now_s: float, pause_s: float) -> None:
        """It begins now; the next time after this pause, unless it is woken."""
        self._next_s[intent_id], self._pause_s[intent_id] = now_s + pause_s, pause_s

    def at_once(self, intent_id: str) -> None:
        """What it was told is out of date already."""
        self._next_s[intent_id] = 0.0

    def hurries(self, intent_id: str) -> bool:
        """Whether it may begin before its pause is over, since an answer came late: once, however slow a site is."""
        may = intent_id not in self._hurried
        self._hurried.add(intent_id)
        return may

    def is_due(self, intent_id: str, now_s: float) -> bool:
        """Whether it has waited long enough."""
        return now_s >= self._next_s.get(intent_id, 0.0)

    def pause_s(self, intent_id: str) -> float:
        """The one that it waits for."""
        return self._pause_s.get(intent_id, TRY_AGAIN_S)

    def next_pause_s(self, intent_id: str) -> float:
        """It has waited for its pause; the next one is twice as long, within bounds."""
        self._hurried.discard(intent_id)
        return min(2 * self._pause_s.get(intent_id, TRY_AGAIN_S / 2), TRY_AGAIN_MAX_S)

    def forget(self, intent_id: str) -> None:
        """It is decided."""
        self._next_s.pop(intent_id, None)
        self._pause_s.pop(intent_id, None)
        self._hurried.discard(intent_id)
