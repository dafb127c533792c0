"""A whole cluster listed by a watcher: what it keeps of each object, and for how long its event loop hears nobody else.

    files as an API server ─▶ the loop of each kind ─▶ follower ─▶ publisher ─▶ a bus that keeps nothing

The watcher is the whole one (services/watcher/service.py). It starts, which tells nothing; then a resolver that has
nothing asks, so that all is read and told; then everything vanishes while nobody watches, and is listed again. Once by
pages, once by streams (WatchList). A piece is what one callback of the loop takes, CPU time of the thread.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from asyncio.events import Handle
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas import subjects
from schemas.events import ServedKind
from schemas.identity import KindId, kind_id
from schemas.queries import ResyncRequest
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.resting import Resting
from schemas.relations.surface import builtin_surface
from services.chassis.bus.memory import MemoryBus
from services.chassis.lifecycle import ShortRuns, settle
from services.watcher.__main__ import RESTING_MAX
from services.watcher.kubernetes.circumstances import Circumstances, LoopTiming
from services.watcher.kubernetes.discovery import Resource
from services.watcher.kubernetes.kind_loop import KindLoop
from services.watcher.kubernetes.shaping import Shaping
from services.watcher.kubernetes.transport import READ_BUFFER_BYTES
from services.watcher.service import Watcher
from services.watcher.source import Observation, Wants
from tests.bench.fleet import Body, Fleet
from tests.bench.full_pods import full_pods
from tests.bench.history import SITE
from tests.bench.measuring import Row, resident

GOAL_MS: Final = 50.0
PAGE: Final = LoopTiming().page_limit
CHUNK_BYTES: Final = 2 * READ_BUFFER_BYTES  # as many as are read at one go at most
FULL_MAX: Final = 10_000
STREAMED_MAX: Final = 100_000  # more of them change nothing there, and take minutes
ANSWER_TIMEOUT_S: Final = 60.0
VERSION: Final = "9000000"


class Files:
    """An API server: objects by kind in two files each, one of pages and one of a stream. `empty`: all have gone."""

    def __init__(self, folder: Path, bodies: Iterable[Body]) -> None:
        self._folder, self.counts, self.empty = folder, Counter[KindId](), False
        self._pages: defaultdict[KindId, list[int]] = defaultdict(list)  # where each begins
        folder.mkdir(parents=True)
        with ExitStack() as files:
            opened = cache(lambda kind, form: files.enter_context(self._file(kind, form).open("wb")))
            for body in bodies:
                kind, item = kind_id(body["apiVersion"].rpartition("/")[0], body["kind"]), msgspec.json.encode(body)
                pages = opened(kind, "pages")
                if self.counts[kind] % PAGE == 0:
                    self._pages[kind].append(pages.tell())
                pages.write(item + b",")
                opened(kind, "stream").write(b'{"type":"ADDED","object":' + item + b"}\n")
                self.counts[kind] += 1

    def _file(self, kind: KindId, form: str) -> Path:
        return self._folder / f"{kind.replace('/', '_')}.{form}"

    def page(self, kind: KindId, place: int) -> bytes:
        """One page of a list, of the place that a former one has named."""
        if self.empty:
            return b'{"metadata":{"resourceVersion":"%s"},"items":[]}' % VERSION.encode()
        starts = self._pages[kind]
        with self._file(kind, "pages").open("rb") as file:
            file.seek(starts[place])
            size = starts[place + 1] - starts[place] if place + 1 < len(starts) else -1
            items = file.read(size)
        following = f'"continue":"{place + 1}",' if place + 1 < len(starts) else ""
        return b'{"metadata":{%s"resourceVersion":"%s"},"items":[%s]}' % (
            following.encode(),
            VERSION.encode(),
            items[:-1],
        )

    def chunks(self, kind: KindId) -> Iterator[bytes]:
        """A WatchList: all of it, and the bookmark that ends it."""
        if not self.empty:
            with self._file(kind, "stream").open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    yield chunk
        metadata = {"resourceVersion": VERSION, "annotations": {"k8s.io/initial-events-end": "true"}}
        yield msgspec.json.encode({"type": "BOOKMARK", "object": {"metadata": metadata}}) + b"\n"


class FromFiles:
    """Stands in for services/watcher/kubernetes/transport.py: an answer comes when everybody else had a turn."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._kinds = {_resource(served).path: served.kind for served in builtin_surface().served.values()}

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> bytes:
        await asyncio.sleep(0)
        return self._files.page(self._kinds[path], int((params or {}).get("continue", 0)))

    @asynccontextmanager
    async def lines(self, path: str, params: Mapping[str, str]) -> AsyncIterator[AsyncGenerator[bytes, None]]:
        yield self._chunks(self._kinds[path], "sendInitialEvents" in params)

    async def _chunks(self, kind: KindId, listing: bool) -> AsyncGenerator[bytes, None]:
        for chunk in self._files.chunks(kind) if listing else ():
            await asyncio.sleep(0)
            yield chunk
        await asyncio.Event().wait()  # nothing changes any more
        yield b""

    async def close(self) -> None:
        pass


