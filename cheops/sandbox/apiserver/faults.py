"""What can be made to go wrong, on purpose: refusals, silence, broken connections, lost history, a trip back in time.

    cluster.faults.refuse(429, resource="pods", verb="list", retry_after_s=1, times=2)
    with cluster.faults.silence("secrets"): …
    cluster.faults.expire_watches("pods"); cluster.faults.drop_watches(); cluster.faults.go_back(version)

A refusal hits the next fitting requests; everything else hits the watches that are open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.statuses import StatusError, expired
from cheops.sandbox.apiserver.store import Store, encode

REASONS = {
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "forbidden by an injected fault"),
    410: ("Expired", "The resourceVersion for the provided watch is too old."),
    429: ("TooManyRequests", "too many requests, please try again later"),
    500: ("InternalError", "an injected fault"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "the request timed out"),
}


@dataclass(slots=True)
class Refusal:
    """One injected answer. Empty `resource` and `verb` mean all; `times_left` None means until lifted."""

    code: int
    resource: str
    verb: str
    retry_after_s: int | None
    times_left: int | None

    def fits(self, resource: str, verb: str) -> bool:
        return self.times_left != 0 and self.resource in ("", resource) and self.verb in ("", verb)

    def error(self, resource: str) -> StatusError:
        reason, message = REASONS.get(self.code, ("", "an injected fault"))
        details = {"retryAfterSeconds": self.retry_after_s} if self.retry_after_s is not None else {}
        return StatusError(self.code, reason, f"{resource}: {message}", details)


class OpenWatch:
    """One watch as faults see it. `wake` ends its waiting."""

    def __init__(self, kind: Kind, transport: asyncio.BaseTransport | None) -> None:
        self.kind = kind
        self.wake = asyncio.Event()
        self.closed = False
        self._transport = transport
        self._said: list[bytes] = []

    def say(self, line: bytes) -> None:
        self._said.append(line)
        self.wake.set()

    def take_said(self) -> list[bytes]:
        said, self._said = self._said, []
        return said

    def close(self) -> None:
        """End it as the server does when its time is over."""
        self.closed = True
        self.wake.set()

    def abort(self) -> None:
        """Cut the connection without a word."""
        self.closed = True
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()
        self.wake.set()


@dataclass(slots=True)
class Faults:
    """Of one cluster. Resources are named by their plural; empty means all."""

    store: Store
    watches: set[OpenWatch] = field(default_factory=set)
    _refusals: list[Refusal] = field(default_factory=list)
    _silenced: list[str] = field(default_factory=list)

    def refuse(
        self,
        code: int,
        *,
        resource: str = "",
        verb: str = "",
        retry_after_s: int | None = None,
        times: int | None = None,
    ) -> Refusal:
        """Answer fitting requests with this status. Verbs: get, list, watch, create, update, patch, delete."""
        refusal = Refusal(code, resource, verb, retry_after_s, times)
        self._refusals.append(refusal)
        return refusal

    def lift(self, refusal: Refusal) -> None:
        self._refusals.remove(refusal)

    def lift_all(self) -> None:
        """No more refusals, no more silence."""
        self._refusals.clear()
        self._silenced.clear()
        self._wake("")

    @contextmanager
    def silence(self, resource: str = "") -> Iterator[None]:
        """Watches stay open and say nothing, not even bookmarks. Afterwards they say what they missed."""
        self._silenced.append(resource)
        try:
            yield
        finally:
            if resource in self._silenced:
                self._silenced.remove(resource)
            self._wake(resource)

    def say(self, resource: str, line: bytes) -> None:
        """Put these bytes, a line or not, into the open watches."""
        for watch in self._open(resource):
            watch.say(line)

    def expire_watches(self, resource: str = "") -> None:
        """End open watches with an ERROR event 410. (As an HTTP status: `refuse(410, verb="watch")`.)"""
        for watch in self._open(resource):
            watch.say(error_line(expired("too old resource version")))
            watch.close()

    def end_watches(self, resource: str = "") -> None:
        """End open watches cleanly, as their timeout does."""
        for watch in self._open(resource):
            watch.close()

    def drop_watches(self, resource: str = "") -> None:
        """Cut the connections of open watches."""
        for watch in self._open(resource):
            watch.abort()

    def forget_history(self) -> None:
        """From now on older versions cannot be watched: 410."""
        self.store.forget()

    def go_back(self, version: int) -> None:
        """An older copy of the data takes over: what was written since is gone, its versions are given out again."""
        self.store.rewind(version)
        self.drop_watches()

    def check(self, resource: str, verb: str) -> None:
        """Raises StatusError when this request is to be refused."""
        for refusal in self._refusals:
            if refusal.fits(resource, verb):
                if refusal.times_left is not None:
                    refusal.times_left -= 1
                raise refusal.error(resource)

    def is_silent(self, watch: OpenWatch) -> bool:
        return any(resource in ("", watch.kind.plural) for resource in self._silenced)

    @contextmanager
    def watching(self, watch: OpenWatch) -> Iterator[OpenWatch]:
        """While inside, faults reach the watch."""
        self.watches.add(watch)
        try:
            yield watch
        finally:
            self.watches.discard(watch)

    def _open(self, resource: str) -> list[OpenWatch]:
        return [watch for watch in self.watches if resource in ("", watch.kind.plural)]

    def _wake(self, resource: str) -> None:
        for watch in self._open(resource):
            watch.wake.set()


def error_line(error: StatusError) -> bytes:
    return b'{"type":"ERROR","object":' + encode(error.body()) + b"}\n"
