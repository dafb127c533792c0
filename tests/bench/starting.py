"""How long a command takes to start, against `python -c pass` in the same turns. Wall clock: a person waits for it.

What else runs on the machine falls on all three; each turn's ratio is told beside the seconds, and so is the CPU time,
which is what a person waits where a core is free.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.bench.fleet import Fleet
from tests.bench.measuring import Row

TURNS: Final = 11
HELP_GOAL_S: Final = 0.3
RELATIONS_GOAL_S: Final = 0.6


def run(size: int, file: Path) -> list[Row]:
    """`cheops --help`, `cheops relations` on one file, and nothing at all."""
    manifests = file.with_suffix(".json")
    body = next(one for one in Fleet(200).bodies() if one["kind"] == "Deployment")
    manifests.write_text(json.dumps(body))
    cheops = str(Path(sys.executable).with_name("cheops"))
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "cheops --help": [cheops, "--help"],
        "cheops relations, one file": [cheops, "relations", "-f", str(manifests)],
    }
    times: dict[str, list[float]] = {what: [] for what in commands}
    cpu_s: dict[str, list[float]] = {what: [] for what in commands}
    for turn in range(TURNS + 1):
        for what, command in commands.items():
            start_s, before_s = time.perf_counter(), _children_s()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            if turn:  # the first one fills the caches of the disk
                times[what].append(time.perf_counter() - start_s)
                cpu_s[what].append(_children_s() - before_s)
    nothing, helped, related = times.values()
    return [
        Row("python -c pass", statistics.median(nothing), "s"),
        Row("cheops --help", statistics.median(helped), "s", HELP_GOAL_S),
        Row("cheops relations, one file", statistics.median(related), "s", RELATIONS_GOAL_S),
        Row("cheops relations, against python -c pass", _ratio(related, nothing), "×"),
        *(Row(f"{what}, CPU", statistics.median(spent), "s") for what, spent in cpu_s.items()),
    ]


def _children_s() -> float:
    """Seconds of CPU that children which have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
