"""What a decision rested on besides the observed site: it travels with the stored verdict, so that it can be run again.

The graph at the verdict's cursor comes from the event stream; everything else that the judge was given is here: the
changes as the API server's rehearsal shaped them (states without values), what was in flight, and the intent's options.
It is the header `Cheops-Basis` of the verdict's message: JSON, compressed (zlib), base64.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from schemas.deflating import deflated
from schemas.envelope import MessageError
from schemas.events import ResourceState
from schemas.identity import ResourceId, SiteName

HEADER: Final = "Cheops-Basis"
JSON_BYTES_MAX: Final = 64 * 1024 * 1024
# JetStream keeps at most 64 KiB of headers. A larger basis is left out: the verdict is worth more than its replay.
HEADER_BYTES_MAX: Final = 56 * 1024
LEVEL: Final = 6
SMALL_BYTES_MAX: Final = 512  # what most decisions rest on: less than zlib's tables take to make
SMALL_TABLES: Final = (9, 1)


class ChangeRecord(Struct, frozen=True, omit_defaults=True):
    """One change as it was judged. `asked`: what it asks of quotas and of its namespace, as the judge keeps it."""

    resource: ResourceId
    action: str
    version: str = ""
    after: ResourceState | None = None
    unchanged: bool | None = None
    refused: str = ""
    fixed: tuple[str, ...] = ()
    forced: bool = False
    asked: dict[str, Any] = {}


class ProblemRecord(Struct, frozen=True, omit_defaults=True):
    """Something that was wrong with the intent itself, or the intent that has to end before it is judged."""

    code: str
    message: str
    resource: ResourceId | None = None
    waits_for: str = ""


class InFlightRecord(Struct, frozen=True, omit_defaults=True):
    """A change that was allowed and not seen yet; without `state` it is a deletion."""

    resource: ResourceId
    intent: str
    state: ResourceState | None = None


class Basis(Struct, frozen=True, omit_defaults=True):
    """basis/v1."""

    schema: Literal["basis/v1"]
    expires_at: datetime
    bound_s: float
    changes: tuple[ChangeRecord, ...] = ()
    problems: tuple[ProblemRecord, ...] = ()
    in_flight: tuple[InFlightRecord, ...] = ()
    cascade: Literal["none", "dependents"] = "none"
    overrides: tuple[tuple[str, str], ...] = ()
    elsewhere: dict[ResourceId, tuple[SiteName, ...]] = {}
    together: tuple[SiteName, ...] = ()


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Basis).decode


def pack(basis: Basis) -> str:
    """As a header's value; "" when it would be too large."""
    raw = _encode(basis)
    if len(raw) > SMALL_BYTES_MAX:
        packed = deflated(raw, LEVEL)
    else:
        as_it_is = zlib.compressobj(0, zlib.DEFLATED, *SMALL_TABLES)
        packed = as_it_is.compress(raw) + as_it_is.flush()
    text = base64.b64encode(packed).decode()
    return text if len(text) <= HEADER_BYTES_MAX else ""


def unpack(text: str) -> Basis:
    """A header's value → basis; raises MessageError."""
    try:
        inflater = zlib.decompressobj()
        raw = inflater.decompress(base64.b64decode(text, validate=True), JSON_BYTES_MAX)
        if inflater.unconsumed_tail:
            raise MessageError(f"{HEADER}: more than {JSON_BYTES_MAX} bytes")
        return _decode(raw)
    except (binascii.Error, zlib.error, msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise MessageError(f"{HEADER}: not a basis/v1 ({error})") from error
