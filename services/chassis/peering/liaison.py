"""All that a site has to do with its peers, put together: heartbeats, letters out, letters in, and how it all is.

Pulse ─▶ heard(peer, round trip), Courier.wake     Inbox ─▶ handle(message)     links() ─▶ `cheops sites`, metrics
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Set
from typing import Final, get_args

from schemas import subjects
from schemas.envelope import MessageError
from schemas.identity import SiteName
from schemas.queries import OutboxLag, PeerLink, Refusal, SiteLinks, SiteStatus, StatusQuery
from services.chassis import metrics
from services.chassis.bus.port import Bus, Received
from services.chassis.errors import TransientError
from services.chassis.metrics import Figure, Figures
from services.chassis.peering.backlog import Lag
from services.chassis.peering.contacts import Contacts
from services.chassis.peering.courier import Courier
from services.chassis.peering.inbox import Handle, Inbox, Reason
from services.chassis.peering.parcel import unpack
from services.chassis.peering.pulse import Heard, Pulse

STATUS_TIMEOUT_S: Final = 2.0
GONE: Final = "it is gone for good, as this site was told (CHEOPS_GONE)"
NO_PEER: Final = "it is no peer of this site (CHEOPS_PEERS)"
NOTHING: Final = Lag(0, 0, 0.0, 0, "")


class Liaison:
    """One site's. Needs its streams. `handle`: is given what peers say; without it nothing is read (inbox.py).

    `heard` is told of each answer to a ping, and of each ping of those in `gone` (for good); `key`: what Secrets that
    come here are to be sealed with.
    """

    def __init__(
        self,
        site: SiteName,
        bus: Bus,
        peers: Iterable[SiteName],
        handle: Handle | None = None,
        heard: Heard | None = None,
        now_s: Callable[[], float] = time.monotonic,
        key: Callable[[], str] = str,
        gone: Set[SiteName] = frozenset(),
    ) -> None:
        self.site = site
        self.contacts = Contacts((peer for peer in peers if peer != site), gone=gone)
        self.courier = Courier(site, bus, now_s=now_s, gone=gone)
        self._bus = bus
        self._now_s = now_s
        self._pulse = Pulse(site, bus, self.contacts, self.courier.wake, heard, now_s=now_s, key=key)
        self._inbox = Inbox(site, bus, self.courier, handle) if handle else None
        self._numbers = itertools.count(1)
        metrics.from_zero(metrics.LETTERS_REFUSED, [site], self.contacts.peers)
        metrics.from_zero(metrics.PEER_REFUSED, [site], get_args(Reason))
        metrics.from_zero(metrics.DEAD_LETTERS, [f"courier/{site}"], ["OUTBOX"])

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Until cancelled. `ready`: letters may be sent."""
        opened = asyncio.Event()
        with metrics.showing(Figures(("site", "peer"), self._figures)):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.courier.run(opened))
                await opened.wait()
                if ready is not None:
                    ready.set()
                tasks.create_task(self._pulse.run())
                tasks.create_task(self._take_parcels())
                if self._inbox is not None:
                    tasks.create_task(self._inbox.run())

    async def _take_parcels(self) -> None:
        async def take(received: Received) -> bytes:
            try:
                return await unpack(self._bus, self.site, received)
            except MessageError as error:
                metrics.PEER_REFUSED.labels(site=self.site, reason="unreadable").inc()
                return Refusal(code="400", message=str(error)).to_json()

        async with self._bus.serve(subjects.peer_filter(self.site, "parcel"), take, name=f"resolver-{self.site}"):
            await asyncio.Event().wait()

    def key_of(self, peer: SiteName) -> str:
        """What Secrets that go to a peer are sealed with; "" while that is not known."""
        known = self.contacts.known(peer)
        return known.key if known is not None else ""

    def links(self) -> tuple[PeerLink, ...]:
        """How every peer is, from here, by name; also one that is no peer any more, while letters wait for it."""
        lags = self.courier.lags()
        waiting = {peer for peer, lag in lags.items() if lag.count}
        shown = {*self.contacts.peers, *self.contacts.gone, *waiting}
        return tuple(self._link(peer, lags.get(peer, NOTHING)) for peer in sorted(shown))

    async def asked_links(self) -> SiteLinks:
        """The same, with the word of each peer that is up, as far as it comes in time."""
        links = self.links()
        words = await asyncio.gather(*(self._status(link) for link in links))
        peers = tuple(link.model_copy(update={"status": word}) for link, word in zip(links, words, strict=True))
        return SiteLinks(site=self.site, speaks=self.contacts.speaks, peers=peers)

    def _link(self, peer: SiteName, lag: Lag) -> PeerLink:
        now_s = self._now_s()
        known = self.contacts.known(peer)
        return PeerLink(
            site=peer,
            state=self.contacts.state(peer, now_s),
            why=known.refusal or known.error if known else GONE if peer in self.contacts.gone else NO_PEER,
            round_trip_s=known.round_trip_s if known else None,
            heard_s=self.contacts.heard_s(peer, now_s),
            speaks=known.speaks if known else "",
            release=known.release if known else "",
            outbox=OutboxLag(
                count=lag.count, size=lag.size, oldest_s=lag.oldest_s, retries=lag.retries, error=lag.error
            ),
        )

    async def _status(self, link: PeerLink) -> SiteStatus | None:
        if link.state != "up":
            return None
        subject = subjects.peer(link.site, self.site, "sites", str(next(self._numbers)))
        try:
            reply = await self._bus.request(subject, StatusQuery().to_json(), STATUS_TIMEOUT_S)
            status = SiteStatus.from_json(reply.payload)
        except (TransientError, MessageError):
            return None
        return status if status.site == link.site else None

    def _figures(self) -> Iterator[Figure]:
        for link in (one for one in self.links() if one.state != "gone"):
            labels = (self.site, link.site)
            yield "cheops_peer_up", "1 while the peer answers and is understood.", labels, float(link.state == "up")
            if link.round_trip_s is not None:
                yield "cheops_peer_round_trip_seconds", "Median of the last pings.", labels, link.round_trip_s
            yield "cheops_outbox_letters", "Letters that wait for the peer.", labels, link.outbox.count
            yield "cheops_outbox_bytes", "Bytes that wait for the peer.", labels, link.outbox.size
            yield "cheops_outbox_oldest_seconds", "Age of the oldest that waits.", labels, link.outbox.oldest_s
