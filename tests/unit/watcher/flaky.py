"""A bus that fails on purpose: refuses, loses acknowledgements, holds back. Everything else is the bus behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from services.chassis.bus.port import Bus
from services.chassis.errors import TransientError


class FlakyBus:
    """Faults of `publish`; they end with `release` or when they are used up."""

    def __init__(self, bus: Bus) -> None:
        self.message_ids: list[str] = []
        self._bus = bus
        self._refusals = 0
        self._losses = 0
        self._open = asyncio.Event()
        self._open.set()
        self._held = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    def refuse_next(self, times: int) -> None:
        """The next publishes are not stored."""
        self._refusals += times

    def lose_acknowledgements(self, times: int) -> None:
        """The next publishes are stored, and reported as failed."""
        self._losses += times

    def hold(self) -> None:
        """Publishes wait and are not stored."""
        self._held.clear()
        self._open.clear()

    async def until_held(self) -> None:
        """Wait until a publish waits."""
        async with asyncio.timeout(10):
            await self._held.wait()

    def release(self) -> None:
        """No more faults."""
        self._refusals = self._losses = 0
        self._open.set()

    async def publish(
        self, subject: str, payload: bytes, *, message_id: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> int:
        """As the bus does it, unless something was to go wrong."""
        self.message_ids.append(message_id)
        if not self._open.is_set():
            self._held.set()
            await self._open.wait()
        if self._refusals:
            self._refusals -= 1
            raise TransientError("refused on purpose", retry_after_s=0.001)
        seq = await self._bus.publish(subject, payload, message_id=message_id, headers=headers, **more)
        if self._losses:
            self._losses -= 1
            raise TransientError("the acknowledgement was lost on purpose", retry_after_s=0.001)
        return seq
