"""Events into the graph per second, as the machine takes them: decode a batch, move the cursor, apply, look around."""

from __future__ import annotations

import gc
import statistics
from pathlib import Path
from typing import Final

from schemas.batches import decode_batch, decode_raw
from schemas.events import batch_hash
from services.chassis.lifecycle import ShortRuns, settle
from services.resolver.machine import Machine
from services.resolver.signals import BatchSeen
from tests.bench import history
from tests.bench.measuring import Row, cpu_s

ROUNDS: Final = 3
GOAL: Final = 150_000


def run(size: int, file: Path) -> list[Row]:
    """New resources; the same again with new versions (what most events are); decoding alone, side by side."""
    settle()  # as a service does some seconds after its start
    gc.callbacks.append(ShortRuns())  # as every service
    new, changed, decoding = [], [], []
    events = 0
    for _ in range(ROUNDS if size <= 100_000 else 1):
        machine = history.machine()
        events = _feed(machine, file, new, decoding)
        _feed(machine, file, changed, [], again=True)
    return [
        Row("new resources, events/s", events / statistics.median(new), "", GOAL, "more"),
        Row("changed resources, events/s", events / statistics.median(changed), "", GOAL, "more"),
        Row("decoding alone, events/s", events / statistics.median(decoding), ""),
    ]


def _feed(machine: Machine, file: Path, taken_s: list[float], decoding_s: list[float], again: bool = False) -> int:
    total_s = alone_s = 0.0
    events = 0
    chain, base = machine.evidence.chain, machine.evidence.seq
    for payload in history.read(file):
        mine = _next_version(payload, chain, base) if again else payload
        chain = batch_hash(mine)
        total_s += cpu_s(lambda payload=mine: machine.step(BatchSeen(payload), history.MOMENT))
        alone_s += cpu_s(lambda payload=mine: decode_raw(payload))
        events += len(decode_batch(payload).events)
    assert not machine.evidence.wants_resync(history.MOMENT.monotonic_s) or not again, "the chain held"
    taken_s.append(total_s)
    decoding_s.append(alone_s)
    return events


def _next_version(payload: bytes, chain: str, base: int) -> bytes:
    """The same resources as they are told after a change of their status: new resourceVersions, later numbers."""
    batch = decode_batch(payload)
    head = f'"seq":{batch.seq},"prev_hash":"{batch.prev_hash}"'.encode()
    assert head in payload, "as the batcher writes it"
    later = payload.replace(head, f'"seq":{batch.seq + base},"prev_hash":"{chain}"'.encode())
    return later.replace(b'"resource_version":"1', b'"resource_version":"2')
