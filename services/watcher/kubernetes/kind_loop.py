"""One kind of one API server: list, watch, resume, list again; for ever.

    list (pages, or WatchList) ─▶ watch from that version ─▶ clean end, broken connection: resume from the last version
         ▲                                                 └▶ 410, a hole, going back in time, no progress: list again
    every failure is a Health and a wait: jittered, growing, at least what Retry-After says; 403 is asked rarely, and
    when rights have changed

An open connection is believed to be alive for as long as it speaks at least every 75 s. One that was silent for longer
is suspect, and stays so through reconnections until the server says something, if only a bookmark or an end. A server
whose storage reports no progress has no bookmark to send while a kind rests: after one silence it is asked to end the
watches of that kind early, so that it is heard in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import structlog

from services.chassis.backoff import Backoff
from services.chassis.errors import TransientError
from services.watcher.kubernetes.circumstances import Circumstances
from services.watcher.kubernetes.discovery import Resource
from services.watcher.kubernetes.lines import LineSplitter
from services.watcher.kubernetes.reading import HoleError, WatchReading
from services.watcher.kubernetes.rights import Petition
from services.watcher.kubernetes.transport import AnswerTooLargeError, ApiError, SilenceError
from services.watcher.source import Health, Listed, Listing, Observation, Wants

log = structlog.get_logger(__name__)

WATCH_LIST = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "resourceVersion": ""}
Observations = AsyncGenerator[Observation, None]


class KindLoop:
    """The loop of one kind. `observe` never ends by itself and never raises for the world's faults."""

    def __init__(self, resource: Resource, wants: Wants, around: Circumstances, not_found: Callable[[], None]) -> None:
        self._resource = resource
        self._around = around
        self._not_found = not_found
        self._reading = WatchReading(resource, wants, around.shaping, around.counters)
        self._page_limit = around.timing.page_limit
        self._backoff = Backoff(around.timing.backoff_min_s, around.timing.backoff_max_s, around.randomness)
        self._petition = Petition(around.rights)
        self._opened_at_s: float | None = None
        self._erred_at = ""  # the position at which a watch ended with an error
        self._suspect = False  # it was silent: an open connection alone proves nothing now
        self._quiet = False  # it was silent once: it may have nothing to say while nothing happens
        self._watch_list = True  # until it turns out that this kind's server does not know what that is
        self._broken = False  # something went wrong: whoever answers next may have older data

    async def observe(self) -> Observations:
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
            if health.reason == "forbidden":
                await self._petition.wait(wait_s)
            else:
                await asyncio.sleep(wait_s)

    def _round(self) -> Observations:
        if self._reading.position:
            return self._resume()
        by_watch = self._watch_list and self._around.watch_list
        return self._list_by_watch() if by_watch else self._list_by_pages()

    # ── listing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _list_by_pages(self) -> Observations:
        async with self._around.lists:
            yield Listing()
            params = {"limit": str(self._page_limit)}
            while True:
                body = await self._around.transport.get(self._resource.path, params)
                observations, token, version = self._reading.page(body)
                for observation in observations:
                    yield observation
                if not token:
                    break
                params["continue"] = token
            yield Listed(version)
        self._reading.position, self._broken = version or "0", False
        async with aclosing(self._resume()) as watch:
            async for observation in watch:
                yield observation

    async def _list_by_watch(self) -> Observations:
        """WatchList: the listing is the beginning of the watch; a bookmark with an annotation ends it."""
        await self._around.lists.acquire()
        held = True
        try:
            yield Listing()
            async with aclosing(self._watch(dict(WATCH_LIST), listing=True)) as observations:
                async for observation in observations:
                    yield observation
                    if held and isinstance(observation, Listed):
                        self._around.lists.release()
                        held = False
        except (ApiError, SilenceError) as error:
            if held and (isinstance(error, SilenceError) or error.status in {400, 422}):
                self._around.watch_list = False  # an older server, or one whose storage cannot do it
                raise HoleError(f"listing in pages, WatchList does not work here: {error}") from error
            raise
        finally:
            if held:
                self._around.lists.release()

    # ── watching ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _resume(self) -> Observations:
        if self._broken:
            # A server that was restored from a backup would skip, silently, all that happens until it has caught up.
            self._reading.check_not_older(await self._around.transport.get(self._resource.path, {"limit": "1"}))
            self._broken = False
        async with aclosing(self._watch({"resourceVersion": self._reading.position})) as observations:
            async for observation in observations:
                yield observation

    async def _watch(self, params: dict[str, str], *, listing: bool = False) -> Observations:
        params |= {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(self._timeout_s())}
        splitter = LineSplitter(self._around.timing.line_bytes_max)
        async with self._around.transport.lines(self._resource.path, params) as chunks:
            self._opened_at_s = self._around.clock()
            self._petition.granted()
            if not listing and not self._suspect:
                yield Health("observed")
            async for chunk in chunks:
                for line in splitter.feed(chunk):
                    found = self._reading.line(line, listing=listing)
                    if listing and not found:  # a bookmark of progress
                        self._watch_list = False
                        raise HoleError("listing in pages, a WatchList was taken for a watch")
                    for observation in found:
                        yield observation
                        if listing and isinstance(observation, Listed):
                            listing = False
                            yield Health("observed")
                self._check_complete(splitter)
                if self._suspect and not listing:
                    self._suspect = False
                    yield Health("observed")
        if listing:
            self._watch_list = False
            raise HoleError("listing in pages, a WatchList ended before it was complete")

    def _check_complete(self, splitter: LineSplitter) -> None:
        if splitter.overlong:
            self._around.counters["lines_overlong"] += splitter.overlong
            raise HoleError(f"a line of more than {self._around.timing.line_bytes_max} bytes was dropped")

    def _timeout_s(self) -> int:
        """One that was silent may be one without bookmarks: let it prove that it lives by ending early."""
        timing = self._around.timing
        if self._quiet:
            return max(1, int(timing.silence_s * 0.6))
        return self._around.randomness.randint(timing.watch_min_s, timing.watch_max_s)

    # ── failures ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _explain(self, error: TransientError) -> tuple[Health, float]:
        """What a failure means for the kind, and how long to wait."""
        self._around.counters["failures"] += 1
        self._broken = True
        log.info("a watch failed", kind=self._resource.kind, group=self._resource.group, reason=str(error))
        if isinstance(error, ApiError):
            return self._explain_status(error)
        if isinstance(error, HoleError):
            self._reading.position = ""
            return Health("syncing", str(error)), self._pause()
        if isinstance(error, SilenceError):
            self._suspect = self._quiet = True
            return Health("stalled", str(error), for_s=self._around.timing.silence_s), self._pause()
        if isinstance(error, AnswerTooLargeError):
            self._page_limit = max(1, self._page_limit // 5)
        return Health("interrupted", str(error)), self._pause(error.retry_after_s)

    def _explain_status(self, error: ApiError) -> tuple[Health, float]:
        match error.status:
            case 403 | 405:
                self._reading.position = ""
                return Health("forbidden", str(error)), self._around.forbidden_wait_s()
            case 404:
                self._reading.position = ""
                self._not_found()
                return Health("gone", str(error)), self._pause()
            case 410:
                self._reading.position = ""
                return Health("syncing", str(error)), self._pause()
        at = self._reading.position if self._opened_at_s is not None else ""
        if at and at == self._erred_at:  # it cannot go on from there, though it does not say so
            self._reading.position = ""
            return Health("syncing", str(error)), self._pause(error.retry_after_s)
        self._erred_at = at
        return Health("interrupted", str(error)), self._pause(error.retry_after_s)

    def _pause_after_end(self) -> float:
        """None after a watch that has lasted; one that ends at once again and again is a failure too."""
        if not self._settled:
            return self._pause()
        self._backoff.reset()
        return 0.0

    def _pause(self, retry_after_s: float | None = None) -> float:
        """Growing pauses, until a watch has lasted."""
        if self._settled:
            self._backoff.reset()
        return self._backoff.next(retry_after_s)

    @property
    def _settled(self) -> bool:
        opened_at_s = self._opened_at_s
        return opened_at_s is not None and self._around.clock() - opened_at_s >= self._around.timing.settled_s
