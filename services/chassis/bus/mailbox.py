"""Messages that arrive faster than they are read: a bounded queue that drops its oldest and counts what it dropped.

A subscription tells what happens now, so the newest is worth most; whoever must miss nothing uses a reader.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Self

import structlog

from services.chassis.bus.port import Received

MAILBOX_MAX: Final = 10_000

log = structlog.get_logger(__name__)


class Mailbox:
    """`put` never waits; `async for` reads until `close`."""

    def __init__(self, subject: str, limit: int = MAILBOX_MAX) -> None:
        self.subject = subject
        self.dropped = 0
        self._limit = limit
        self._messages: deque[Received] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, received: Received) -> None:
        """Take a message in, at the price of the oldest when there is no room."""
        if len(self._messages) >= self._limit:
            self._messages.popleft()
            self._count_dropped()
        self._messages.append(received)
        self._changed.set()

    def _count_dropped(self) -> None:
        self.dropped += 1
        if self.dropped == 1:
            log.warning("a subscriber is too slow, the oldest messages are dropped", subject=self.subject)

    def close(self) -> None:
        """Readers get what is left, then the end."""
        if self.dropped and not self._closed:
            log.warning("a subscriber was too slow", subject=self.subject, dropped=self.dropped)
        self._closed = True
        self._changed.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        while not self._messages:
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._messages.popleft()
