"""Bytes that a resolver takes for each resource: resident memory, and what Python allocated for it."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Final

from services.resolver.signals import BatchSeen
from tests.bench import history
from tests.bench.measuring import Row, resident

GOAL_KB: Final = 0.7
TRACED_SIZE_MAX: Final = 100_000  # tracing takes longer than the thing itself


def run(size: int, file: Path) -> list[Row]:
    """Resident first, in a process that did nothing else before."""
    machine = history.machine()
    before = resident()
    for payload in history.read(file):
        machine.step(BatchSeen(payload), history.MOMENT)
    gc.collect()
    count = machine.graph.resource_count
    rows = [
        Row("resident kB a resource", (resident() - before) / count / 1000, "kB", GOAL_KB),
        Row("references a resource", machine.graph.edge_count / count, ""),
    ]
    if size > TRACED_SIZE_MAX:
        return rows
    del machine
    gc.collect()
    tracemalloc.start(1)
    machine = history.machine()
    begin, _ = tracemalloc.get_traced_memory()
    for payload in history.read(file):
        machine.step(BatchSeen(payload), history.MOMENT)
    del payload
    gc.collect()
    end, _ = tracemalloc.get_traced_memory()
    return [*rows, Row("allocated kB a resource", (end - begin) / count / 1000, "kB", GOAL_KB)]
