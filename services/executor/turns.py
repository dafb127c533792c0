"""So many may talk to the API server at one time. Whoever stores something in between gives the turn to others.

turn ──▶ act ──▶ given up: store ──▶ next turn, before all who wait for their first ──▶ act ──▶ left
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """First come, first served; those who come back go first, since what they have seen grows old."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._returning: deque[asyncio.Future[None]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Waits for one."""
        mine = Turn(self)
        await self.take()
        mine.held = True
        try:
            yield mine
        finally:
            if mine.held:
                self.leave()

    async def take(self, *, again: bool = False) -> None:
        """`again`: as one who comes back."""
        if self._free:
            self._free -= 1
            return
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._returning if again else self._waiting).append(given)
        try:
            await given
        except asyncio.CancelledError:
            if given.done() and not given.cancelled():  # in the same moment
                self.leave()
            raise

    def leave(self) -> None:
        """The next one's turn."""
        for line in (self._returning, self._waiting):
            while line:
                one = line.popleft()
                if not one.done():  # else it was cancelled
                    one.set_result(None)
                    return
        self._free += 1


class Turn:
    """One's own. `held`: it is, at present."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.held = False

    @asynccontextmanager
    async def given_up(self) -> AsyncIterator[None]:
        """Meanwhile others act; whatever is raised inside ends the turn."""
        self.held = False
        self._turns.leave()
        yield
        await self._turns.take(again=True)
        self.held = True
