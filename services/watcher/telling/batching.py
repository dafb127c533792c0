"""Facts → numbered, chained batches. Pure.

Facts queue up as they are written (teller.py). A batch takes what waits now, at most 256 and at most
`BATCH_BYTES_MAX`: an idle watcher sends a single fact at once, a busy one fills its batches while the previous one is
under way. A batch stays `current` until it is acknowledged; the same bytes under the same message id go again until
then, so a number is never given to two different facts. A new epoch numbers from 1 again, what was not acknowledged
included.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from schemas.envelope import MESSAGE_BYTES_MAX
from schemas.events import BATCH_EVENTS_MAX, ResourceEvent, batch_hash
from schemas.identity import SiteName
from services.watcher.telling.teller import Teller, Told, join

BATCH_BYTES_MAX: Final = 512 * 1024  # below the 1 MiB that a NATS server takes unless told otherwise
ENVELOPE_BYTES_MAX: Final = 4096  # of a batch besides its facts
FACT_BYTES_MAX: Final = MESSAGE_BYTES_MAX - ENVELOPE_BYTES_MAX  # one that is larger than a batch goes alone
QUEUE_FACTS_MAX: Final = 4_096
ANSWERS_FACTS_MAX: Final = 4_096  # of answers to questions, on top: who asks cannot be made to wait


class OversizedFactError(ValueError):
    """A fact that no message can carry."""


class Batch(NamedTuple):
    """A batch that is not acknowledged yet."""

    epoch: int
    seq: int
    facts: tuple[Told, ...]
    payload: bytes
    digest: str

    @property
    def message_id(self) -> str:
        """The same bytes always have the same id, and no other bytes have it."""
        return f"{self.epoch}.{self.seq}.{self.digest}"

    @property
    def last_seq(self) -> int:
        """Number of its last fact."""
        return self.seq + len(self.facts) - 1


class Batcher:
    """The queue of facts of one site, and the numbers that they get. `bytes_max`: so much the bus takes of a batch."""

    def __init__(self, site: SiteName, epoch: int, bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self.site = site
        self._fact_bytes_max = bytes_max - ENVELOPE_BYTES_MAX
        self.epoch = epoch
        self.acknowledged = 0
        self.current: Batch | None = None
        self._chain = ""
        self._queue: list[Told] = []
        self._tell = Teller().tell

    @property
    def numbered(self) -> int:
        """Number of the last fact that is acknowledged, under way or waiting."""
        under_way = len(self.current.facts) if self.current else 0
        return self.acknowledged + under_way + len(self._queue)

    @property
    def full(self) -> bool:
        """Whoever adds must wait first. One event of each kind may still come: a bound, not a wall."""
        return len(self._queue) >= QUEUE_FACTS_MAX

    @property
    def overfull(self) -> bool:
        """No more questions may be answered by facts until some have left."""
        return len(self._queue) >= QUEUE_FACTS_MAX + ANSWERS_FACTS_MAX

    @property
    def idle(self) -> bool:
        """Everything is acknowledged."""
        return self.current is None and not self._queue

    def add(self, event: ResourceEvent) -> int:
        """Queue a fact; returns its number. Raises OversizedFactError."""
        told = self._tell(event)
        most = self._fact_bytes_max
        if told.size > most:
            raise OversizedFactError(f"a fact of {told.size} bytes (at most {most} fit into a message of this bus)")
        self._queue.append(told)
        return self.numbered

    def take(self) -> Batch | None:
        """The batch that is to be published now: the unacknowledged one, else a new one, else None."""
        if self.current is None and self._queue:
            self.current = self._make(self._cut())
        return self.current

    def acknowledge(self, batch: Batch) -> None:
        """The batch is stored. A batch of an earlier epoch is not ours any more."""
        if batch is not self.current:
            return
        self.current = None
        self.acknowledged = batch.last_seq
        self._chain = batch.digest

    def begin_epoch(self, epoch: int) -> None:
        """Number from 1 again, what is not acknowledged first."""
        if self.current is not None:
            self._queue[:0] = self.current.facts
        self.epoch, self.acknowledged, self.current, self._chain = epoch, 0, None, ""

    def _cut(self) -> tuple[Told, ...]:
        waiting, size, count = self._queue[:BATCH_EVENTS_MAX], 0, 0
        for told in waiting:
            size += told.size
            if count and size > min(BATCH_BYTES_MAX, self._fact_bytes_max):
                break
            count += 1
        del self._queue[:count]
        return tuple(waiting[:count])

    def _make(self, facts: tuple[Told, ...]) -> Batch:
        seq = self.acknowledged + 1
        payload = join(self.site, self.epoch, seq, self._chain, facts)
        return Batch(self.epoch, seq, facts, payload, batch_hash(payload))
