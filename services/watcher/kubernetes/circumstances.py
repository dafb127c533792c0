"""What all kind loops of one API server share: its transport, the bounds, the gate for lists, the counters."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from services.watcher.kubernetes.lines import LINE_BYTES_MAX
from services.watcher.kubernetes.rights import Rights
from services.watcher.kubernetes.shaping import Shaping
from services.watcher.kubernetes.transport import SILENCE_S, Transport

LISTS_AT_ONCE = 6  # API servers charge a list more than a watch that is resumed


@dataclass(frozen=True, slots=True)
class LoopTiming:
    """Bounds of one loop. Tests make them small."""

    silence_s: float = SILENCE_S
    backoff_min_s: float = 0.1
    backoff_max_s: float = 30.0
    settled_s: float = 10.0  # a watch that lasted this long was no failure
    forbidden_retry_s: float = 30.0
    watch_min_s: int = 240
    watch_max_s: int = 480
    page_limit: int = 500
    line_bytes_max: int = LINE_BYTES_MAX


@dataclass(slots=True)
class Circumstances:
    """Shared by the loops of one API server. `watch_list` turns False for all when one finds that it does not work."""

    transport: Transport
    shaping: Shaping
    randomness: random.Random
    clock: Callable[[], float]
    timing: LoopTiming = field(default_factory=LoopTiming)
    watch_list: bool = True
    lists: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LISTS_AT_ONCE))
    counters: Counter[str] = field(default_factory=Counter)
    rights: Rights = field(default_factory=Rights)

    def forbidden_wait_s(self) -> float:
        """Without a change of rights that can be seen; jittered so that a hundred kinds do not ask at once."""
        return self.timing.forbidden_retry_s * self.randomness.uniform(0.8, 1.2)
