"""Several messages, all of them or none: JetStream's atomic batch (its ADR 50), which nats-py does not know yet.

each message with the batch's name and its place in it, unanswered ─▶ the last one commits ─▶ one acknowledgement
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from services.chassis.bus.nats.calls import NO_BATCHES
from services.chassis.bus.port import ToStore


async def stored_together(client: Client, messages: Sequence[ToStore], timeout_s: float) -> None:
    """Raises what nats-py raises for one message."""
    batch = secrets.token_hex(8)
    *first, last = [(one, _headers(one, batch, place)) for place, one in enumerate(messages, 1)]
    for one, headers in first:
        await client.publish(one.subject, one.payload, headers=headers)
    one, headers = last
    try:
        reply = await client.request(
            one.subject, one.payload, timeout=timeout_s, headers={**headers, "Nats-Batch-Commit": "1"}
        )
    except nats.errors.NoRespondersError as error:
        raise nats.js.errors.NoStreamResponseError from error
    answer = json.loads(reply.data)
    if "error" in answer:
        raise nats.js.errors.APIError.from_error(answer["error"])
    if answer.get("count") != len(messages):  # a server of before 2.12: each was stored, or not, on its own
        raise nats.js.errors.APIError(code=400, err_code=NO_BATCHES[0], description="this server stores no batches")


def _headers(message: ToStore, batch: str, place: int) -> dict[str, str]:
    batched = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)}
    return {**message.headers, "Nats-Msg-Id": message.message_id, **batched}
