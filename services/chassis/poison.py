"""What cannot be understood goes to dead letters, with the reason."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from schemas import envelope, subjects
from schemas.deadletters import PAYLOAD_BYTES_MAX, DeadLetter
from schemas.subjects import StreamName
from services.chassis import metrics
from services.chassis.bus.port import Bus, Received


async def bury(bus: Bus, stream: StreamName, received: Received, reason: str, *, by: str, now: datetime) -> int:
    """Store a dead letter, return its number; what may hold secret values keeps only its size."""
    shown = received.payload[: min(PAYLOAD_BYTES_MAX, bus.bytes_max // 2)]  # as text it is a third more
    secret = stream in ("INTENTS", "PARTS", "OPERATIONS", "INBOX", "OUTBOX")
    letter = DeadLetter(
        stream=stream,
        subject=received.subject,
        stream_seq=received.stream_seq,
        reason=reason,
        by=by,
        payload="" if secret else base64.b64encode(shown).decode(),
        size=len(received.payload),
        at=now,
    )
    digest = hashlib.blake2b(received.payload, digest_size=8).hexdigest()
    message_id = f"{stream}.{received.stream_seq}.{digest}"
    stored = await bus.publish(
        subjects.dead(stream), letter.to_json(), message_id=message_id, headers=envelope.headers("dead", by, message_id)
    )
    metrics.DEAD_LETTERS.labels(by=by, stream=stream).inc()
    return stored
