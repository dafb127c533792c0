"""One operation → one effect: tries while trying may help, then follows what was applied.

Refusals that pass (overload, nobody there) are tried a few times here, and given back to the bus if they last: the
operation comes again until its time is over. Refusals that do not pass are the answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from schemas.operations import Operation
from schemas.outcomes import Outcome
from services.chassis.errors import CheopsError, TransientError
from services.executor.following import POLL_GROWTH, Patience, conclude, remaining_s
from services.executor.permit import OperationPermit, too_late
from services.executor.target import Effect, ExpiredError, Permit, Progress, RefusedError, Target
from services.executor.turns import Turns

RETRY_AFTER_MAX_S: Final = 60.0  # an API server's wish is heard, within reason
log = structlog.get_logger(__name__)
Try = Callable[[Operation, Permit], Awaitable[Effect]]


class StoppingError(CheopsError):
    """The executor is being stopped: the operation goes back to the bus."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the executor.

    in_flight_max   operations taken from the bus and not final, those that are followed included
    acting_max      of them, those that talk to the API server at one time
    tries_max       of one operation before it is given back or failed; pauses double from `pause_min_s` (full jitter)
    defects_max     deliveries of an operation that meets a defect of ours before it is buried
    unserved_max_s  of a kind that nobody serves: an API server that starts serves no custom resource for a while
    """

    in_flight_max: int = 512
    acting_max: int = 16
    tries_max: int = 5
    pause_min_s: float = 0.2
    pause_max_s: float = 30.0
    poll_min_s: float = 0.2
    poll_max_s: float = 3.0
    ack_wait_s: float = 10.0
    stop_grace_s: float = 5.0
    defects_max: int = 5
    unserved_max_s: float = 60.0

    def pause_s(self, tries: int, retry_after_s: float | None = None) -> float:
        """Seconds to wait after `tries` tries: what the other side asked for, else exponential with full jitter."""
        if retry_after_s is not None:
            return min(retry_after_s, RETRY_AFTER_MAX_S)
        ceiling_s = min(self.pause_max_s, self.pause_min_s * 2.0 ** min(tries, 30))
        return random.uniform(0, ceiling_s)

    def away_s(self, deliveries: int, retry_after_s: float | None) -> float:
        """Seconds until it is delivered again: what was asked for at least; also a race is run less and less often."""
        return max(self.pause_s(deliveries), self.pause_s(deliveries, retry_after_s or 0.0))


class Carrier:
    """Tries and follows, for one target."""

    def __init__(
        self,
        target: Target,
        limits: Limits,
        stopping: asyncio.Event,
        clock: Callable[[], float],
        wall: Callable[[], datetime],
    ) -> None:
        self._target, self._limits, self._stopping = target, limits, stopping
        self._clock, self._wall = clock, wall
        self._turns = Turns(limits.acting_max)
        self._carrying = 0

    @property
    def crowded(self) -> bool:
        """More are being carried out than may act at one time: some wait for their turn."""
        return self._carrying > self._limits.acting_max

    async def carry_out(self, operation: Operation, permit: OperationPermit) -> Effect:
        """Raises TransientError when it is to be given back to the bus, LeaseLostError when it is somebody else's."""
        self._carrying += 1
        try:
            return await self._carry_out(operation, permit)
        finally:
            self._carrying -= 1

    async def _carry_out(self, operation: Operation, permit: OperationPermit) -> Effect:
        refused: TransientError | None = None
        for tried in range(1, self._limits.tries_max + 1):
            if permit.expired and not permit.open:
                words = too_late(f"not begun before {operation.expires_at.isoformat(timespec='seconds')}", self._wall())
                return Effect("expired", False, words)
            try:
                async with self._turns.turn() as permit.turn:
                    return await self._try(operation)(operation, permit)
            except ExpiredError as error:
                return Effect("expired", False, str(error))
            except TransientError as error:
                refused = error
                log.info("try failed", operation=operation.id, tried=tried, reason=str(error))
            if tried < self._limits.tries_max:
                await self._pause(self._limits.pause_s(tried, refused.retry_after_s))
        assert refused is not None, "no tries at all"
        if isinstance(refused, RefusedError):
            return refused.effect
        raise refused

    async def follow(self, operation: Operation, applied: Outcome) -> Effect:
        """Look until it is ready, gone, failed, or its time is over. Ends on what was seen, never on silence."""
        left_s = remaining_s(operation, applied, self._wall())
        patience = Patience(operation, left_s, self._limits.unserved_max_s, self._clock())
        interval_s = self._limits.poll_min_s
        while True:
            progress = await self._look(operation, applied)
            if progress is not None:
                over = patience.ends_with(progress, self._clock())
                effect = conclude(operation, applied, progress, over=over)
                if effect is not None:
                    return effect
            await self._pause(max(patience.pause_s(interval_s, self._clock()), self._limits.poll_min_s))
            interval_s = min(interval_s * POLL_GROWTH, self._limits.poll_max_s)

    async def _look(self, operation: Operation, applied: Outcome) -> Progress | None:
        try:
            async with self._turns.turn():
                return await self._target.progress(operation, applied.uid)
        except TransientError as error:
            log.info("progress not seen", operation=operation.id, reason=str(error))
            return None

    def _try(self, operation: Operation) -> Try:
        if operation.action == "delete":
            return self._target.delete
        return self._target.read if operation.action == "read" else self._target.apply

    async def _pause(self, pause_s: float) -> None:
        """Wait, unless everything is to stop."""
        try:
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()
        except TimeoutError:
            return
        raise StoppingError("the executor is being stopped")
