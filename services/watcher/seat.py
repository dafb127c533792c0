"""One watcher per site: who comes second ends with a sentence, and who does not answer any more is replaced.

    read the last epoch ─▶ does a watcher answer? ─▶ serve that question ─▶ publish, each message fenced by the last

Exactly one of two that start at once stays. Whoever reads an epoch that the other has published asks after the other
began to answer, and ends. Else both took the same epoch from the same last message, and the fence lets one of them
publish first; the other one finds a foreign message of its own epoch and ends (publisher.py). A watcher that was
replaced because it hung ends in the same way at its next message, or when it is asked to list again by a resolver that
follows the later epoch.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

import structlog

from schemas import subjects
from schemas.batches import decode_batch
from schemas.counting import counted
from schemas.envelope import MessageError
from schemas.events import Heartbeat, decode_heartbeat
from schemas.identity import SiteName
from schemas.queries import StatusQuery
from services.chassis.backoff import Backoff
from services.chassis.bus.port import Bus, Received
from services.chassis.errors import BusUnavailableError, PermanentError, TransientError
from services.watcher.publisher import Publisher

EPOCH_RETRY_MIN_S: Final = 0.1
EPOCH_RETRY_MAX_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 3.0  # three heartbeats: a watcher that is silent for so long is of no use to its site

log = structlog.get_logger(__name__)


class WatchedAlreadyError(PermanentError):
    """Another watcher of this site is at work."""


async def take_seat(bus: Bus, site: SiteName, randomness: random.Random) -> Publisher:
    """The next epoch after the last that the stream knows of. Raises WatchedAlreadyError when a watcher answers."""
    backoff = Backoff(EPOCH_RETRY_MIN_S, EPOCH_RETRY_MAX_S, randomness)
    while True:
        try:
            last = await bus.last("EVENTS", subjects.event(site))
            break
        except TransientError as error:
            log.warning("the bus does not answer yet", site=site, reason=str(error))
            await asyncio.sleep(backoff.next(error.retry_after_s))
    await _ensure_free(bus, site)
    epoch = _epoch_of(last) + 1 if last else 1
    return Publisher(bus, site, epoch, last.stream_seq if last else 0, randomness)


async def _ensure_free(bus: Bus, site: SiteName) -> None:
    try:
        reply = await bus.request(status_subject(site), StatusQuery().to_json(), ANSWER_TIMEOUT_S)
    except BusUnavailableError:
        return  # nobody serves the question
    except TransientError as error:
        log.warning("the watcher of this site does not answer; it is replaced", site=site, reason=str(error))
        return
    raise WatchedAlreadyError(
        f"site {site} is watched already ({_described(reply)}): run one watcher per site, or stop that one first"
    )


def status_subject(site: SiteName) -> str:
    """`api.watcher.<site>.status`: StatusQuery → Heartbeat."""
    return subjects.api("watcher", site, "status")


def _described(reply: Received) -> str:
    try:
        beat: Heartbeat = decode_heartbeat(reply.payload)
    except MessageError:
        return "its answer cannot be read"
    return f"epoch {beat.epoch}, {counted(beat.observed, 'kind')} observed"


def _epoch_of(last: Received) -> int:
    try:
        return decode_batch(last.payload).epoch
    except MessageError as error:
        # The resolver names the epoch that it knows when it asks, so a wrong guess here is repaired.
        log.warning("the last event of the stream cannot be read", reason=str(error))
        return 0
