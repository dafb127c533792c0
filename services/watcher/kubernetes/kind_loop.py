"""One kind of one API server: list, watch, resume, list again; for ever.

    list (pages, or WatchList) ─▶ watch from that version ─▶ clean end, broken connection: resume from the last version
         ▲                                                 └▶ 410, a hole, going back in time: list again
    every failure is a Health and a wait: jittered, growing, at least what Retry-After says; 403 is asked rarely

Resource versions are compared for equality. Only one thing is read out of their order, when both are numbers: a watch
that seems to go back in time is not believed, and the kind is listed again. That can cost a list, never a claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec
import structlog

from services.chassis.errors import TransientError
from services.watcher.backoff import Backoff
from services.watcher.kubernetes.circumstances import Circumstances
from services.watcher.kubernetes.discovery import Resource
from services.watcher.kubernetes.lines import LineSplitter
from services.watcher.kubernetes.shaping import (
    INITIAL_EVENTS_END,
    Metadata,
    Page,
    gone,
    read_line,
    read_metadata,
    read_page,
)
from services.watcher.kubernetes.transport import AnswerTooLargeError, ApiError, SilenceError, Status
from services.watcher.source import Health, Listed, Listing, Observation

log = structlog.get_logger(__name__)


class HoleError(TransientError):
    """Something of the watch was lost or cannot be believed: only a list can tell."""


class KindLoop:
    """The loop of one kind. `observe` never ends by itself and never raises for the world's faults."""

    def __init__(self, resource: Resource, around: Circumstances, not_found: Callable[[], None]) -> None:
        self._resource = resource
        self._around = around
        self._not_found = not_found
        self._position = ""  # the version to resume from; "" = list first
        self._page_limit = around.timing.page_limit
        self._backoff = Backoff(around.timing.backoff_min_s, around.timing.backoff_max_s, around.randomness)
        self._opened_at_s: float | None = None
        self._suspect = False  # it was silent: an open connection alone proves nothing now
        self._bookmarked = False
        self._broken = False  # the connection was lost: whoever answers next may have older data

    async def observe(self) -> AsyncGenerator[Observation, None]:
        """Observations, from a listing on."""
        yield Health("syncing")
        while True:
            self._opened_at_s = None
            try:
                async with aclosing(self._round()) as observations:
                    async for observation in observations:
                        yield observation
                # The server ended the watch, as it does after its time: proof that it is alive.
                self._suspect = False
                health, wait_s = Health("interrupted"), self._pause_after_end()
            except TransientError as error:
                health, wait_s = self._explain(error)
            yield health
            await asyncio.sleep(wait_s)

    async def _round(self) -> AsyncGenerator[Observation, None]:
        if self._position:
            await self._check_server_is_not_older()
            stream = self._watch({"resourceVersion": self._position})
        elif self._around.watch_list:
            stream = self._list_by_watch()
        else:
            stream = self._list_by_pages()
        async with aclosing(stream) as observations:
            async for observation in observations:
                yield observation

    # ── listing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _list_by_pages(self) -> AsyncGenerator[Observation, None]:
        async with self._around.lists:
            yield Listing()
            params = {"limit": str(self._page_limit)}
            while True:
                page = _page(await self._around.transport.get(self._resource.path, params))
                for raw in page.items or ():
                    if (observation := self._shape(raw)) is not None:
                        yield observation
                if not page.metadata.continue_:
                    break
                params["continue"] = page.metadata.continue_
            yield Listed()
            self._position = page.metadata.resource_version or "0"
        async with aclosing(self._watch({"resourceVersion": self._position})) as observations:
            async for observation in observations:
                yield observation

    async def _list_by_watch(self) -> AsyncGenerator[Observation, None]:
        """WatchList: the listing is the beginning of the watch; a bookmark with an annotation ends it."""
        await self._around.lists.acquire()
        held = True
        params = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "resourceVersion": ""}
        try:
            yield Listing()
            async with aclosing(self._watch(params, listing=True)) as observations:
                async for observation in observations:
                    yield observation
                    if held and isinstance(observation, Listed):
                        self._around.lists.release()
                        held = False
        except (ApiError, SilenceError) as error:
            if held and (isinstance(error, SilenceError) or error.status in (400, 422)):
                self._around.watch_list = False  # an older server, or one whose storage cannot do it
                raise HoleError(f"listing in pages, WatchList does not work here: {error}") from error
            raise
        finally:
            if held:
                self._around.lists.release()

    # ── watching ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _watch(self, params: dict[str, str], *, listing: bool = False) -> AsyncGenerator[Observation, None]:
        params |= {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(self._timeout_s())}
        splitter = LineSplitter(self._around.timing.line_bytes_max)
        async with self._around.transport.lines(self._resource.path, params) as chunks:
            self._opened_at_s = self._around.clock()
            if not listing and not self._suspect:
                yield Health("observed")
            async for chunk in chunks:
                for line in splitter.feed(chunk):
                    for observation in self._read(line, listing):
                        yield observation
                        if isinstance(observation, Listed):
                            listing = False
                            yield Health("observed")
                if splitter.overlong:
                    self._around.counters["lines_overlong"] += 1
                    raise HoleError(f"a line of more than {self._around.timing.line_bytes_max} bytes was dropped")
                if self._suspect and not listing:
                    self._suspect = False
                    yield Health("observed")
        if listing:
            raise HoleError("the listing ended before it was complete")

    def _read(self, line: bytes, listing: bool) -> list[Observation]:
        try:
            read = read_line(line)
            if read.type == "ERROR":
                raise _error(msgspec.json.decode(read.object, type=Status))
            metadata = read_metadata(read.object)
        except msgspec.MsgspecError as error:
            self._around.counters["lines_unreadable"] += 1
            raise HoleError(f"a line that cannot be read: {type(error).__name__}") from error
        if not listing:
            self._advance(metadata)
        if read.type in ("ADDED", "MODIFIED"):
            observation = self._shape(read.object)
            return [] if observation is None else [observation]
        if read.type == "DELETED":
            return [gone(self._resource, metadata)]
        if read.type == "BOOKMARK":
            return self._bookmark(metadata, listing)
        raise HoleError(f"an event of unknown type {read.type[:40]!r}")

    def _bookmark(self, metadata: Metadata, listing: bool) -> list[Observation]:
        self._bookmarked = True
        if not listing or INITIAL_EVENTS_END not in (metadata.annotations or {}):
            return []
        self._position = metadata.resource_version
        return [Listed()]

    def _advance(self, metadata: Metadata) -> None:
        """Move the position; refuse to go back in time (an API server that restarted on older data)."""
        self._refuse_older(metadata.resource_version)
        self._position = metadata.resource_version or self._position

    def _refuse_older(self, version: str) -> None:
        if version.isdecimal() and self._position.isdecimal() and int(version) < int(self._position):
            self._around.counters["regressions"] += 1
            raise HoleError("the watch went back in time")

    async def _check_server_is_not_older(self) -> None:
        """A server that was restored from a backup would skip, silently, all that happens until it has caught up."""
        if self._broken:
            page = _page(await self._around.transport.get(self._resource.path, {"limit": "1"}))
            self._refuse_older(page.metadata.resource_version)
            self._broken = False

    def _shape(self, raw: msgspec.Raw) -> Observation | None:
        observation = self._around.shaping.shape(self._resource, raw)
        if observation is None:
            self._around.counters["objects_nameless"] += 1
            raise HoleError("an object without a name")
        return observation

    def _timeout_s(self) -> int:
        """A server without bookmarks is silent when nothing happens: let it prove that it lives by ending early."""
        timing = self._around.timing
        if self._suspect and not self._bookmarked:
            return max(1, int(timing.silence_s * 0.6))
        return self._around.randomness.randint(timing.watch_min_s, timing.watch_max_s)

    # ── failures ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _explain(self, error: TransientError) -> tuple[Health, float]:
        """What a failure means for the kind, and how long to wait."""
        status = error.status if isinstance(error, ApiError) else 0
        self._log(error)
        if status in {403, 405}:
            self._position = ""
            return Health("forbidden", str(error)), self._around.forbidden_wait_s()
        if status == 404:
            self._position = ""
            self._not_found()
            return Health("gone", str(error)), self._pause()
        if status == 410 or isinstance(error, HoleError):
            self._position = ""
            return Health("syncing", str(error)), self._pause()
        if isinstance(error, SilenceError):
            return self._silent(error), self._pause()
        if isinstance(error, AnswerTooLargeError):
            self._page_limit = max(1, self._page_limit // 5)
        self._broken = self._broken or not status
        return Health("interrupted", str(error)), self._pause(error.retry_after_s)

    def _silent(self, error: SilenceError) -> Health:
        self._suspect = True
        return Health("stalled", str(error), for_s=self._around.timing.silence_s)

    def _pause_after_end(self) -> float:
        """None after a watch that has lasted; one that ends at once again and again is a failure too."""
        return 0.0 if self._settled else self._pause()

    def _pause(self, retry_after_s: float | None = None) -> float:
        """Growing pauses, until a watch has lasted."""
        if self._settled:
            self._backoff.reset()
        return self._backoff.next(retry_after_s)

    @property
    def _settled(self) -> bool:
        opened_at_s = self._opened_at_s
        return opened_at_s is not None and self._around.clock() - opened_at_s >= self._around.timing.settled_s

    def _log(self, error: TransientError) -> None:
        self._around.counters["failures"] += 1
        log.info("a watch failed", kind=self._resource.kind, group=self._resource.group, reason=str(error))


def _page(body: bytes) -> Page:
    try:
        return read_page(body)
    except msgspec.MsgspecError as error:
        raise HoleError(f"a list that cannot be read: {error}") from error


def _error(status: Status) -> ApiError:
    retry_after_s = status.details.retryAfterSeconds if status.details else 0.0
    return ApiError(status.code, status.message, retry_after_s or None)
