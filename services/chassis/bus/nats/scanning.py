"""Every stored message of a subject, in order, in batches of direct gets: no consumer is made, none is left behind.

A direct get may be answered by a replica that is behind, so the leader says first what the last message is, and a
batch that ends before it is asked for again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from nats.aio.msg import Msg

from services.chassis.bus.nats.calls import calling, unsubscribe
from services.chassis.bus.nats.connection import ANSWER_TIMEOUT_S, Link
from services.chassis.bus.nats.reading import without_batch
from services.chassis.bus.port import Received
from services.chassis.errors import TransientError

BATCH_MAX: Final = 1_000
BATCH_BYTES_MAX: Final = 16 * 1024 * 1024
BATCH_TIMEOUT_S: Final = 30.0
EMPTY_MAX: Final = 5
EMPTY_PAUSE_S: Final = 0.1
END, NOTHING = "204", "404"
ADDED: Final = ("Stream", "Subject", "Sequence", "Time-Stamp", "Num-Pending", "Last-Sequence", "UpTo-Sequence")
SEQUENCE: Final = "Nats-Sequence"  # written by the server to each message, and to nothing else
_ADDED: Final = frozenset(f"Nats-{name}" for name in ADDED)


async def scanned(
    link: Link, stream: str, subject: str, start_seq: int, last_seq: int, limit: int | None = None
) -> AsyncIterator[Received]:
    """Messages on `subject` from `start_seq` to `last_seq`, at most `limit`."""
    position, empty, left = start_seq, 0, limit if limit is not None else last_seq
    while position <= last_seq and left > 0:
        batch = await _batch(link, stream, subject, position, min(BATCH_MAX, left))
        if not batch:
            empty += 1
            if empty > EMPTY_MAX:
                return  # what was there has been removed meanwhile
            await asyncio.sleep(EMPTY_PAUSE_S)
            continue
        for one in batch:
            if one.stream_seq > last_seq:
                return
            yield one
        left -= len(batch)
        position, empty = batch[-1].stream_seq + 1, 0


async def last_of_each(
    link: Link, stream: str, subjects: Sequence[str], newest: Received | None
) -> dict[str, Received]:
    """The last message of each subject. `newest`: the last of the stream, as its leader said just now.

    It is asked for with them, and comes last. So with it everything has come, from a server that is not behind.
    """
    if newest is None:
        return {}
    asked = [*dict.fromkeys((*subjects, newest.subject))]
    found = await _got(link, stream, {"multi_last": asked, "max_bytes": BATCH_BYTES_MAX})
    if not found or found[-1].stream_seq < newest.stream_seq:
        raise TransientError(f"{stream} was not read to its end (message {newest.stream_seq})")
    wanted = set(subjects)
    return {one.subject: one for one in found if one.subject in wanted}


async def _batch(link: Link, stream: str, subject: str, start_seq: int, count: int) -> list[Received]:
    return await _got(
        link, stream, {"seq": start_seq, "next_by_subj": subject, "batch": count, "max_bytes": BATCH_BYTES_MAX}
    )


async def _got(link: Link, stream: str, question: dict[str, Any]) -> list[Received]:
    """What direct gets answer to one question, in the order of the stream."""
    link.ensure_open()
    found: list[Received] = []
    over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def take(raw: Msg) -> None:
        headers = raw.headers or {}
        if SEQUENCE in headers:  # a message, whatever headers its publisher gave it: a `Status`, too
            found.append(stored(raw, headers))
        elif not over.done():
            over.set_result(headers.get("Status", ""))

    inbox = link.client.new_inbox()
    async with calling(f"{stream} was not read", ANSWER_TIMEOUT_S):
        subscription = await link.client.subscribe(inbox, cb=take)
    link.awaited.add(over)
    try:
        async with calling(f"{stream} was not read", BATCH_TIMEOUT_S):
            await link.client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(question).encode(), reply=inbox)
            status = await over
    finally:
        link.awaited.discard(over)
        over.cancel()
        await unsubscribe(subscription)
    if status not in (END, NOTHING):
        raise TransientError(f"{stream} was not read (status {status}; is the stream made, JetStream ready?)")
    return found


def stored(raw: Msg, headers: dict[str, str]) -> Received:
    """What a direct get answers, as it was published."""
    kept = {name: value for name, value in headers.items() if name not in _ADDED}
    return Received(headers["Nats-Subject"], raw.data, without_batch(kept), int(headers[SEQUENCE]))
