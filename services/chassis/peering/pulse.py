"""Ask each peer every second whether it is there, and answer when peers ask. Who asks is a peer.

The round trip is measured on our own monotonic clock. A peer that answers again after it did not wakes the courier.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

import structlog

from schemas import subjects
from schemas.envelope import MessageError, UnknownVersionError
from schemas.identity import SiteName
from schemas.pings import NOT_SPOKEN, Ping, Pong, understood
from schemas.queries import Refusal
from schemas.release import release
from services.chassis import metrics
from services.chassis.bus.port import Bus, Received
from services.chassis.errors import BusUnavailableError, TransientError
from services.chassis.peering.contacts import Contacts

ANSWER_TIMEOUT_S: Final = 2.0  # a slow, lossy link answers within it; a black hole delays the next ping by it

NOT_ANSWERED: Final = "410"  # a site that is gone for good

Heard = Callable[[SiteName, float], Awaitable[None]]  # which peer, and its usual round trip in seconds

log = structlog.get_logger(__name__)


class Pulse:
    """One site's heartbeats. `back` is told which peer is there again, `heard` of each answer that is understood."""

    def __init__(
        self,
        site: SiteName,
        bus: Bus,
        contacts: Contacts,
        back: Callable[[SiteName], None],
        heard: Heard | None = None,
        *,
        now_s: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        randomness: random.Random | None = None,
        key: Callable[[], str] = str,
    ) -> None:
        self._site = site
        self._bus = bus
        self._contacts = contacts
        self._back = back
        self._heard = heard
        self._now_s = now_s
        self._wall = wall
        self._random = randomness or random.Random()
        self._tasks: asyncio.TaskGroup
        self._speaks = contacts.speaks
        self._key = key

    async def run(self) -> None:
        """Until cancelled."""
        asked, name = subjects.peer_filter(self._site, "ping"), f"resolver-{self._site}"
        async with asyncio.TaskGroup() as self._tasks, self._bus.serve(asked, self._answer, name=name):
            for peer in self._contacts.peers:
                self._tasks.create_task(self._keep_asking(peer))
            await asyncio.Event().wait()

    async def _keep_asking(self, peer: SiteName) -> None:
        next_s = self._now_s() + self._random.uniform(0, self._contacts.interval_s)  # not all in the same moment
        number = 0
        while not self._contacts.forget(peer, self._now_s()):
            await asyncio.sleep(next_s - self._now_s())
            number += 1
            await self._ask(peer, number)
            next_s = max(next_s + self._contacts.interval_s, self._now_s())
        log.info("a peer is forgotten", site=self._site, peer=peer)

    async def _ask(self, peer: SiteName, number: int) -> None:
        ping = Ping(sender=self._site, receiver=peer, number=number, speaks=self._speaks)
        subject, asked_s = subjects.peer(peer, self._site, "ping", str(number)), self._now_s()
        try:
            reply = await self._bus.request(subject, ping.to_json(), ANSWER_TIMEOUT_S)
        except BusUnavailableError:
            self._contacts.failed(peer, "no link leads there, or no resolver runs there")
            return
        except TransientError:
            self._contacts.failed(peer, f"no answer within {ANSWER_TIMEOUT_S:g} s")
            return
        try:
            pong = _understood(reply.payload, peer, number)
        except MessageError as error:
            if not self._contacts.of(peer).refusal:
                log.warning("a peer answers, and is not understood", site=self._site, peer=peer, reason=str(error))
            metrics.PINGS_REFUSED.labels(site=self._site, peer=peer).inc()
            self._contacts.refused(peer, str(error), self._now_s())
            return
        if not self._contacts.reachable(peer, asked_s):
            log.info("a peer is there", site=self._site, peer=peer, speaks=pong.speaks)
        if self._contacts.answered(peer, pong, asked_s, self._now_s()):
            self._back(peer)
        if self._heard is not None and self._contacts.reachable(peer, self._now_s()):
            await self._heard(peer, self._contacts.of(peer).round_trip_s or 0.0)

    async def _answer(self, received: Received) -> bytes:
        """A typed refusal where we speak another major version, or where the subject and the body do not agree."""
        _, receiver, sender, _, _ = subjects.parts(received.subject)
        try:
            ping = Ping.from_json(received.payload)
        except UnknownVersionError as error:
            return Refusal(code=NOT_SPOKEN, message=f"{error}: {self._site} speaks {self._speaks}").to_json()
        except MessageError as error:
            return Refusal(code="400", message=str(error)).to_json()
        if (ping.sender, ping.receiver) != (sender, receiver):
            text = f"sender, receiver: {ping.sender}, {ping.receiver} (published by {sender[:80]} to {receiver[:80]})"
            return Refusal(code="400", message=text).to_json()
        if ping.sender in self._contacts.gone:
            if self._heard is not None:  # somebody should know
                await self._heard(ping.sender, 0.0)
            text = f"{ping.sender} is gone for good, as {self._site} was told (CHEOPS_GONE): it is not answered"
            return Refusal(code=NOT_ANSWERED, message=text).to_json()
        if not understood(ping.speaks, self._speaks):
            text = f"version {ping.speaks} is not spoken here: {self._site} speaks {self._speaks}"
            return Refusal(code=NOT_SPOKEN, message=text).to_json()
        if ping.sender != self._site and self._contacts.learn(ping.sender, self._now_s()):
            log.info("a site that asks is a peer from now on", site=self._site, peer=ping.sender)
            self._tasks.create_task(self._keep_asking(ping.sender))
        pong = Pong(
            site=self._site,
            number=ping.number,
            speaks=self._speaks,
            release=release(),
            at=self._wall(),
            key=self._key(),
        )
        return pong.to_json()


def _understood(payload: bytes, peer: SiteName, number: int) -> Pong:
    """Raises MessageError with what the peer said, or with what is wrong about it."""
    try:
        pong = Pong.from_json(payload)
    except MessageError as error:
        try:
            refusal = Refusal.from_json(payload)
        except MessageError:
            raise error from None
        raise MessageError(refusal.message[:500]) from None
    if (pong.site, pong.number) != (peer, number):
        raise MessageError(f"site, number: {pong.site}, {pong.number} (asked {peer}, {number})")
    return pong
