"""The questions that come most, read in a fraction of the time: a preview of one resource's deletion or reading. Pure.

Whatever is anything else, or not well formed, is None here and goes the way of every intent (schemas/intents.py), which
says what is wrong with it. What is read here would be read there, and with the same values.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.identity import SiteName

PLAIN_BYTES_MAX: Final = 4_096
_MOMENT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|\+00:00)\Z"
Moment = Annotated[str, Meta(pattern=_MOMENT)]


class PlainQuestion(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """See Intent; only what a plain question says."""

    id: Annotated[str, Meta(min_length=1, max_length=64)]
    site: SiteName
    verb: Literal["delete", "read"]
    resources: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=1024)], ...], Meta(max_length=1)]
    created_at: Moment
    expires_at: Moment
    schema: Literal["intent/v1"] = "intent/v1"
    manifests: tuple[()] = ()
    namespace: Annotated[str, Meta(max_length=253)] = ""
    scope: Literal[""] = ""
    requester: Annotated[str, Meta(max_length=253)] = ""
    bound_s: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    cascade: Literal["none"] = "none"
    on_failure: Literal["undo", "stop", "continue"] = "undo"
    preview: bool = False
    heal: bool = False
    overrides: tuple[()] = ()
    traceparent: Annotated[str, Meta(max_length=128)] = ""
    entry: None = None
    brings: tuple[()] = ()
    marks: tuple[()] = ()
    together: tuple[()] = ()


_decoder = msgspec.json.Decoder(PlainQuestion)


def plain_question(payload: bytes, site: SiteName) -> tuple[PlainQuestion, datetime] | None:
    """The question, asked of this site, and when it expires."""
    if len(payload) > PLAIN_BYTES_MAX:
        return None
    try:
        found = _decoder.decode(payload)
        datetime.fromisoformat(found.created_at)
        expires_at = datetime.fromisoformat(found.expires_at)
    except ValueError:  # msgspec's errors are some, too
        return None
    if found.site != site or found.heal or not found.resources or not _is_name(found.id):
        return None
    return found, expires_at


def _is_name(text: str) -> bool:
    """Of an intent; as the contract's pattern has it, in a fraction of the time."""
    return text.isascii() and text[0] not in "_-" and text.replace("-", "").replace("_", "").isalnum()
