"""Readers of the bus in this process, and how what they deliver is answered for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.chassis.bus.port import Delivery, Received
from services.chassis.bus.stored import Consumer
from services.chassis.errors import TransientError

if TYPE_CHECKING:
    from services.chassis.bus.memory import MemoryBus


@dataclass(frozen=True, slots=True)
class MemoryDelivery:
    """A stored message and how to answer for it."""

    message: Received
    bus: MemoryBus
    consumer: Consumer

    async def ack(self) -> None:
        """See port."""
        self.bus.ensure_open()
        self.consumer.ack(self.message.stream_seq)

    async def ack_unconfirmed(self) -> None:
        """See port."""
        await self.ack()

    async def retry(self, delay_s: float = 0.0) -> None:
        """See port."""
        self.bus.ensure_open()
        self.consumer.retry(self.message.stream_seq, self.bus.now_s() + delay_s)
        self.bus.clock_moved()

    async def terminate(self, reason: str) -> None:
        """See port."""
        await self.ack() if not self.consumer.acks_all else self.consumer.pending.pop(self.message.stream_seq, None)

    async def extend(self) -> None:
        """See port."""
        self.bus.ensure_open()
        self.consumer.retry(self.message.stream_seq, self.bus.now_s() + self.consumer.ack_wait_s)


class MemoryReader:
    """A durable consumer's reader; several readers of one durable share its messages."""

    def __init__(self, bus: MemoryBus, consumer: Consumer) -> None:
        self._bus = bus
        self._consumer = consumer

    async def fetch(self, limit: int, wait_s: float) -> list[Delivery]:
        """See port."""
        end_s = self._bus.now_s() + wait_s
        while True:
            if await self.is_replaced():
                raise TransientError("the consumer was deleted")
            now_s = self._bus.now_s()
            taken = self._consumer.take(limit, now_s)
            if taken or now_s >= end_s:
                return [MemoryDelivery(one, self._bus, self._consumer) for one in taken]
            due_s = self._consumer.next_due_s()
            await self._bus.wait_changed(min(end_s, due_s if due_s is not None else end_s) - now_s)

    async def ack_all(self, last: Delivery) -> None:
        """See port."""
        await last.ack()

    async def is_replaced(self) -> bool:
        """See port."""
        self._bus.ensure_open()
        return all(one is not self._consumer for one in self._consumer.stream.consumers.values())

    async def close(self) -> None:
        """See port."""
