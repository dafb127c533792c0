"""Whoever asks one question after another is answered by a process that is awake.

    question, soon after the last answer ─▶ its answer ─▶ look for the next one for a moment, before the loop sleeps

A process that sleeps is woken after some 50 µs, and finds caches and branch predictors of its core cold: a short answer
then takes several times as long (docs/adr/0027). So the loop polls for a moment instead of waiting, as networks do
(busy polling). A lone question costs nothing; one in a row costs as much of a core as passes until the next, AWAKE_S at
most, and what else the loop has to do, or wants to run on the core, goes first.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import perf_counter
from typing import Final

AWAKE_S: Final = 0.000_3
PROMPT_S: Final = 0.001  # a question that comes later is a lone one

yield_core: Final[Callable[[], None]] = getattr(os, "sched_yield", lambda: None)  # not everywhere


class Awake:
    """Keeps a loop from sleeping; make it inside the loop. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._answered_s = -PROMPT_S
        self._until_s = 0.0
        self._looks = False

    def asked(self) -> bool:
        """A question has come; whether another is likely to follow its answer at once."""
        return self._clock() - self._answered_s <= PROMPT_S

    def answered(self, *, in_a_row: bool) -> None:
        """Its answer has left."""
        self._answered_s = self._clock()
        if not in_a_row:
            return
        self._until_s = self._answered_s + AWAKE_S
        if not self._looks:
            self._looks = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        """One turn of the loop, which looks for what has come."""
        self._looks = self._clock() < self._until_s
        if self._looks:
            yield_core()
            self._loop.call_soon(self._look)
