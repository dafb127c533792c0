"""How long a command takes to start, against `python -c pass` in the same turns. Wall clock: a person waits for it.

What else runs on the machine falls on all three; each turn's ratio is told beside the seconds.
"""

from __future__ import annotations

import json
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
    for turn in range(TURNS + 1):
        for what, command in commands.items():
            start_s = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            if turn:  # the first one fills the caches of the disk
                times[what].append(time.perf_counter() - start_s)
    nothing, helped, related = times.values()
    return [
        Row("python -c pass", statistics.median(nothing), "s"),
        Row("cheops --help", statistics.median(helped), "s", HELP_GOAL_S),
        Row("cheops relations, one file", statistics.median(related), "s", RELATIONS_GOAL_S),
        Row("cheops relations, against python -c pass", _ratio(related, nothing), "×"),
    ]


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
