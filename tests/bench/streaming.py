"""Events from a JetStream stream into the graph: read, decoded, applied, acknowledged; against reading them alone.

A watcher's history is stored, batch after batch, on a nats-server with the sandbox's settings. Then it is read twice in
turns by two durable consumers: one acknowledges and does no more, the other is a resolver's machine, as
services/resolver/service.py feeds it. CPU time of the reading thread, the server's is another process's.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

import uvloop

from cheops.sandbox.natsserver import NatsServer
from schemas import subjects
from schemas.events import batch_hash
from services.chassis.bus import nats as adapter
from services.chassis.bus.port import Bus
from services.chassis.bus.streams import ensure_streams
from services.chassis.lifecycle import ShortRuns, settle
from services.resolver.service import EVENTS_FETCH_MAX, FETCH_WAIT_S
from services.resolver.signals import BatchSeen
from tests.bench import history
from tests.bench.history import SITE
from tests.bench.measuring import Row

BATCHES_MAX: Final = 400  # a hundred thousand events: more of them change nothing
GOAL: Final = 150_000
STORED_GOAL: Final = 50_000


def run(size: int, file: Path) -> list[Row]:
    """Store, read alone, read into the graph."""
    payloads = list(islice(history.read(file), BATCHES_MAX))
    settle()  # as a service does some seconds after its start
    gc.callbacks.append(ShortRuns())  # as every service
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(payloads, file.with_suffix(".stream")))


async def _run(payloads: list[bytes], folder: Path) -> list[Row]:
    machine = history.machine()
    async with NatsServer(folder, SITE) as server:
        bus = await adapter.connect(server.url, name="bench")
        await ensure_streams(bus, SITE)
        stored_s = await _store(bus, payloads)
        alone_s = await _read(bus, "alone", len(payloads), lambda payload: None)
        taken_s = await _read(
            bus, "graph", len(payloads), lambda payload: machine.step(BatchSeen(payload), history.MOMENT)
        )
        await bus.close()
    events = machine.evidence.seq
    return [
        Row("stream → graph, decoding included, events/s", events / taken_s, "", GOAL, "more"),
        Row("reading and acknowledging the same bytes, events/s", events / alone_s, ""),
        Row("stored durably, events/s (wall clock)", events / stored_s, "", STORED_GOAL, "more"),
    ]


async def _store(bus: Bus, payloads: list[bytes]) -> float:
    start_s = time.perf_counter()
    for payload in payloads:  # one after the other, as a watcher does: they are a chain
        await bus.publish(subjects.event(SITE), payload, message_id=batch_hash(payload))
    return time.perf_counter() - start_s


async def _read(bus: Bus, durable: str, count: int, take: Callable[[bytes], object]) -> float:
    reader = await bus.reader("EVENTS", durable, subjects.event(SITE), ack="all")
    start_s = time.thread_time()
    while count > 0:
        deliveries = await reader.fetch(EVENTS_FETCH_MAX, FETCH_WAIT_S)
        for delivery in deliveries:
            take(delivery.message.payload)
        if deliveries:
            await reader.ack_all(deliveries[-1])
            count -= len(deliveries)
    taken_s = time.thread_time() - start_s
    await reader.close()
    return taken_s
