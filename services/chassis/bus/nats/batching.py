"""Several messages, all of them or none: JetStream's atomic batch (its ADR 50), which nats-py does not know yet.

each message with the batch's name and its place in it, unanswered ─▶ the last one commits ─▶ one acknowledgement
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from services.chassis.bus.nats.calls import NO_BATCHES
from services.chassis.bus.port import ToStore

BATCHES_SINCE: Final = (2, 12)


async def stored_together(
    client: Client, messages: Sequence[ToStore], fence: Mapping[str, str], timeout_s: float
) -> int:
    """The last one's number. Raises what nats-py raises for one message. `fence`: headers of the first."""
    version = client.connected_server_version
    if (version.major, version.minor) < BATCHES_SINCE:  # it would store each of them, fence and order or not
        raise nats.js.errors.APIError(code=400, err_code=NO_BATCHES[0], description="this server stores no batches")
    batch = secrets.token_hex(8)
    made = [(one, _headers(one, batch, place)) for place, one in enumerate(messages, 1)]
    made[0][1].update(fence)
    *first, last = made
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
    return int(answer["seq"])


def _headers(message: ToStore, batch: str, place: int) -> dict[str, str]:
    batched = {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)}
    fence = fence_of(message.expected_last_seq, None)
    return {**message.headers, "Nats-Msg-Id": message.message_id, **batched, **fence}


def fence_of(seq: int | None, subject: str | None) -> dict[str, str]:
    """The last sequence that the publisher believes in, as headers."""
    if seq is None:
        return {}
    last = {"Nats-Expected-Last-Subject-Sequence": str(seq)}
    return {**last, "Nats-Expected-Last-Subject-Sequence-Subject": subject} if subject else last
