"""A replayed decision: the same, or what differs. Pure."""

from __future__ import annotations

from typing import Any

from cheops.cli.render.signs import Signs
from cheops.replaying import Replay, differing
from schemas.counting import counted


def lines(found: Replay, signs: Signs) -> list[str]:
    """For people."""
    stored = found.stored
    cursor = f"{stored.evidence[0].epoch}:{stored.evidence[0].seq}" if stored.evidence else "nothing"
    read = f"{counted(found.events, 'event')} read"
    head = f"{stored.intent} revision {stored.revision}, {stored.site} at {cursor} ({read})"
    if found.same:
        return [f"{signs.allow} SAME  {head}: {stored.decision}, the same {len(stored.to_json())} bytes"]
    made = [f"{signs.deny} DIFFERENT  {head}", *(f"  {line}" for line in differing(stored, found.again))]
    if found.aged:
        made.append(f"  aged out of the stream: the listing of {', '.join(found.aged)}")
    return made


def body(found: Replay) -> dict[str, Any]:
    """For programs."""
    return {
        "schema": "replay/v1",
        "intent": found.stored.intent,
        "revision": found.stored.revision,
        "same": found.same,
        "aged": list(found.aged),
        "verdict": found.again.model_dump(mode="json", by_alias=True),
    }
