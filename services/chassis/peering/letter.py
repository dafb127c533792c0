"""A message from one site's resolver to another's that must not be lost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from schemas import envelope, subjects
from schemas.identity import SiteName
from schemas.peers import STORED, PeerMessage, what_of
from services.chassis.bus.port import Received
from services.chassis.errors import PermanentError

MESSAGE_ID = "Nats-Msg-Id"


class OutboxFullError(PermanentError):
    """Too much waits for this peer: the letter was not taken, as if the peer were out of reach."""


@dataclass(frozen=True, slots=True)
class Letter:
    """`message_id` is the same whenever this letter is sent again; that is what makes once of at least once.

    what     one of subjects.PEER_STORED
    intent   which it is about
    """

    sender: SiteName
    receiver: SiteName
    what: str
    intent: str
    payload: bytes
    message_id: str
    traceparent: str = ""

    @classmethod
    def of(cls, message: PeerMessage, message_id: str = "", traceparent: str = "", said_at: str = "") -> Letter:
        """A message under an id that nothing else of this sender has: by default what it says, and when.

        Who says the same at another time means it: whoever nudges a silent site must not be taken for an echo.
        """
        sender, receiver = SiteName(message.sender), SiteName(message.receiver)
        what, payload = what_of(message), message.to_json()
        its_id = message_id or f"{what}.{receiver}.{hashlib.blake2b(payload, digest_size=12).hexdigest()}.{said_at}"
        return cls(sender, receiver, what, message.intent, payload, its_id, traceparent)

    @property
    def outbox_subject(self) -> str:
        """Where it waits."""
        return subjects.outbox(self.sender, self.receiver, self.what, self.intent)

    @property
    def headers(self) -> dict[str, str]:
        """CloudEvents headers; the id is the sender's own, so that no two sites can have the same."""
        kind = STORED[self.what].schema_name().partition("/")[0]
        source = f"resolver/{self.sender}"
        return envelope.headers(kind, source, f"{self.sender}.{self.message_id}", self.traceparent)


def inbox_subject(outbox_subject: str) -> str:
    """`outbox.<from>.<to>.<what>.<intent>` → `peer.<to>.<from>.<what>.<intent>`."""
    _, sender, receiver, what, intent = subjects.parts(outbox_subject)
    return subjects.peer(SiteName(receiver), SiteName(sender), what, intent)


def wire_id(stored: Received) -> str:
    """The id under which a letter of the OUTBOX is stored at its receiver."""
    return stored.headers.get(MESSAGE_ID, stored.subject)
