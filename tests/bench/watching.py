"""Watch → batch in the watcher, one core: bytes as they come from an API server, to batches ready to be published.

    chunks of 64 KiB ─▶ lines ─▶ observations ─▶ what the bus must be told ─▶ numbered, chained batches

The same chunks are split into lines and no more, in turns, for comparison. First every object is new to the extractor,
which has read some others of each kind; then all of them come again at another version, which is what most lines of a
watch are. What was there before counts as staying, as in services/watcher/__main__.py. CPU time of the thread.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from schemas.events import ServedKind
from schemas.identity import KindId, kind_id
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.resting import Resting
from schemas.relations.surface import builtin_surface
from services.chassis.lifecycle import settle
from services.watcher.__main__ import RESTING_MAX
from services.watcher.kubernetes.discovery import Resource
from services.watcher.kubernetes.lines import LineSplitter
from services.watcher.kubernetes.reading import WatchReading
from services.watcher.kubernetes.shaping import Shaping
from services.watcher.source import Listed, Listing
from services.watcher.telling.batching import Batcher
from services.watcher.telling.following import KindFollower
from tests.bench.fleet import Body, Fleet
from tests.bench.full_pods import full_pods
from tests.bench.history import SITE
from tests.bench.measuring import Row, cpu_s

SAMPLE: Final = 10_000  # lines: more of them change nothing
WARM: Final = 200  # of another cluster: how a kind is read is worked out once, 3 ms each
CHUNK_BYTES: Final = 64 * 1024
ROUNDS: Final = 3
GOAL: Final = 60_000
Chunks = list[bytes]


class Watched:
    """One kind as the watcher follows it, with its chunks."""

    def __init__(self, served: ServedKind, shaping: Shaping) -> None:
        group, _, kind = served.kind.rpartition("/")
        resource = Resource(group, served.versions[0], kind, served.plural, served.namespaced)
        self.follower = KindFollower(served, announce=True)
        self._reading = WatchReading(resource, self.follower.wants, shaping, Counter())
        self._splitter = LineSplitter()
        for observation in (Listing(), Listed()):
            list(self.follower.take(observation))

    def read(self, chunk: bytes, batcher: Batcher) -> None:
        """As services/watcher/kubernetes/kind_loop.py and services/watcher/service.py do it."""
        for line in self._splitter.feed(chunk):
            for observation in self._reading.line(line, listing=False):
                for event in self.follower.take(observation):
                    batcher.add(event)


class Taken(NamedTuple):
    """Events, or lines, a second."""

    new: float
    changed: float
    split: float


def run(size: int, file: Path) -> list[Row]:
    """New objects, the same objects again, and splitting alone; then the same of Pods as clusters hold them."""
    usual, full = _taken(list(Fleet(min(size, SAMPLE)).bodies())), _taken(list(full_pods(min(size, SAMPLE) // 4)))
    return [
        Row("watch → batch, new objects, events/s", usual.new, "", GOAL, "more"),
        Row("watch → batch, changed objects, events/s", usual.changed, "", GOAL, "more"),
        Row("splitting the same lines, lines/s", usual.split, ""),
        Row("watch → batch, new Pods of 7 kB, events/s", full.new, ""),
        Row("watch → batch, changed Pods of 7 kB, events/s", full.changed, ""),
        Row("splitting their lines, lines/s", full.split, ""),
    ]


def _taken(bodies: list[Body]) -> Taken:
    first, again = (_chunks(bodies, version) for version in (1, 2))
    fresh, known, split = [], [], []
    for _ in range(ROUNDS):
        kinds, batcher = _watching(first), Batcher(SITE, 1)
        fresh.append(cpu_s(lambda kinds=kinds, batcher=batcher: _watch(kinds, first, batcher)))
        known.append(cpu_s(lambda kinds=kinds, batcher=batcher: _watch(kinds, again, batcher)))
        split.append(cpu_s(lambda: _split(first)))
        assert batcher.acknowledged >= 2 * len(bodies), "every line was told"
    return Taken(*(len(bodies) / statistics.median(one) for one in (fresh, known, split)))


def _watching(chunks: dict[KindId, Chunks]) -> dict[KindId, Watched]:
    """A watcher that has read a few objects of each of these kinds, and none of these."""
    surface = builtin_surface()
    shaping = Shaping(lambda one: Extractor(load_catalogue(), one, Resting(RESTING_MAX)))
    shaping.use(surface)
    others = _chunks(list(Fleet(WARM, seed=1).bodies()), 1)
    _watch({kind: Watched(surface.served[kind], shaping) for kind in others}, others, Batcher(SITE, 1))
    made = {kind: Watched(surface.served[kind], shaping) for kind in chunks}
    settle()
    return made


def _watch(kinds: dict[KindId, Watched], chunks: dict[KindId, Chunks], batcher: Batcher) -> None:
    for kind, watched in kinds.items():
        for chunk in chunks[kind]:
            watched.read(chunk, batcher)
            _drain(batcher)


def _drain(batcher: Batcher) -> None:
    while (batch := batcher.take()) is not None:
        batcher.acknowledge(batch)


def _split(chunks: dict[KindId, Chunks]) -> None:
    for mine in chunks.values():
        splitter = LineSplitter()
        for chunk in mine:
            splitter.feed(chunk)


def _chunks(bodies: list[Body], version: int) -> dict[KindId, Chunks]:
    """What an API server would send of each kind."""
    streams: defaultdict[KindId, list[bytes]] = defaultdict(list)
    for body in bodies:
        metadata = {**body["metadata"], "resourceVersion": f"{version}{body['metadata']['resourceVersion']}"}
        line = {"type": "ADDED" if version == 1 else "MODIFIED", "object": {**body, "metadata": metadata}}
        group = body["apiVersion"].rpartition("/")[0]
        streams[kind_id(group, body["kind"])].append(msgspec.json.encode(line) + b"\n")
    return {kind: list(_cut(b"".join(lines))) for kind, lines in streams.items()}


def _cut(stream: bytes) -> Iterator[bytes]:
    for place in range(0, len(stream), CHUNK_BYTES):
        yield stream[place : place + CHUNK_BYTES]
