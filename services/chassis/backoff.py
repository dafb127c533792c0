"""Failures in a row → how long to wait. Pure, apart from the randomness that it is given.

Full jitter: many loops that fail together (an API server restart) must not come back together.
"""

from __future__ import annotations

import random


class Backoff:
    """Delays that double from `min_s` up to `max_s`, jittered; what the other side asks for is a minimum."""

    def __init__(self, min_s: float, max_s: float, randomness: random.Random) -> None:
        self._min_s = min_s
        self._max_s = max_s
        self._random = randomness
        self.failures = 0

    def next(self, retry_after_s: float | None = None) -> float:
        """Seconds to wait after one more failure. A `Retry-After` is kept, with up to a tenth on top, and bounded."""
        ceiling_s = min(self._max_s, self._min_s * 2 ** min(self.failures, 30))
        self.failures += 1
        wait_s = self._random.uniform(self._min_s, ceiling_s)
        if retry_after_s is not None:
            asked_s = min(max(retry_after_s, 0.0), 10 * self._max_s)
            wait_s = max(wait_s, asked_s * self._random.uniform(1.0, 1.1))
        return wait_s

    def reset(self) -> None:
        """It worked."""
        self.failures = 0
