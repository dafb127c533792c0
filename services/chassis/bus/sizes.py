"""Does a message fit. Pure. A NATS server ends the connection of who sends more than it takes, for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from schemas.envelope import MESSAGE_BYTES_MAX
from services.chassis.bus.streams import HEADERS_BYTES_MAX
from services.chassis.errors import TooLargeError

HEADER_LINE_BYTES: Final = 4  # ": " and the line's end
SERVER_PAYLOAD_BYTES: Final = MESSAGE_BYTES_MAX + 64 * 1024  # what a server's max_payload should be
HINT: Final = f"set max_payload: {SERVER_PAYLOAD_BYTES} in the NATS server's configuration"


def bytes_that_fit(server_bytes_max: int) -> int:
    """Of a payload, beside any headers, where the server takes so much."""
    return max(0, min(MESSAGE_BYTES_MAX, server_bytes_max - HEADERS_BYTES_MAX))


def ensure_fits(
    subject: str, payload: bytes, headers: Mapping[str, str], server_bytes_max: int = SERVER_PAYLOAD_BYTES
) -> None:
    """Raise TooLargeError with both sizes. `server_bytes_max`: the server takes so much, headers included."""
    lines = sum(len(name.encode()) + len(value.encode()) + HEADER_LINE_BYTES for name, value in headers.items())
    if lines > HEADERS_BYTES_MAX:
        raise TooLargeError(f"headers of {lines} bytes for {subject} (at most {HEADERS_BYTES_MAX})")
    bound = bytes_that_fit(server_bytes_max)
    if len(payload) > bound:
        hint = "" if bound == MESSAGE_BYTES_MAX else f"; this server takes no more: {HINT}"
        raise TooLargeError(f"message of {len(payload)} bytes for {subject} (at most {bound}{hint})")
