"""Batches → the bus, one at a time, in order, until each is acknowledged.

One batch is under way at a time: facts that arrive meanwhile fill the next one, so batches grow with the load and an
idle watcher adds no delay. A batch that is not acknowledged goes again, the same bytes under the same message id;
meanwhile the queue fills and the kinds stop reading (back-pressure). Each publish names the message that must be the
last on the subject: of two watchers for one site the later epoch stays, in the same epoch the one that published first,
and the other one ends with a sentence.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

import structlog

from schemas import envelope, subjects
from schemas.batches import decode_batch
from schemas.envelope import MessageError
from schemas.events import ResourceEvent
from schemas.identity import SiteName
from services.chassis.backoff import Backoff
from services.chassis.bus.port import Bus
from services.chassis.errors import ConflictError, PermanentError, TransientError
from services.watcher.telling.batching import Batch, Batcher

TURN_MAX = 32  # facts, or observations of a listing, after which everything else in this process has its turn
RETRY_MIN_S = 0.05
RETRY_MAX_S = 5.0

log = structlog.get_logger(__name__)


class ReplacedError(PermanentError):
    """Another watcher publishes for this site: in a later epoch, or in ours and was faster."""


class Publisher:
    """The batcher, drained into the stream EVENTS."""

    def __init__(self, bus: Bus, site: SiteName, epoch: int, last_stream_seq: int, randomness: random.Random) -> None:
        self.batcher = Batcher(site, epoch, bus.bytes_max)
        self.retries = 0
        self._bus = bus
        self._site = site
        self._subject = subjects.event(site)
        self._expected = last_stream_seq
        self._backoff = Backoff(RETRY_MIN_S, RETRY_MAX_S, randomness)
        self._filled = asyncio.Event()
        self._changed = asyncio.Condition()
        self._replaced: ReplacedError | None = None

    def add(self, event: ResourceEvent) -> int:
        """Queue a fact; returns its number. Never waits: await `room` before the next."""
        number = self.batcher.add(event)
        self._filled.set()
        return number

    async def send(self, events: Iterable[ResourceEvent]) -> None:
        """Queue facts, waiting for room between them: a ledger that yields them stays in step with the queue."""
        for number, event in enumerate(events, 1):
            self.add(event)
            if self.batcher.full:
                await self.room()
            elif number % TURN_MAX == 0:
                await asyncio.sleep(0)

    async def room(self) -> None:
        """Wait until the queue takes more."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self.batcher.full)

    async def drained(self) -> None:
        """Wait until everything queued is acknowledged."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.batcher.idle)

    def begin_epoch(self, epoch: int) -> None:
        """From now on facts are numbered in a later epoch; one that is under way in the old is sent again in it."""
        self.batcher.begin_epoch(epoch)
        self._filled.set()

    async def is_replaced(self) -> bool:
        """Whether the stream holds a later epoch than ours; then `run` ends. Raises TransientError."""
        last = await self._bus.last("EVENTS", self._subject)
        epoch = _epoch_and_seq(last.payload)[0] if last else 0
        if epoch > self.batcher.epoch:
            self._replaced = self._by_another(epoch)
            self._filled.set()
        return self._replaced is not None

    async def run(self) -> None:
        """Publish until cancelled. Raises ReplacedError when another watcher has taken over."""
        while True:
            if self._replaced is not None:
                raise self._replaced
            batch = self.batcher.take()
            if batch is None:
                self._filled.clear()
                await self._filled.wait()
                continue
            if await self._publish(batch):
                self._backoff.reset()
                self.batcher.acknowledge(batch)
                async with self._changed:
                    self._changed.notify_all()

    async def _publish(self, batch: Batch) -> bool:
        """One attempt; False = not acknowledged, try whatever is current then."""
        try:
            self._expected = await self._bus.publish(
                self._subject,
                batch.payload,
                message_id=batch.message_id,
                headers=envelope.headers("event", f"watcher/{self._site}", batch.message_id),
                expected_last_seq=self._expected,
            )
        except ConflictError:
            return await self._settle_conflict(batch)
        except TransientError as error:
            await self._wait(error)
            return False
        return True

    async def _settle_conflict(self, batch: Batch) -> bool:
        """Somebody published, our own lost acknowledgement counts, or the stream has forgotten its last message."""
        try:
            last = await self._bus.last("EVENTS", self._subject)
        except TransientError as error:
            await self._wait(error)
            return False
        self._expected = last.stream_seq if last else 0
        if last is None:
            return False
        if last.payload == batch.payload:
            return True
        self._yield_if_replaced(_epoch_and_seq(last.payload), batch)
        return False

    def _yield_if_replaced(self, last: tuple[int, int], batch: Batch) -> None:
        epoch, seq = last
        ours = self.batcher.epoch
        first = epoch == ours == batch.epoch and seq >= batch.seq  # both took this number; the other was faster
        if epoch > ours or first:
            raise self._by_another(epoch)

    def _by_another(self, epoch: int) -> ReplacedError:
        return ReplacedError(
            f"another watcher publishes for site {self._site} (epoch {epoch}, ours is {self.batcher.epoch});"
            " run one per site"
        )

    async def _wait(self, error: TransientError) -> None:
        self.retries += 1
        delay_s = self._backoff.next(error.retry_after_s)
        log.warning("events wait for the bus", site=self._site, reason=str(error), retry_in_s=round(delay_s, 3))
        await asyncio.sleep(delay_s)


def _epoch_and_seq(payload: bytes) -> tuple[int, int]:
    try:
        batch = decode_batch(payload)
    except MessageError:
        return 0, 0  # not a watcher's word
    return batch.epoch, batch.seq
