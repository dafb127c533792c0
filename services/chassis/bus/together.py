"""Messages of one stream from many: what comes while a store is under way is stored together with the next.

    publish ──▶ wait for one's turn ──▶ first in the line: store everything that waits ──▶ each gets its own number
                                    ──▶ stored with another's meanwhile

One disk sync for all of them, so it takes hardly longer than one message does, and nobody waits who comes alone.
When they cannot be stored together, each is stored on its own and hears its own error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from services.chassis.bus.port import Bus, ToStore
from services.chassis.errors import CheopsError, ConflictError, PermanentError, TransientError

TOGETHER_MAX: Final = 16


@dataclass(slots=True, eq=False)
class _Waiting:
    message: ToStore
    found: int | CheopsError | None = None


class Together:
    """One stream's publisher. A fence is in the message."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._line: deque[_Waiting] = deque()
        self._turn = asyncio.Lock()

    async def publish(self, message: ToStore) -> int:
        """As the port's: its number; ConflictError, TransientError, PermanentError."""
        mine = _Waiting(message)
        self._line.append(mine)
        try:
            async with self._turn:  # turns are given in the order of the line
                if mine.found is None:
                    await self._store(self._next())
        finally:
            if mine.found is None and mine in self._line:
                self._line.remove(mine)  # cancelled
        if isinstance(mine.found, CheopsError):
            raise mine.found
        assert mine.found is not None, "it was stored, or why not is known"
        return mine.found

    def _next(self) -> list[_Waiting]:
        """From the head of the line; one of each subject, since what is stored of it first decides about the next."""
        some: list[_Waiting] = []
        while self._line and len(some) < TOGETHER_MAX:
            if any(one.message.subject == self._line[0].message.subject for one in some):
                break
            some.append(self._line.popleft())
        return some

    async def _store(self, some: list[_Waiting]) -> None:
        try:
            if len(some) > 1 and await self._at_once(some):
                return
            for one in some:
                one.found = await self._alone(one.message)
        finally:
            for one in some:
                if one.found is None:  # whose turn it was has been cancelled
                    one.found = TransientError(f"{one.message.subject}: not known whether it was stored")

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

    async def _alone(self, message: ToStore) -> int | CheopsError:
        try:
            return await self._bus.publish(
                message.subject,
                message.payload,
                message_id=message.message_id,
                headers=message.headers,
                expected_last_seq=message.expected_last_seq,
            )
        except CheopsError as error:
            return error
