"""Sites with a bus each, in memory, and links between them that a test cuts, or lets decide each message's fate.

    lyon's bus ── fate("lyon", "oslo") ──▶ oslo's bus

refused       nobody on the way takes it: the sender learns it at once, as from a server whose link is down
lost          it does not arrive, and the sender waits in vain (a black hole)
answer lost   it arrives, and the word that it did does not come back
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from schemas import subjects
from schemas.identity import SiteName
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Received
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import BusUnavailableError, TransientError

Fate = Literal["pass", "refused", "lost", "answer lost"]
PUBLISH_TIMEOUT_S = 5.0


class Links:
    """`async with`-less: `await Links.between(sites)`; `cuts` holds (from, to) → what becomes of each message."""

    def __init__(self, sites: Iterable[SiteName]) -> None:
        self.buses = {site: LinkedBus(site, self) for site in sites}
        self.cuts: dict[tuple[SiteName, SiteName], Fate] = {}
        self.fate: Callable[[SiteName, SiteName], Fate] = lambda sender, receiver: "pass"
        self.tries: Counter[tuple[SiteName, SiteName]] = Counter()
        self.latency_s = 0.0

    @classmethod
    async def between(cls, *sites: SiteName) -> Links:
        """With the streams of every site made."""
        made = cls(sites)
        for site, bus in made.buses.items():
            await ensure_streams(bus, site)
        return made

    def cut(self, one: SiteName, other: SiteName, fate: Fate = "refused") -> None:
        """In both directions."""
        self.cuts |= {(one, other): fate, (other, one): fate}

    def heal(self) -> None:
        """All links."""
        self.cuts.clear()

    async def cross(self, sender: SiteName, receiver: SiteName, timeout_s: float) -> bool:
        """Pay the way there; False when the answer will not come back."""
        self.tries[sender, receiver] += 1
        fate = self.cuts.get((sender, receiver)) or self.fate(sender, receiver)
        if fate == "refused" or receiver not in self.buses:
            raise BusUnavailableError(f"no stream takes what is for {receiver}: nobody serves it")
        if fate == "lost":
            await asyncio.sleep(timeout_s)
            raise TransientError("no answer in time")
        await asyncio.sleep(self.latency_s)
        return fate == "pass" and self.cuts.get((receiver, sender), "pass") == "pass"


class LinkedBus(MemoryBus):
    """One site's server. What is for another site crosses the link."""

    def __init__(self, site: SiteName, links: Links) -> None:
        super().__init__()
        self.site = site
        self._links = links

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        **fence: Any,
    ) -> int:
        receiver = _receiver(subject)
        if receiver in (None, self.site):
            return await super().publish(subject, payload, message_id=message_id, headers=headers, **fence)
        self.ensure_open()
        wait_s = timeout_s or PUBLISH_TIMEOUT_S
        async with self._crossing(receiver, wait_s) as there:
            return await there.publish(subject, payload, message_id=message_id, headers=headers)

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> Received:
        receiver = _receiver(subject)
        if receiver in (None, self.site):
            return await super().request(subject, payload, timeout_s)
        self.ensure_open()
        async with self._crossing(receiver, timeout_s) as there:
            return await there.request(subject, payload, timeout_s)

    @asynccontextmanager
    async def _crossing(self, receiver: SiteName, timeout_s: float) -> AsyncIterator[MemoryBus]:
        """What is done at the other site; its word, also that it refused, may be lost on the way back."""
        heard = await self._links.cross(self.site, receiver, timeout_s)
        try:
            yield self._links.buses[receiver]
        finally:
            if not heard:
                await asyncio.sleep(timeout_s)
                raise TransientError("no answer in time")
            await asyncio.sleep(self._links.latency_s)


def _receiver(subject: str) -> Any:
    family, receiver, *_ = subjects.parts(subject)
    return SiteName(receiver) if family == "peer" else None
