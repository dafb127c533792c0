"""One call of nats-py: bounded in time, never deaf to a cancellation, and what goes wrong is an error of ours.

nats-py waits with `asyncio.wait_for`, which on Python 3.11 *returns* when it is cancelled in the moment in which the
answer comes (CPython issue 86296), and its flush swallows a cancellation altogether. Whoever was cancelled would go on
as if nothing had happened, and a task group would wait for it for ever. Python counts cancellations, so this is seen.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final

import nats.errors
import nats.js.errors
from nats.aio.subscription import Subscription

from services.chassis.errors import (
    BusUnavailableError,
    CheopsError,
    ConflictError,
    NoStreamError,
    PermanentError,
    TooLargeError,
    TransientError,
)

# nats-server's error codes (server/errors.json)
WRONG_LAST: Final = (10071, 10164)
TOO_LARGE: Final = 10054
KNOWN_ID: Final = 10201  # in an atomic batch
NO_BATCHES: Final = (10174, 10175)  # disabled for the stream, too many messages
STREAM_EXISTS: Final = 10058
NO_STREAM: Final = 10059


class calling:  # noqa: N801  # it reads as a word of the language: async with calling(…)
    """Run calls of nats-py inside. `what`: words for a message, `cheops.v1.event.lyon was not stored`."""

    __slots__ = ("_before", "_task", "_timeout", "_what")

    def __init__(self, what: str, timeout_s: float) -> None:
        self._what = what
        self._timeout = asyncio.timeout(timeout_s)

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "calls are made by tasks"
        self._task, self._before = task, task.cancelling()
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cancelled = self._task.cancelling() > self._before
        if cancelled and kind is not asyncio.CancelledError:
            kind, error = asyncio.CancelledError, asyncio.CancelledError()  # whatever nats-py made of it
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise converted(late, self._what) from late
        if cancelled and error is not None:
            raise error
        if isinstance(error, nats.js.errors.NotFoundError):
            return  # who asks for what may not be there knows what that means
        if isinstance(error, nats.errors.Error | TimeoutError | OSError):
            raise converted(error, self._what) from error


def converted(error: Exception, what: str) -> CheopsError:
    """An error of nats-py as one of ours."""
    match error:
        case nats.js.errors.NoStreamResponseError():
            return NoStreamError(f"{what}: no stream takes it (are the streams made?)")
        case nats.js.errors.APIError(err_code=code) if code in (*WRONG_LAST, KNOWN_ID):
            return ConflictError(f"{what}: {error.description}")
        case nats.js.errors.APIError(err_code=code) if code == TOO_LARGE:
            return TooLargeError(f"{what}: {error.description}")
        case nats.js.errors.APIError(err_code=code) if code in NO_BATCHES:
            return PermanentError(f"{what}: {error.description}")
        case nats.js.errors.ServiceUnavailableError(description=None):
            return TransientError(f"{what}: JetStream does not answer (is it on? jetstream {{}} in the configuration)")
        case nats.js.errors.APIError():
            return TransientError(f"{what}: {error.description or error!r}")
        case nats.errors.MaxPayloadError():
            return TooLargeError(f"{what}: larger than the server's max_payload")
        case nats.errors.NoRespondersError():
            return BusUnavailableError(f"{what}: nobody serves it")
        case TimeoutError() | nats.errors.TimeoutError():
            return TransientError(f"{what}: no answer in time")
        case _:
            return TransientError(f"{what}: {error!r}")


async def drain(subscription: Subscription) -> None:
    """Unsubscribe, once what the server has sent meanwhile was taken. Harmless likewise."""
    with suppress(CheopsError):
        async with calling("unsubscribing", 1.0):
            await subscription.drain()  # type: ignore[no-untyped-call]


async def unsubscribe(subscription: Subscription) -> None:
    """Harmless when the connection is gone: the subscription went with it."""
    with suppress(CheopsError):
        async with calling("unsubscribing", 1.0):
            await subscription.unsubscribe()
