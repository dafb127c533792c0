"""Letters that go to a peer in one round trip, in their order; who takes them at the other end stores each.

A letter is published only when those before it are stored, whoever does it: the sender, one by one, or the receiver,
out of a parcel, perhaps of several copies of it that came over several routers. So the order holds, whatever is
repeated, and the message ids make once of it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, cast

from schemas import subjects
from schemas.envelope import MessageError
from schemas.identity import SiteName
from schemas.parcels import PARCEL_BYTES_MAX, PARCEL_MAX, PackedLetter, Taken
from schemas.parcels import Parcel as ParcelMessage
from schemas.subjects import SiteStream
from services.chassis.bus.port import Bus, Received, ToStore
from services.chassis.errors import BusUnavailableError, ConflictError
from services.chassis.peering.letter import MESSAGE_ID, inbox_subject, wire_id

ANSWER_TIMEOUT_S: Final = 5.0
HEADER: Final = re.compile(r"ce-[a-z]{1,20}|content-type|traceparent")
SLOWEST_BYTES_PER_S: Final = 64 * 1024  # half a megabit: a large letter over a thin link is slow, not lost


class NotTakenError(BusUnavailableError):
    """The peer's resolver takes no parcels now: letters have to go alone, into its server's INBOX."""


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

    async def send(self, bus: Bus) -> None:
        """Return when all of it is stored at the peer. NotTakenError: send them one by one."""
        timeout_s = ANSWER_TIMEOUT_S + self.travel_s
        if self.is_one:
            (one,) = self.letters
            await bus.publish(
                inbox_subject(one.subject),
                one.payload,
                message_id=wire_id(one),
                headers=_headers(one),
                timeout_s=timeout_s,
            )
            return
        _, sender, receiver, _, _ = subjects.parts(self.letters[0].subject)
        packed = ParcelMessage(
            sender=SiteName(sender), receiver=SiteName(receiver), letters=tuple(_packed(one) for one in self.letters)
        )
        subject = subjects.peer(SiteName(receiver), SiteName(sender), "parcel", str(self.letters[0].stream_seq))
        try:
            reply = await bus.request(subject, packed.to_json(), timeout_s)
            Taken.from_json(reply.payload)
        except (BusUnavailableError, MessageError) as error:
            raise NotTakenError(str(error)) from error


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


async def unpack(bus: Bus, site: SiteName, received: Received) -> bytes:
    """A peer's parcel → each of its letters in our INBOX → the word that they are. Errors become refusals (serving.py).

    They are stored under the sender's name that the subject proves, whatever the body says.
    """
    _, receiver, sender, _, _ = subjects.parts(received.subject)
    parcel = ParcelMessage.from_json(received.payload)
    if (parcel.sender, parcel.receiver, receiver) != (sender, site, site):
        raise MessageError(f"sender, receiver: {parcel.sender}, {parcel.receiver} (published by {sender[:80]})")
    letters = [_unpacked(site, SiteName(sender), one) for one in parcel.letters]
    try:
        await bus.publish_together(letters)
    except ConflictError:  # some of it is there: a copy came before, or another attempt
        for one in letters:
            await bus.publish(one.subject, one.payload, message_id=one.message_id, headers=one.headers)
    return Taken(site=site, count=len(letters)).to_json()


def _packed(stored: Received) -> PackedLetter:
    _, _, _, what, intent = subjects.parts(stored.subject)
    body = stored.payload.decode(errors="replace")
    return PackedLetter(what=what, intent=intent, message_id=wire_id(stored), headers=_headers(stored), body=body)


def _unpacked(site: SiteName, sender: SiteName, letter: PackedLetter) -> ToStore:
    """A peer wrote it, and we store it with our own rights: nothing in it may mean more than a letter."""
    if letter.what not in subjects.PEER_STORED:
        raise MessageError(f"what: {letter.what!r} (expected one of {', '.join(subjects.PEER_STORED)})")
    if not letter.message_id.startswith(f"{sender}."):
        raise MessageError(f"message_id: {letter.message_id[:80]!r} (expected {sender}.…)")
    for name, value in letter.headers.items():
        if not HEADER.fullmatch(name) or not value.isprintable():
            raise MessageError(f"headers: {name[:80]!r} (expected CloudEvents headers and traceparent)")
    subject = subjects.peer(site, sender, letter.what, letter.intent)
    return ToStore(subject, letter.body.encode(), letter.message_id, letter.headers)


def _headers(stored: Received) -> dict[str, str]:
    return {name: value for name, value in stored.headers.items() if name != MESSAGE_ID}
