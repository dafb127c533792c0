"""Watch: where to begin → lines → bytes, until the time is over or the client goes.

    initial objects as ADDED (when asked, or when no version was given) → the changes since → bookmarks in between

One position in the history per watch. What a watch could not follow ends it with an ERROR event 410, as does a version
that is no longer known: the client must list again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import web

from cheops.sandbox.apiserver.faults import Faults, OpenWatch, error_line
from cheops.sandbox.apiserver.listing import selected
from cheops.sandbox.apiserver.options import ReadOptions
from cheops.sandbox.apiserver.presenting import object_bytes
from cheops.sandbox.apiserver.statuses import StatusError, expired, too_large_version
from cheops.sandbox.apiserver.store import Change, Collection, HistoryLostError, Object, Store, Stored
from cheops.sandbox.apiserver.targets import Target

BATCH_LEN_MAX = 500  # changes written at once: other requests get their turn in between
TIMEOUT_S = (1800.0, 3600.0)  # the real server ends a watch without a timeout after half an hour to an hour
INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}
HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}


async def serve_watch(
    request: web.BaseRequest, faults: Faults, watch: Watch, timeout_s: float | None
) -> web.StreamResponse:
    """Answer with the lines of `watch`. Returns when it is over."""
    opened = OpenWatch(watch.target.kind, request.transport)
    response = web.StreamResponse(headers=HEADERS)
    end_s = time.monotonic() + (timeout_s or random.uniform(*TIMEOUT_S))
    with faults.watching(opened), watch.listening(opened.wake):
        try:
            await response.prepare(request)
            while not opened.closed and (left_s := end_s - time.monotonic()) > 0:
                await _turn(response, opened, watch, faults, left_s)
            await _write(response, opened.take_said())  # last words
        except HistoryLostError as error:
            await _write(response, [error_line(too_old(error))])
        except ConnectionError:  # the client went, or a fault cut it: nobody is left to tell
            opened.close()
    return response


async def _turn(response: web.StreamResponse, opened: OpenWatch, watch: Watch, faults: Faults, left_s: float) -> None:
    """Say what is to be said, else wait for something to say."""
    opened.wake.clear()
    silent = faults.is_silent(opened)
    lines = [] if silent else [*opened.take_said(), *watch.lines()]
    if lines:
        await _write(response, lines)
        return
    wait_s = left_s if silent else min(left_s, watch.bookmark_due_s())
    try:
        async with asyncio.timeout(max(wait_s, 0.001)):
            await opened.wake.wait()
    except TimeoutError:
        return


async def _write(response: web.StreamResponse, lines: list[bytes]) -> None:
    if lines:
        await response.write(b"".join(lines))
        await asyncio.sleep(0)  # a write that fits the socket does not yield


def too_old(error: HistoryLostError) -> StatusError:
    return expired(f"too old resource version: {error}")


class Watch:
    """What one watch has to say. Raises StatusError and HistoryLostError at its beginning."""

    def __init__(
        self,
        store: Store,
        target: Target,
        options: ReadOptions,
        bookmark_interval_s: float,
        show: Callable[[Stored], bytes] | None = None,
    ) -> None:
        """`show` says how an object looks: as it is, unless the client wants a table."""
        self.target = target
        self._show = show or partial(object_bytes, target.kind)
        self._store, self._options = store, options
        self._collection: Collection = store.collection(target.kind.collection)
        self._bookmark_interval_s = bookmark_interval_s if options.bookmarks else float("inf")
        self._bookmark_s = time.monotonic() + self._bookmark_interval_s
        self._floor = options.version or 0  # changes up to here are known to the client
        self._pending: list[bytes] = []
        self._position = self._begin()

    def listening(self, wake: asyncio.Event) -> _Listening:
        return _Listening(self._collection, wake)

    def bookmark_due_s(self) -> float:
        return self._bookmark_s - time.monotonic()

    def lines(self) -> list[bytes]:
        """The next ones, at most a batch; a bookmark when it is time for one. Raises HistoryLostError."""
        if self._pending:
            lines, self._pending = self._pending, []
            return lines
        changes = self._collection.changes_from(self._position, BATCH_LEN_MAX)
        if changes:
            self._position += len(changes)
            return [line for change in changes if (line := self._line(change)) is not None]
        if self.bookmark_due_s() <= 0:
            self._bookmark_s = time.monotonic() + self._bookmark_interval_s
            return [self._bookmark({})]
        return []

    def _begin(self) -> int:
        """The position in the history from which changes are told."""
        options = self._options
        asked_for_all = options.initial_events or (options.initial_events is None and not options.version)
        if not asked_for_all:
            return self._collection.position_after(self._floor)
        if options.version and options.version > self._store.version:
            raise too_large_version(options.version, self._store.version)
        self._floor = self._store.version
        found = selected(self._store, self.target, options)
        self._pending = [self._said("ADDED", stored) for stored in found]
        if options.initial_events and options.bookmarks:
            self._pending.append(self._bookmark(INITIAL_EVENTS_END))
        return self._collection.end

    def _line(self, change: Change) -> bytes | None:
        """A change as this watch sees it: what begins or ends to match is added or deleted, for it."""
        namespace, name = self.target.namespace, self.target.name
        if (
            change.version <= self._floor
            or (namespace and namespace != change.key[0])
            or (name and name != change.key[1])
        ):
            return None
        matches = self._options.matches
        if matches is None:
            return self._said(change.type, change.now)
        before = change.previous is not None and matches(change.previous.object)
        now = change.type != "DELETED" and matches(change.now.object)
        if now:
            return self._said("MODIFIED" if before else "ADDED", change.now)
        return self._said("DELETED", _last_seen(change)) if before else None

    def _said(self, kind: str, stored: Stored) -> bytes:
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), self._show(stored))

    def _bookmark(self, annotations: dict[str, str]) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(self._store.version)}
        if annotations:
            metadata["annotations"] = annotations
        kind = self.target.kind
        body: Object = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        return self._said("BOOKMARK", Stored(body, self._store.version))


class _Listening:
    """While inside, changes of the collection set the event."""

    def __init__(self, collection: Collection, wake: asyncio.Event) -> None:
        self._collection, self._wake = collection, wake

    def __enter__(self) -> None:
        self._collection.listeners.add(self._wake)

    def __exit__(self, *_: object) -> None:
        self._collection.listeners.discard(self._wake)


def _last_seen(change: Change) -> Stored:
    """The object as the watch knew it, at the version at which it went out of sight."""
    assert change.previous is not None
    content = {**change.previous.object, "metadata": dict(change.previous.metadata)}
    content["metadata"]["resourceVersion"] = str(change.version)
    return Stored(content, change.version)
