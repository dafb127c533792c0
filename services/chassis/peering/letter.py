"""A message from one site's resolver to another's that must not be lost."""

from __future__ import annotations

from dataclasses import dataclass

from schemas import envelope, subjects
from schemas.identity import SiteName
from services.chassis.bus.port import Received
from services.chassis.errors import PermanentError

MESSAGE_ID = "Nats-Msg-Id"


class OutboxFullError(PermanentError):
    """Too much waits for this peer: the letter was not taken, as if the peer were out of reach."""


@dataclass(frozen=True, slots=True)
class Letter:
    """`message_id` is the same whenever this letter is sent again; that is what makes once of at least once.

    what     one of subjects.PEER_STORED
    about    the intent's id
    """

    sender: SiteName
    receiver: SiteName
    what: str
    about: str
    payload: bytes
    message_id: str
    traceparent: str = ""

    @property
    def outbox_subject(self) -> str:
        """Where it waits."""
        return subjects.outbox(self.sender, self.receiver, self.what, self.about)

    @property
    def headers(self) -> dict[str, str]:
        """CloudEvents headers; the id is the sender's own, so that no two sites can have the same."""
        source = f"resolver/{self.sender}"
        return envelope.headers(self.what, source, f"{self.sender}.{self.message_id}", self.traceparent)


def inbox_subject(outbox_subject: str) -> str:
    """`outbox.<from>.<to>.<what>.<about>` → `peer.<to>.<from>.<what>.<about>`."""
    _, sender, receiver, what, about = subjects.parts(outbox_subject)
    return subjects.peer(SiteName(receiver), SiteName(sender), what, about)


def wire_id(stored: Received) -> str:
    """The id under which a letter of the OUTBOX is stored at its receiver."""
    return stored.headers.get(MESSAGE_ID, stored.subject)
