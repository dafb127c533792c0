"""The longest time for which a resolver's event loop hears nobody else: one step, or Python's garbage collector in it.

Everything becomes known; then the resolver asks its watcher to list again, as after a gap, which takes a digest of each
kind; then all is listed, with mark and sweep per kind; then all Pods vanish, which one event tells and slices carry
out. A step is the longest piece between two awaits (services/resolver/turns.py). CPU time of the thread, so that what
the rest of the machine does is no pause of ours.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

from schemas.batches import decode_batch
from schemas.events import EventBatch, ResourceEvent, batch_hash
from schemas.identity import KindId
from services.chassis.lifecycle import ShortRuns, settle
from services.resolver.machine import Machine
from services.resolver.signals import BatchSeen, Moment, Signal, SweepOn, Tick
from services.watcher.telling.teller import encode_batch
from tests.bench import history
from tests.bench.measuring import Row, cpu_s, percentile

GOAL_MS: Final = 50.0
POD: Final = KindId("Pod")


class Collections:
    """How long the collector ran, each time."""

    def __init__(self) -> None:
        self.times_s: list[float] = []
        self._since_s = 0.0

    def note(self, phase: str, info: dict[str, Any]) -> None:
        """See gc.callbacks."""
        if phase == "start":
            self._since_s = time.thread_time()
        else:
            self.times_s.append(time.thread_time() - self._since_s)


def run(size: int, file: Path) -> list[Row]:
    """The longest step while all is new, and while all is listed again."""
    machine, collections = history.machine(), Collections()
    settle()  # as services/chassis/lifecycle.py does some seconds after the start
    gc.callbacks += [collections.note, ShortRuns()]  # as every service
    new = [_step_s(machine, BatchSeen(payload)) for payload in history.read(file)]
    asking_s = cpu_s(lambda: {kind: machine.graph.digest(kind) for kind in machine.graph.kinds()})
    again = [_step_s(machine, BatchSeen(payload)) for payload in _listed_again(machine, file)]
    marks = [ResourceEvent("sync_start", kind=POD), ResourceEvent("sync_end", kind=POD)]
    gone = [_step_s(machine, BatchSeen(payload)) for payload in _numbered(machine, [marks])]
    while machine.evidence.swept:
        gone.append(_step_s(machine, SweepOn()))
    gone += [
        _step_s(machine, Tick(), later_s) for later_s in range(2, 12)
    ]  # who misses them is looked at a second later
    gc.callbacks.clear()
    return [
        Row("longest pause, all is new", 1e3 * max(new), "ms", GOAL_MS),
        Row("pause, a resync is asked for", 1e3 * asking_s, "ms", GOAL_MS),
        Row("longest pause, all is listed again", 1e3 * max(again), "ms", GOAL_MS),
        Row("the same, p99", 1e3 * percentile(again, 0.99), "ms"),
        Row("longest pause, all Pods vanish in one event", 1e3 * max(gone), "ms", GOAL_MS),
        Row("all Pods vanish in one event, in all", sum(gone), "s"),
        Row("longest run of the garbage collector", 1e3 * max(collections.times_s, default=0.0), "ms", GOAL_MS),
    ]


def _step_s(machine: Machine, signal: Signal, later_s: float = 0.0) -> float:
    moment = Moment(history.MOMENT.monotonic_s + later_s, history.MOMENT.wall)
    start_s = time.thread_time()
    machine.step(signal, moment)
    return time.thread_time() - start_s


def _listed_again(machine: Machine, file: Path) -> Iterator[bytes]:
    """The same batches with a mark and sweep of every kind around them."""
    kinds = [*machine.graph.kinds()]
    starts = [ResourceEvent("sync_start", kind=kind) for kind in kinds]
    ends = [[ResourceEvent("sync_end", kind=kind)] for kind in kinds]
    puts = (decode_batch(payload).events for payload in history.read(file))
    listed = ([one for one in events if one.op == "put"] for events in puts)
    yield from _numbered(machine, chain([starts], filter(None, listed), ends))


def _numbered(machine: Machine, batches: Iterable[list[ResourceEvent]]) -> Iterator[bytes]:
    """As later batches of the same watcher."""
    before, seq = machine.evidence.chain, machine.evidence.seq
    for events in batches:
        payload = encode_batch(EventBatch("event/v1", history.SITE, 1, seq + 1, before, tuple(events)))
        before, seq = batch_hash(payload), seq + len(events)
        yield payload
