"""Taking a snapshot of a graph, and starting from it: what it costs, in slices, and the time to the first verdict.

One process takes in the history and writes; this one reads, as `ResolverService.run` does, and decides. CPU of the
process: a thread reads the file.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from schemas import subjects
from schemas.events import Heartbeat
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.streams import ensure_streams
from services.resolver.beginning import Beginning
from services.resolver.graph.snapshot import Copying
from services.resolver.machine import Machine
from services.resolver.outgoing import Outgoing
from services.resolver.signals import BeatSeen
from services.resolver.snapshots import CURRENT, End, Head, Snapshots
from tests.bench import history
from tests.bench.fleet import HUB
from tests.bench.measuring import Row, resident
from tests.bench.verdicts import intent

START_GOAL_S: Final = 10.0
PAUSE_GOAL_MS: Final = 50.0
MEMORY_GOAL_KB: Final = 0.7


def run(size: int, file: Path) -> list[Row]:
    """Written by another process, read by this one."""
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    writer = context.Process(target=_write, args=(file, told))
    writer.start()
    written: list[Row] = told.get()
    writer.join()
    return [*written, *asyncio.run(_read(file))]


def _write(file: Path, told: Any) -> None:
    machine = history.loaded(file)
    standing = machine.evidence.standing()
    assert standing is not None, "the history confirms every kind"
    snapshots = _snapshots(file)
    head = Head(history.SITE, snapshots.made_by, 1, 0, (), standing)
    graph, slices_s = machine.graph, [0.0]
    chunks = Copying(graph).chunks()
    before_s = time.thread_time()
    for act in snapshots.acts(head, chunks, lambda: End(standing.epoch, standing.seq, len(graph.parts.names))):
        slices_s.append(time.thread_time() - before_s)
        act()  # in a thread, in a service
        before_s = time.thread_time()
    written = (snapshots.folder / CURRENT).stat().st_size
    told.put(
        [
            Row("taking a snapshot, CPU of the loop", sum(slices_s), "s"),
            Row("longest pause by it", 1e3 * max(slices_s), "ms", PAUSE_GOAL_MS),
            Row("size of the file", written / 1e6, "MB"),
        ]
    )


async def _read(file: Path) -> list[Row]:
    bus, machine = MemoryBus(), history.machine()
    await ensure_streams(bus, history.SITE)
    *_, last = history.read(file)
    await bus.publish(subjects.event(history.SITE), last, message_id="last")
    out = Outgoing(history.SITE, bus, lambda: history.MOMENT)
    before, start_s, wall_s = resident(), time.process_time(), time.perf_counter()
    pauses_s: list[float] = []
    watching = asyncio.create_task(_watch(pauses_s, time.thread_time))
    await Beginning(bus, machine, out, _snapshots(file)).run(history.MOMENT)
    machine.step(_beat(machine), history.MOMENT)
    verdict = machine.preview(intent("delete", resources=(HUB,)), history.MOMENT)
    start_s, wall_s = time.process_time() - start_s, time.perf_counter() - wall_s
    watching.cancel()
    assert all(one.fresh for one in verdict.evidence), "nothing had to be listed"
    count = machine.graph.resource_count
    return [
        Row("cold start: from a snapshot to the first verdict", start_s, "s", START_GOAL_S),
        Row("the same, as a clock on the wall says", wall_s, "s"),
        Row("longest pause of the loop by it", 1e3 * max(pauses_s), "ms"),
        Row("resident after it, kB a resource", (resident() - before) / count / 1e3, "kB", MEMORY_GOAL_KB),
    ]


async def _watch(pauses_s: list[float], clock_s: Callable[[], float]) -> None:
    """CPU time of this thread between two turns of a task that never waits: what comes between is not ours."""
    before_s = clock_s()
    while True:
        await asyncio.sleep(0)
        pauses_s.append(clock_s() - before_s)
        before_s = clock_s()


def _beat(machine: Machine) -> BeatSeen:
    return BeatSeen(Heartbeat("heartbeat/v1", history.SITE, 1, machine.evidence.seq, 56, at_s=1.0))


def _snapshots(file: Path) -> Snapshots:
    return Snapshots(file.with_suffix(".snapshots"), history.SITE, "bench")
