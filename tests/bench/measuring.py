"""Measuring: CPU time of this thread, so that other work on the machine shows less; rows that a table is made of."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple


class Row(NamedTuple):
    """One measured thing. `goal` None: nothing is promised; `better`: which way is good."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    better: Literal["more", "less"] = "less"

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.better == "more" else self.value <= self.goal


def cpu_s(act: Callable[[], object]) -> float:
    """Seconds of CPU that an act takes on this thread."""
    start_s = time.thread_time()
    act()
    return time.thread_time() - start_s


def spent_s(pid: int) -> float:
    """Seconds of CPU that a process has taken, its threads with it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident() -> int:
    """Bytes of memory that this process has."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def spread(what: str, values_s: Sequence[float], p99_goal_ms: float | None = None) -> list[Row]:
    """Median and p99 in milliseconds."""
    return [
        Row(f"{what}, p50", 1e3 * statistics.median(values_s), "ms"),
        Row(f"{what}, p99", 1e3 * percentile(values_s, 0.99), "ms", p99_goal_ms),
    ]


UNITS: Final = {"k": 1_000, "m": 1_000_000}


def parse_sizes(text: str) -> list[int]:
    """`10k,100k,1M` → numbers."""
    words = [one for one in text.lower().split(",") if one]
    return [int(one[:-1]) * UNITS[one[-1]] if one[-1] in UNITS else int(one) for one in words]


def shown_size(size: int) -> str:
    """10000 → 10k."""
    for unit, many in (("M", UNITS["m"]), ("k", UNITS["k"])):
        if size % many == 0:
            return f"{size // many}{unit}"
    return str(size)
