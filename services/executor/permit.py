"""The right to write, per operation, and the memory of writes that nobody answered.

`Lease` is one delivery's claim on its operation: while it is extended, the bus gives the operation to nobody else. A
permit outlives its deliveries as long as this process lives, so that an operation which comes back after an overload
is still known not to have been done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import structlog

from schemas.operations import Operation
from services.chassis.bus.port import Delivery
from services.chassis.errors import CheopsError
from services.executor.target import ExpiredError, LeaseLostError, Manifest
from services.executor.turns import Turn

EXTENSIONS_PER_WAIT: Final = 3  # two may be lost
log = structlog.get_logger(__name__)


def too_late(words: str, now: datetime) -> str:
    """With what the clock says here: if that is wrong, whoever reads it sees so."""
    return f"{words}; by the executor's clock it is {now.isoformat(timespec='seconds')}"


class Lease:
    """Held until `ack_wait_s` after the last extension, on the monotonic clock (it goes on while we are stopped)."""

    def __init__(self, delivery: Delivery, ack_wait_s: float, clock: Callable[[], float]) -> None:
        self._delivery, self._ack_wait_s, self._clock = delivery, ack_wait_s, clock
        self._until_s = clock() + ack_wait_s

    def held(self) -> bool:
        """Nobody else can have been given the operation yet."""
        return self._clock() < self._until_s

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Extended while this lasts. A bus that does not answer lets the lease run out.

        Most operations are over before the first extension, so until then there is no task, but a timer.
        """
        loop, keeping = asyncio.get_running_loop(), list[asyncio.Task[None]]()
        timer = loop.call_later(self._pause_s, lambda: keeping.append(loop.create_task(self._keep())))
        try:
            yield
        finally:
            timer.cancel()
            for one in keeping:
                one.cancel()

    @property
    def _pause_s(self) -> float:
        return self._ack_wait_s / EXTENSIONS_PER_WAIT

    async def _keep(self) -> None:
        while True:
            asked_s = self._clock()
            try:
                await self._delivery.extend()
            except CheopsError as error:
                log.warning("the lease on an operation was not extended", error=str(error))
            else:
                if self.held():  # once it has run out, somebody else may hold it
                    self._until_s = asked_s + self._ack_wait_s
            await asyncio.sleep(self._pause_s)


class OperationPermit:
    """One operation's permit; see `target.Permit`."""

    def __init__(self, operation: Operation, *, maybe_begun: bool, wall: Callable[[], datetime]) -> None:
        """`maybe_begun`: another process may have written. Only a version in the preconditions can disprove it."""
        self._expires_at, self._wall = operation.expires_at, wall
        self.keeper: Callable[[Manifest | None], Awaitable[None]] | None = None
        self.lease: Lease | None = None
        self.turn: Turn | None = None
        self.open, self.basis = False, ""
        self._version, self._handed = operation.preconditions.resource_version, dict[int, int]()
        if maybe_begun:
            self.open, self.basis = True, self._version
        self._before = (self.open, self.basis)

    def handed(self, stream_seq: int, deliveries: int) -> None:
        """The message was given to us, so many times in all; what was given to somebody else in between may be done."""
        known, self._handed[stream_seq] = self._handed.get(stream_seq, 0), deliveries
        if deliveries > known + 1:
            self._before = (True, self._version)  # also while a write of ours is under way, which may turn out not done
            if not self.open:
                self.open, self.basis = self._before

    @property
    def expired(self) -> bool:
        """Its time is over."""
        return self._wall() >= self._expires_at

    async def keep(self, live: Manifest | None) -> None:
        """Where the operation says so. Storing what is there takes a while, in which others may act."""
        if self.keeper is None:
            return
        if live is None or self.turn is None:
            await self.keeper(live)
            return
        async with self.turn.given_up():
            await self.keeper(live)

    def take(self, basis: str) -> None:
        """The last look at the clock and at the lease before something is written."""
        if self.expired:
            words = f"its time was over at {self._expires_at.isoformat(timespec='seconds')}"
            raise ExpiredError(too_late(words, self._wall()))
        if self.lease is None or not self.lease.held():
            raise LeaseLostError("the bus may have given the operation to another executor")
        self._before = (self.open, self.basis)
        self.open, self.basis = True, basis

    def settle(self) -> None:
        """The last write was not done. An earlier one that nobody answered stays open."""
        self.open, self.basis = self._before

    def clear(self) -> None:
        """Neither the last one was, nor any before it."""
        self.open, self.basis = self._before = (False, "")
