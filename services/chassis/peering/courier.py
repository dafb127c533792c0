"""Letters to peers: bounded → stored in the OUTBOX → carried to each peer beside the others (carrier.py).

A letter is taken when `send` returns: from then on neither a cut nor a kill loses it. What may wait for one peer is
bounded in number and bytes, and all together, so that peers that are cut off cannot fill the OUTBOX for the others.
Questions that begin something new are refused first, so that what was begun can still be ended.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from schemas import subjects
from schemas.identity import SiteName
from services.chassis import metrics
from services.chassis.backoff import Backoff
from services.chassis.bus.port import Bus, Received
from services.chassis.bus.streams import MAILS_BYTES_MAX
from services.chassis.errors import TransientError
from services.chassis.lifecycle import begin
from services.chassis.peering.backlog import Lag
from services.chassis.peering.carrier import Carrier
from services.chassis.peering.letter import Letter, OutboxFullError
from services.chassis.poison import bury

RETRY_MIN_S: Final = 0.2
RETRY_MAX_S: Final = 30.0  # an attempt asks nothing of a link that is down; a heartbeat ends the wait
OPENING: Final = ("ask",)  # what begins something new

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What may wait: letters and bytes for one peer, bytes for all. What is opening may use `opening_share` of it."""

    count_max: int = 10_000
    bytes_max: int = 32 * 1024 * 1024
    all_bytes_max: int = MAILS_BYTES_MAX * 3 // 4
    opening_share: float = 0.75


class Courier:
    """The way out to all peers of a site. `send` may be called once `run` has set `ready`."""

    def __init__(
        self,
        site: SiteName,
        bus: Bus,
        *,
        limits: Limits | None = None,
        now_s: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        randomness: random.Random | None = None,
        gone: Set[SiteName] = frozenset(),
    ) -> None:
        """`gone`: sites to which nothing is carried any more: what waits for them is buried."""
        self._site = site
        self._bus = bus
        self._limits = limits or Limits()
        self._now_s = now_s
        self._wall = wall
        self._random = randomness or random.Random()
        self._gone = gone
        self._carriers: dict[SiteName, Carrier] = {}
        self._tasks: asyncio.TaskGroup

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Find what waits since a former life, then carry until cancelled. Needs the site's streams."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            await self._recover()
            if ready is not None:
                ready.set()
            await asyncio.Event().wait()

    async def _recover(self) -> None:
        now_s, wall = self._now_s(), self._wall()
        async for stored in self._bus.scan(subjects.outbox_stream(self._site), subjects.filters("OUTBOX", self._site)):
            age_s = (wall - _stored_at(stored, wall)).total_seconds()
            receiver = SiteName(subjects.parts(stored.subject)[2])
            self._carrier(receiver).add(stored.stream_seq, len(stored.payload), now_s - max(0.0, age_s))
        for carrier in self._carriers.values():
            log.info("letters wait since before the start", peer=carrier.peer, count=len(carrier.backlog))

    async def send(self, letter: Letter) -> None:
        """Return when it is stored. OutboxFullError: not taken; TransientError: our own bus does not store it now."""
        carrier = self._carrier(letter.receiver)
        self._ensure_room(carrier, letter)
        headers = {**letter.headers, "ce-time": self._wall().isoformat()}
        seq = await self._bus.publish(
            letter.outbox_subject, letter.payload, message_id=headers["ce-id"], headers=headers
        )
        carrier.add(seq, len(letter.payload), self._now_s())
        log.debug("a letter leaves", site=self._site, peer=letter.receiver, letter=letter.outbox_subject, seq=seq)

    def wake(self, peer: SiteName) -> None:
        """A peer was heard again."""
        if peer in self._carriers:
            self._carriers[peer].wake()

    def lags(self) -> Mapping[SiteName, Lag]:
        """Of every peer that there were letters for."""
        return {peer: carrier.lag for peer, carrier in self._carriers.items()}

    def _carrier(self, peer: SiteName) -> Carrier:
        known = self._carriers.get(peer)
        if known is None:
            backoff = Backoff(RETRY_MIN_S, RETRY_MAX_S, self._random)
            known = self._carriers[peer] = Carrier(
                self._site, peer, self._bus, self._now_s, backoff, self._bury, is_gone=peer in self._gone
            )
            begin(known.run(), self._tasks)
        return known

    def _ensure_room(self, carrier: Carrier, letter: Letter) -> None:
        share = self._limits.opening_share if letter.what in OPENING else 1.0
        count, size = len(carrier.backlog) + 1, carrier.backlog.size + len(letter.payload)
        together = sum(one.backlog.size for one in self._carriers.values()) + len(letter.payload)
        crowded = together > share * self._limits.all_bytes_max and count > 1
        if count > share * self._limits.count_max or size > share * self._limits.bytes_max or crowded:
            lag = carrier.lag
            metrics.LETTERS_REFUSED.labels(site=self._site, peer=letter.receiver).inc()
            raise OutboxFullError(
                f"no room for this {letter.what}: {lag.count} letters ({lag.size} bytes) wait for {letter.receiver}, "
                f"the oldest for {lag.oldest_s:.0f} s ({lag.error or 'they are on their way'})"
            )

    async def _bury(self, stored: Received, reason: str) -> None:
        log.error("a letter cannot be delivered, kept in dead letters", subject=stored.subject, reason=reason)
        while True:
            try:
                await bury(self._bus, "OUTBOX", stored, reason, by=f"courier/{self._site}", now=self._wall())
                return
            except TransientError as error:
                await asyncio.sleep(error.retry_after_s or RETRY_MIN_S)


def _stored_at(stored: Received, otherwise: datetime) -> datetime:
    try:
        return datetime.fromisoformat(stored.headers.get("ce-time", ""))
    except ValueError:
        return otherwise
