"""OUTBOX → one peer's INBOX, in order: take the oldest → store it at the peer → forget it.

Each peer has a carrier of its own, so one that is cut off delays nobody else. What waits behind the oldest goes with it
in one round trip (a parcel): a link is as quick as it is wide, not as it is long. A letter that was sent twice, because
the peer's word or our own was lost, has the same message id: the peer's server takes it once (for ten minutes), and its
resolver's machine is not moved by a repetition. Killed anywhere, the next carrier begins with the oldest again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from schemas import subjects
from schemas.identity import SiteName
from services.chassis import metrics
from services.chassis.backoff import Backoff
from services.chassis.bus.port import Bus, Delivery, Reader, Received
from services.chassis.bus.streams import make_missing
from services.chassis.errors import PermanentError, TransientError
from services.chassis.peering.backlog import Backlog, Lag
from services.chassis.peering.letter import wire_id
from services.chassis.peering.parcel import NotTakenError, Parcel, following

FETCH_WAIT_S: Final = 5.0
IDLE_LOOK_S: Final = 60.0  # who has nothing to carry looks so often whether somebody else left something
ACK_WAIT_S: Final = 2.0  # what a killed carrier had taken comes again after it, before anything newer
RESEND_S: Final = 1.0  # an attempt that is under way when the peer is heard again has so long left

Bury = Callable[[Received, str], Awaitable[None]]

log = structlog.get_logger(__name__)


class Carrier:
    """The way to one peer."""

    def __init__(
        self,
        site: SiteName,
        peer: SiteName,
        bus: Bus,
        now_s: Callable[[], float],
        backoff: Backoff,
        bury: Bury,
        is_gone: bool = False,
    ) -> None:
        """`is_gone`: for good; nothing is carried there, and nothing waits for it."""
        self.peer = peer
        self.backlog = Backlog()
        self.retries = 0
        self._site = site
        self._bus = bus
        self._now_s = now_s
        self._backoff = backoff
        self._bury = bury
        self._is_gone = is_gone
        self._error = ""
        self._stream = subjects.outbox_stream(site)
        self._only = subjects.outbox_filter(site, peer)
        self._something = asyncio.Event()
        self._woken = asyncio.Event()
        self._attempt: tuple[asyncio.Timeout, Parcel] | None = None
        self._there: set[str] = set()  # ids of letters that went with an older one
        self._alone = 0  # letters up to this number go alone: what was behind them was not taken as a parcel

    @property
    def lag(self) -> Lag:
        """What waits, since when, and why."""
        oldest_s = self.backlog.oldest_s(self._now_s())
        return Lag(len(self.backlog), self.backlog.size, oldest_s, self.retries, self._error)

    def add(self, seq: int, size: int, since_s: float) -> None:
        """There is a letter to carry."""
        self.backlog.add(seq, size, since_s)
        self._something.set()

    def wake(self) -> None:
        """The peer was heard again: try now, whatever the last failures said."""
        self._backoff.reset()
        self._woken.set()
        if self._attempt is not None:
            patience, parcel = self._attempt
            patience.reschedule(asyncio.get_running_loop().time() + RESEND_S + parcel.travel_s)

    async def run(self) -> None:
        """Carry until cancelled."""
        while True:
            try:
                await self._carry()
            except TransientError as error:  # of our own bus: take up the oldest again
                await make_missing(self._bus, self._site, error)
                await self._failed(error)

    async def _carry(self) -> None:
        await self._wait_for_something(None)
        durable = f"courier-{subjects.escape(self.peer)}"
        reader = await self._bus.reader(self._stream, durable, self._only, ack_wait_s=ACK_WAIT_S, pending_max=1)
        try:
            while True:
                await self._carry_next(reader)
        finally:
            await reader.close()

    async def _carry_next(self, reader: Reader) -> None:
        begun_s = self._now_s()
        taken = await reader.fetch(1, FETCH_WAIT_S)
        for delivery in taken:
            await self._deliver(delivery)
        if not taken and await self._bus.last(self._stream, self._only) is None:
            self.backlog.forget(begun_s)
        if not len(self.backlog):
            self._something.clear()
            await self._wait_for_something(IDLE_LOOK_S)

    async def _wait_for_something(self, timeout_s: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._something.wait()

    async def _deliver(self, delivery: Delivery) -> None:
        oldest = delivery.message
        if self._is_gone:
            await self._bury(oldest, f"{self.peer} is gone for good (CHEOPS_GONE)")
        elif wire_id(oldest) not in self._there:
            await self._bring(await self._parcel(oldest))
        await delivery.ack()
        self._there.discard(wire_id(oldest))
        self.backlog.remove(oldest.stream_seq)
        log.debug(
            "a letter is delivered", site=self._site, peer=self.peer, letter=oldest.subject, seq=oldest.stream_seq
        )

    async def _parcel(self, oldest: Received) -> Parcel:
        if oldest.stream_seq <= self._alone or len(self.backlog) < 2:
            return Parcel((oldest,))
        return Parcel((oldest, *await following(self._bus, self._stream, self._only, oldest)))

    async def _bring(self, parcel: Parcel) -> None:
        """Until the peer has it; what no server would ever take is buried, it must not stop the others."""
        while True:
            try:
                await self._attempted(parcel)
                break
            except NotTakenError:
                self._alone, parcel = parcel.letters[-1].stream_seq, parcel.first
            except TransientError as error:
                await self._failed(error)
            except PermanentError as error:
                await self._bury(parcel.letters[0], str(error))
                break
        self._backoff.reset()
        self._error = ""
        self._there = {wire_id(one) for one in parcel.letters[1:]}

    async def _attempted(self, parcel: Parcel) -> None:
        try:
            async with asyncio.timeout(None) as patience:
                self._attempt = (patience, parcel)
                await parcel.send(self._bus)
        except TimeoutError as error:
            raise TransientError("the peer was heard again meanwhile") from error
        finally:
            self._attempt = None
        metrics.LETTERS_DELIVERED.labels(site=self._site, peer=self.peer).inc(len(parcel.letters))

    async def _failed(self, error: TransientError) -> None:
        self.retries += 1
        metrics.LETTERS_RETRIED.labels(site=self._site, peer=self.peer).inc()
        if not self._error:
            log.warning("letters wait for a peer", site=self._site, peer=self.peer, error=str(error))
        self._error = str(error)
        self._woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._backoff.next(error.retry_after_s)):
                await self._woken.wait()
