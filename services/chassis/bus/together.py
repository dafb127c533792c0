"""Messages of one stream from many: what comes while a store is under way is stored together with the next.

    publish ──▶ wait for one's turn ──▶ first in the line: store everything that waits ──▶ each gets its own number
                                    ──▶ stored with another's meanwhile

Many are one batch: it takes hardly longer than a few. A few are sent one after the other without waiting in between,
since a batch has a price of its own (some 1.2 ms of the server's time, as much as fourteen messages on their own).
Who comes alone waits for one turn of the event loop, so that all who come in that turn are stored with it; where more
is on its way, for a moment. When a batch is refused, each is stored on its own and hears its own error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from services.chassis.bus.port import Bus, ToStore
from services.chassis.errors import CheopsError, ConflictError, PermanentError, TransientError

TOGETHER_MAX: Final = 64
BYTES_MAX: Final = 4 * 1024 * 1024  # more than one message may have; what is larger goes alone
BATCH_MIN: Final = 14
COMPANY_S: Final = 0.03


class _Waiting:
    """A message in the line. `woken`: it has been stored, or it is its turn to store for the line."""

    __slots__ = ("found", "message", "woken")

    def __init__(self, message: ToStore) -> None:
        self.message = message
        self.found: int | CheopsError | None = None
        self.woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(self) -> None:
        """Harmless when it has been cancelled."""
        if not self.woken.done():
            self.woken.set_result(None)


class Together:
    """One stream's publisher. A fence is in the message. `more`: are so many on their way that it is worth a moment?"""

    def __init__(self, bus: Bus, more: Callable[[], bool] = lambda: False) -> None:
        self._bus, self._more = bus, more
        self._line: deque[_Waiting] = deque()
        self._taken = False  # somebody's turn
        self._came = asyncio.Event()

    async def publish(self, message: ToStore) -> int:
        """As the port's: its number; ConflictError, TransientError, PermanentError."""
        mine = _Waiting(message)
        self._line.append(mine)
        self._came.set()
        if self._taken:
            await self._woken(mine)
        if mine.found is None:
            self._taken = True
            try:
                await self._company()
                await self._store(self._next())
            finally:
                self._leave(mine)
        if isinstance(mine.found, CheopsError):
            raise mine.found
        assert mine.found is not None, "it was stored, or why not is known"
        return mine.found

    async def _woken(self, mine: _Waiting) -> None:
        try:
            await mine.woken
        except asyncio.CancelledError:
            if mine.woken.done() and not mine.woken.cancelled() and mine.found is None:
                self._leave(mine)  # it was its turn
            elif mine in self._line:
                self._line.remove(mine)
            raise

    def _leave(self, mine: _Waiting) -> None:
        """The turn goes to whoever is first in the line now."""
        if mine.found is None and mine in self._line:
            self._line.remove(mine)  # cancelled
        while self._line and self._line[0].woken.done():
            self._line.popleft()  # cancelled, and does not know yet
        self._taken = bool(self._line)
        if self._line:
            self._line[0].wake()

    async def _company(self) -> None:
        """Wait until enough have come, no more are on their way, or the moment is over."""
        await asyncio.sleep(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(COMPANY_S):
                while len(self._line) < TOGETHER_MAX and self._more():
                    self._came.clear()
                    await self._came.wait()

    def _next(self) -> list[_Waiting]:
        """From the head of the line; one of each subject, since what is stored of it first decides about the next."""
        some: list[_Waiting] = []
        subjects: set[str] = set()
        size_bytes = 0
        while self._line and len(some) < TOGETHER_MAX:
            first = self._line[0].message
            size_bytes += len(first.payload)
            if some and (first.subject in subjects or size_bytes > BYTES_MAX):
                break
            subjects.add(first.subject)
            some.append(self._line.popleft())
        return some

    async def _store(self, some: list[_Waiting]) -> None:
        try:
            if len(some) < BATCH_MIN or not await self._at_once(some):
                await asyncio.gather(*map(self._alone, some))
        finally:
            for one in some:
                if one.found is None:  # whose turn it was has been cancelled
                    one.found = TransientError(f"{one.message.subject}: not known whether it was stored")
                one.wake()

    async def _at_once(self, some: list[_Waiting]) -> bool:
        """False: none of them is stored, and one by one it is seen why."""
        try:
            last = await self._bus.publish_together([one.message for one in some])
        except (ConflictError, PermanentError):
            return False
        except TransientError as error:
            for one in some:
                one.found = TransientError(str(error), error.retry_after_s)
            return True
        for place, one in enumerate(reversed(some)):
            one.found = last - place  # they follow each other
        return True

    async def _alone(self, one: _Waiting) -> None:
        message = one.message
        try:
            one.found = await self._bus.publish(
                message.subject,
                message.payload,
                message_id=message.message_id,
                headers=message.headers,
                expected_last_seq=message.expected_last_seq,
            )
        except CheopsError as error:
            one.found = error
