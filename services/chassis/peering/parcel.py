"""Letters that go to a peer in one round trip, in their order, all of them or none."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, cast

from schemas.subjects import SiteStream
from services.chassis.bus.port import Bus, Received, ToStore
from services.chassis.peering.letter import MESSAGE_ID, inbox_subject, wire_id

PARCEL_MAX: Final = 64
PARCEL_BYTES_MAX: Final = 1024 * 1024
ANSWER_TIMEOUT_S: Final = 5.0
SLOWEST_BYTES_PER_S: Final = 64 * 1024  # half a megabit: a large letter over a thin link is slow, not lost


@dataclass(frozen=True, slots=True)
class Parcel:
    """`letters` as they are stored in the OUTBOX, at least one."""

    letters: tuple[Received, ...]

    @property
    def is_one(self) -> bool:
        """A letter alone."""
        return len(self.letters) == 1

    @property
    def first(self) -> Parcel:
        """The first letter, alone."""
        return Parcel(self.letters[:1])

    @property
    def travel_s(self) -> float:
        """How long it may be on its way over the thinnest link."""
        return sum(len(one.payload) for one in self.letters) / SLOWEST_BYTES_PER_S

    async def publish(self, bus: Bus) -> None:
        """Return when the peer's server has stored it. ConflictError: it had stored one of several before."""
        made = [_at_peer(one) for one in self.letters]
        timeout_s = ANSWER_TIMEOUT_S + self.travel_s
        if len(made) > 1:
            await bus.publish_together(made, timeout_s=timeout_s)
            return
        (one,) = made
        await bus.publish(one.subject, one.payload, message_id=one.message_id, headers=one.headers, timeout_s=timeout_s)


async def following(bus: Bus, stream: SiteStream, only: str, oldest: Received) -> list[Received]:
    """What waits behind a letter and fits into a parcel with it."""
    found: list[Received] = []
    size = len(oldest.payload)
    later = bus.scan(stream, only, oldest.stream_seq + 1, limit=PARCEL_MAX - 1)
    async with aclosing(cast(AsyncGenerator[Received, None], later)):
        async for one in later:
            size += len(one.payload)
            if size > PARCEL_BYTES_MAX:
                break
            found.append(one)
    return found


def _at_peer(stored: Received) -> ToStore:
    headers = {name: value for name, value in stored.headers.items() if name != MESSAGE_ID}
    return ToStore(inbox_subject(stored.subject), stored.payload, wire_id(stored), headers)
