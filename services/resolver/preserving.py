"""The graph of a serving resolver → a snapshot from time to time, a slice at a time.

Begun when every kind is confirmed and none is being listed, so that where it stood is a place to go on from. Between
two slices the event loop is everybody's; the disk is waited for in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from typing import Final

import structlog

from services.resolver.graph.snapshot import Copying
from services.resolver.machine import Machine
from services.resolver.signals import Moment
from services.resolver.snapshots import End, Head, Snapshots

LOOK_S: Final = 1.0
EVERY_S: Final = 300.0
EVENTS_MAX: Final = 200_000  # to be replayed at a start: some seconds


class Preserving:
    """One site's."""

    def __init__(
        self,
        machine: Machine,
        snapshots: Snapshots | None,
        now: Callable[[], Moment],
        every_s: float = EVERY_S,
    ) -> None:
        self._machine, self._snapshots, self._now, self._every_s = machine, snapshots, now, every_s
        self.outcome_seq = 0
        self._stream_seq = 0
        self._at = (0, 0)
        self._taken_at_s = float("-inf")
        self._taken = (0, 0)

    def applied(self, stream_seq: int) -> None:
        """A batch of this number in EVENTS was just applied; one that said nothing new does not count."""
        if self._cursor != self._at:
            self._at, self._stream_seq = self._cursor, stream_seq

    @property
    def _cursor(self) -> tuple[int, int]:
        return self._machine.evidence.epoch, self._machine.evidence.seq

    def begin(self, cursor_seq: int, kept: tuple[int, int], outcome_seq: int) -> None:
        """Before the first batch: what was found at the start (beginning.py). After a snapshot another has time."""
        self._at, self._stream_seq, self._taken = self._cursor, cursor_seq, kept
        self.outcome_seq = outcome_seq
        if cursor_seq:
            self._taken_at_s = self._now().monotonic_s

    async def run(self) -> None:
        """Until cancelled."""
        while self._snapshots is not None:
            await asyncio.sleep(LOOK_S)
            head = self._head(self._snapshots)
            if head is not None:
                await self._take(self._snapshots, head)

    def _head(self, snapshots: Snapshots) -> Head | None:
        """Where the resolver stands, when a snapshot is due and can be begun here."""
        if not self._stream_seq or self._cursor != self._at or self._taken == self._at:
            return None
        ruling = self._machine.desk.ruling
        if self._machine.graph.listings.under_way or not ruling.is_settled:
            return None  # what was not named yet may be gone, and which that is is not written
        (epoch, seq), (taken_epoch, taken_seq) = self._at, self._taken
        many = epoch != taken_epoch or seq - taken_seq >= EVENTS_MAX
        if not many and self._now().monotonic_s - self._taken_at_s < self._every_s:
            return None
        standing = self._machine.evidence.standing()
        if standing is None:
            return None
        held = tuple(dict.fromkeys(intent for _, intent, _ in self._machine.holds.rows()))
        where = (self._stream_seq, self.outcome_seq, held, standing)
        return Head(self._machine.site, snapshots.made_by, *where, ruling.read_by)

    async def _take(self, snapshots: Snapshots, head: Head) -> None:
        log = structlog.get_logger(__name__).bind(site=self._machine.site, seq=head.standing.seq)
        graph, evidence, ruling = self._machine.graph, self._machine.evidence, self._machine.desk.ruling
        rules = ruling.book.catalogue
        self._taken_at_s = self._now().monotonic_s

        def end() -> End:
            if ruling.book.catalogue is not rules or ruling.read_by != head.read_by:  # some of it was read by others
                raise OSError("the rules of relationships have changed meanwhile")
            return End(evidence.epoch, evidence.seq, len(graph.parts.names))

        try:
            with closing(Copying(graph).chunks()) as chunks, closing(snapshots.acts(head, chunks, end)) as acts:
                for act in acts:
                    await asyncio.to_thread(act)
        except OSError as error:
            log.warning("no snapshot was taken", folder=str(snapshots.folder), error=str(error))
            return
        self._taken = head.standing.epoch, head.standing.seq
        log.info(
            "snapshot taken",
            resources=graph.resource_count,
            took_s=round(self._now().monotonic_s - self._taken_at_s, 1),
        )
