"""What could not be parsed or handled, kept with the reason so that nothing is lost silently."""

from __future__ import annotations

import base64
from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import Message

PAYLOAD_BYTES_MAX = 64 * 1024  # the first part is enough to see what it was


class DeadLetter(Message):
    """dead/v1. `payload` is base64 of the first 64 KiB; `size` the whole size in bytes."""

    schema_: Literal["dead/v1"] = Field("dead/v1", alias="schema")
    stream: str
    subject: str
    stream_seq: int
    reason: str
    by: str
    payload: str
    size: int
    at: AwareDatetime

    def body(self) -> bytes:
        """The first part of the payload."""
        return base64.b64decode(self.payload)
