"""Several letters from one site to another in one round trip (asked and answered; the receiver stores each of them).

`peer.<to>.<from>.parcel.<number>`: Parcel → Taken, when all of them are in the receiver's INBOX, in their order.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.envelope import IN_KEY_ORDER, Message
from schemas.intents import IntentId, SiteToken

PARCEL_MAX: Final = 64
PARCEL_BYTES_MAX: Final = 1024 * 1024  # of the letters' bodies together; a larger letter travels alone


class PackedLetter(Message):
    """One message of schemas.peers.STORED as it would be published alone; `body` is its JSON.

    `message_id` begins with the sender's name and a dot, so that no site can take the id of another's letter.
    """

    what: Annotated[str, Field(max_length=64)]
    intent: IntentId
    message_id: Annotated[str, Field(min_length=1, max_length=512)]
    headers: Annotated[dict[str, str], IN_KEY_ORDER] = Field(default_factory=dict, max_length=32)
    body: str


class Parcel(Message):
    """parcel/v1"""

    schema_: Literal["parcel/v1"] = Field("parcel/v1", alias="schema")
    sender: SiteToken
    receiver: SiteToken
    letters: Annotated[tuple[PackedLetter, ...], Field(min_length=1, max_length=PARCEL_MAX)]


class Taken(Message):
    """taken/v1: all letters of a parcel are stored."""

    schema_: Literal["taken/v1"] = Field("taken/v1", alias="schema")
    site: SiteToken
    count: int
