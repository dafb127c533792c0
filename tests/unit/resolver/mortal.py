"""A bus that stands still for ever at its n-th wait, before or after what was asked was done: there a process dies."""

from __future__ import annotations

import asyncio
from typing import Any

from services.chassis.bus.memory import MemoryBus


class Mortal:
    """The bus as one process uses it. `died` is set when the n-th wait is reached; nothing goes on from there."""

    def __init__(self, bus: MemoryBus, waits: int) -> None:
        self._bus, self._left = bus, waits
        self.died = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)

    async def gate(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self.died.set()
            await asyncio.Event().wait()

    async def publish(self, *args: Any, **options: Any) -> int:
        await self.gate()
        seq = await self._bus.publish(*args, **options)
        await self.gate()
        return seq

    async def publish_together(self, *args: Any, **options: Any) -> int:
        await self.gate()
        seq = await self._bus.publish_together(*args, **options)
        await self.gate()
        return seq

    async def reader(self, *args: Any, **options: Any) -> Any:
        return _Reader(self, await self._bus.reader(*args, **options))


class _Reader:
    def __init__(self, bus: Mortal, reader: Any) -> None:
        self._bus, self._reader = bus, reader

    async def fetch(self, limit: int, wait_s: float) -> list[Any]:
        found = await self._reader.fetch(limit, wait_s)
        if found:
            await self._bus.gate()
        return [_Delivery(self._bus, one) for one in found]

    async def ack_all(self, last: Any) -> None:
        await self._bus.gate()
        await self._reader.ack_all(last.inner)

    async def is_replaced(self) -> bool:
        await self._bus.gate()
        return bool(await self._reader.is_replaced())

    async def close(self) -> None:
        await self._reader.close()


class _Delivery:
    def __init__(self, bus: Mortal, inner: Any) -> None:
        self._bus, self.inner = bus, inner

    @property
    def message(self) -> Any:
        return self.inner.message

    async def ack(self) -> None:
        await self._bus.gate()
        await self.inner.ack()
        await self._bus.gate()

    async def ack_unconfirmed(self) -> None:
        await self.ack()

    async def terminate(self, reason: str) -> None:
        await self._bus.gate()
        await self.inner.terminate(reason)
