"""A fleet → the batches that a watcher publishes of it, in a file, so that who measures does not pay for making them.

surface, every resource (put), every kind confirmed (sync_same)      length-prefixed EventBatch payloads
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from schemas.events import Heartbeat, ResourceEvent
from schemas.identity import SiteName
from schemas.queries import ResyncAnswer
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from services.chassis.lifecycle import settle
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.signals import BatchSeen, BeatSeen, Moment, ResyncAnswered
from services.watcher.telling.batching import Batcher
from tests.bench.fleet import Fleet

SITE: Final = SiteName("lyon")
MOMENT: Final = Moment(1_000.0, datetime(2026, 1, 1, tzinfo=UTC))


def facts(size: int) -> Iterator[ResourceEvent]:
    """What a watcher tells of a fleet after a resync."""
    surface = builtin_surface()
    extractor = Extractor(load_catalogue(), surface)
    yield ResourceEvent("surface", surface=tuple(surface.served.values()))
    for body in Fleet(size).bodies():
        yield ResourceEvent("put", extractor.state(body))
    for kind in surface.served:
        yield ResourceEvent("sync_same", kind=kind)


def batches(events: Iterator[ResourceEvent]) -> Iterator[bytes]:
    """Numbered and chained."""
    batcher = Batcher(SITE, 1)
    for event in events:
        batcher.add(event)
        if batcher.full:
            yield from _drained(batcher)
    yield from _drained(batcher)


def _drained(batcher: Batcher) -> Iterator[bytes]:
    while (batch := batcher.take()) is not None:
        yield batch.payload
        batcher.acknowledge(batch)


def write(size: int, file: Path) -> None:
    """Make the history of a fleet."""
    with file.open("wb") as out:
        for payload in batches(facts(size)):
            out.write(len(payload).to_bytes(4, "big") + payload)


def read(file: Path) -> Iterator[bytes]:
    """Its payloads."""
    with file.open("rb") as source:
        while head := source.read(4):
            yield source.read(int.from_bytes(head, "big"))


def machine() -> Machine:
    """A resolver that has asked its watcher to list and is being told."""
    made = Machine(SITE, load_catalogue(), Policy(), "bench")
    settle()  # as services/resolver/__main__.py
    made.evidence.answered(1, 0, MOMENT.monotonic_s)
    return made


def loaded(file: Path) -> Machine:
    """A resolver that knows the whole history, freshly."""
    made = machine()
    made.step(ResyncAnswered(ResyncAnswer(site=SITE, epoch=1, seq=0, differing=0)), MOMENT)
    for payload in read(file):
        made.step(BatchSeen(payload), MOMENT)
    seq = made.evidence.seq
    made.step(BeatSeen(Heartbeat("heartbeat/v1", SITE, 1, seq, 56, at_s=1.0)), MOMENT)
    assert made.evidence.claim(10.0, MOMENT.monotonic_s).fresh, "the history confirms every kind"
    settle()  # as a service does some seconds after its start
    return made