class Cluster:
    """Stands in for services/watcher/kubernetes/cluster.py, which would discover what these files serve."""

    def __init__(self, files: Files, *, watch_list: bool) -> None:
        self._served = tuple(builtin_surface().served[kind] for kind in sorted(files.counts))
        shaping = Shaping(lambda surface: Extractor(load_catalogue(), surface, Resting(RESTING_MAX)))
        shaping.use(builtin_surface())
        transport: Any = FromFiles(files)
        self._around = Circumstances(transport, shaping, random.Random(7), time.monotonic, watch_list=watch_list)

    async def surfaces(self) -> AsyncGenerator[tuple[ServedKind, ...], None]:
        yield self._served
        await asyncio.Event().wait()

    def outdated(self) -> frozenset[KindId]:
        return frozenset()

    def unclear(self) -> dict[str, str]:
        return {}

    async def observe(self, served: ServedKind, wants: Wants) -> AsyncGenerator[Observation, None]:
        async for one in KindLoop(_resource(served), wants, self._around, lambda: None).observe():
            yield one

    async def pulse(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Forgetting(MemoryBus):
    """Takes every message and keeps none."""

    taken = 0

    async def publish(self, subject: str, payload: bytes, **_: Any) -> int:
        await asyncio.sleep(0)
        self.taken += 1
        return self.taken


def _resource(served: ServedKind) -> Resource:
    group, _, kind = served.kind.rpartition("/")
    return Resource(group, served.versions[0], kind, served.plural, served.namespaced)


def run(size: int, file: Path) -> list[Row]:
    """Of ordinary objects by pages and by streams, and of Pods as clusters hold them."""
    folder = file.parent / f"{size}.listing"
    usual = Files(folder / "usual", Fleet(size).bodies())
    full = Files(folder / "full", full_pods(min(size, FULL_MAX) // 4))
    kept, *rows = asyncio.run(_listed(usual, "pages", watch_list=False))  # the first: later ones use its memory again
    if size <= STREAMED_MAX:
        rows += asyncio.run(_listed(usual, "a stream", watch_list=True))[1:]
    rows += asyncio.run(_listed(full, "pages of Pods of 7 kB", watch_list=False))[1:]
    return [kept, *rows, *asyncio.run(_listed(full, "a stream of them", watch_list=True))[1:]]


async def _listed(files: Files, form: str, *, watch_list: bool) -> list[Row]:
    files.empty, count, pieces = False, files.counts.total(), list[float]()
    watcher = Watcher(
        SITE,
        Cluster(files, watch_list=watch_list),
        bus := Forgetting(),
        clock=time.monotonic,
        randomness=random.Random(7),
    )
    settle()
    gc.callbacks[:] = [ShortRuns()]  # as every service
    before = resident()
    with _noting(pieces):
        running = asyncio.create_task(watcher.run())
        await _until(lambda: bool(watcher.followers) and all(one.listed for one in watcher.followers.values()))
        rows = [_row(f"longest pause, {form}, at the start", pieces)]
        kept = (resident() - before) / count / 1000
        pieces.clear()
        await _ask(bus)
        await _until(lambda: watcher.publisher.batcher.acknowledged > count and watcher.publisher.batcher.idle)
        rows.append(_row(f"longest pause, {form}, all is told", pieces))
        pieces.clear()
        files.empty = True
        await _ask(bus)
        await _until(lambda: not any(len(one.ledger) for one in watcher.followers.values()))
        rows.append(_row(f"longest pause, {form}, all has vanished", pieces))
        running.cancel()
        await asyncio.wait({running})
    return [Row("resident kB an object", kept, "kB"), *rows]


async def _ask(bus: Forgetting) -> None:
    """As a resolver that has nothing."""
    request = ResyncRequest(site=SITE, reason="measured")
    await bus.request(subjects.api("watcher", SITE, "resync"), request.to_json(), ANSWER_TIMEOUT_S)


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.05)


@contextmanager
def _noting(pieces: list[float]) -> Iterator[None]:
    """How long each callback of the event loop takes."""
    plain = Handle._run

    def noted(handle: Handle) -> None:
        since_s = time.thread_time()
        plain(handle)
        pieces.append(time.thread_time() - since_s)

    Handle._run = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        Handle._run = plain  # type: ignore[method-assign]


def _row(what: str, pieces: list[float]) -> Row:
    return Row(what, 1e3 * max(pieces), "ms", GOAL_MS)
