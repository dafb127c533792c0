"""What a service needs of a bus. Two adapters keep this contract: `memory` and `nats`; one suite tests both.

Stored messages go to streams (`publish`, `reader`, `scan`, `last`); unstored ones to whoever listens now (`emit`,
`subscribe`); questions wait for one answer (`request`, `serve`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from msgspec import Struct, field

from schemas.subjects import AnyStream
from services.chassis.bus.streams import StreamDefinition

PENDING_MAX = 10_000
Handler = Callable[["Received"], Awaitable[bytes] | bytes]  # bytes at once, when there is nothing to wait for


class Received(Struct, frozen=True):
    """A message as it arrived. `stream_seq` is 0 when it was not stored; `deliveries` counts from 1."""

    subject: str
    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    stream_seq: int = 0
    deliveries: int = 1


class ToStore(Struct, frozen=True):
    """A message that is not stored yet. `expected_last_seq`: a fence on its own subject, as `Bus.publish` has it."""

    subject: str
    payload: bytes
    message_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    expected_last_seq: int | None = None


class Delivery(Protocol):
    """A stored message that a reader must answer for."""

    @property
    def message(self) -> Received:
        """What arrived."""

    async def ack(self) -> None:
        """Handled; never deliver it again. Returns when the server has confirmed (double ack)."""

    async def ack_unconfirmed(self) -> None:
        """The same, without waiting: if the word is lost it is delivered again, to somebody who must know it then."""

    async def retry(self, delay_s: float = 0.0) -> None:
        """Deliver it again after the delay."""

    async def terminate(self, reason: str) -> None:
        """Never deliver it again though it was not handled (after writing it to dead letters)."""

    async def extend(self) -> None:
        """Still working on it: restart the ack timer."""


class Reader(Protocol):
    """A durable pull consumer."""

    async def fetch(self, limit: int, wait_s: float) -> list[Delivery]:
        """Up to `limit` deliveries; returns as soon as there is one, [] when none came within `wait_s`.

        A flat ack of everything up to and including the last of a fetch is `ack_all(deliveries)` on the adapter's
        reader when it was opened with `ack="all"`.
        """

    async def ack_all(self, last: Delivery) -> None:
        """With `ack="all"`: acknowledge `last` and everything before it."""

    async def is_replaced(self) -> bool:
        """Whether the durable consumer was made anew since this reader was opened: somebody else reads with it now."""

    async def close(self) -> None:
        """Stop fetching; the durable consumer stays."""


class Bus(Protocol):
    """The port."""

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str,
        headers: Mapping[str, str] | None = None,
        expected_last_seq: int | None = None,
        expected_subject: str | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Store durably; returns the stream's sequence number when it is acknowledged.

        The stream may be another server's, behind a link: TransientError at once when nobody there takes the subject.

        The same `message_id` again within the de-duplication window stores nothing new. `expected_last_seq` is the last
        sequence on this subject, or on the filter `expected_subject` (wildcards allowed), 0 = none; otherwise
        ConflictError. The fence is looked at first: who repeats a publish whose acknowledgement was lost conflicts with
        his own message, and sees that when he reads `last`. TransientError when not acknowledged in `timeout_s` (5 s).
        """

    async def publish_together(
        self,
        messages: Sequence[ToStore],
        *,
        expected_last_seq: int | None = None,
        expected_subject: str | None = None,
        timeout_s: float | None = None,
    ) -> int:
        """Store messages of one stream in this order, all of them or none, in one round trip → the last's number;
        they have the numbers before it.

        ConflictError when one of the ids is known already: who repeats the same messages because the acknowledgement
        was lost learns by it that all are there. PermanentError when one is too large, or the server cannot do it.
        A fence here is that of all of them, as `publish` has it; messages may have their own.
        """

    async def emit(self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Tell whoever listens now; nothing is stored, unless the subject is a stream's: that stores it, unfenced."""

    def subscribe(self, subject: str) -> AbstractAsyncContextManager[AsyncIterator[Received]]:
        """Messages from now on, stored or not; wildcards `*` and `>`. Bounded queue: the oldest is dropped, counted."""

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> Received:
        """Ask and wait. BusUnavailableError at once when nobody serves the subject; TransientError on time-out."""

    async def gather(self, subject: str, payload: bytes, wait_s: float) -> list[Received]:
        """Ask everybody who serves the subject; the answers that came within `wait_s` ([] when nobody serves it)."""

    def serve(self, subject: str, handler: Handler, *, name: str) -> AbstractAsyncContextManager[None]:
        """Answer requests on `subject` while the context lasts; handlers that wait do so concurrently, bounded."""

    async def reader(  # one durable consumer is described by this much
        self,
        stream: AnyStream,
        durable: str,
        subject: str,
        *,
        start_seq: int | None = None,
        new_only: bool = False,
        ack: str = "explicit",
        ack_wait_s: float = 30.0,
        deliveries_max: int = -1,
        pending_max: int = PENDING_MAX,
        alone: bool = False,
    ) -> Reader:
        """Bind to the durable consumer, making it if needed; a changed configuration is applied, not ignored.

        NoStreamError when its stream is not there, or not any more: `fetch` says so, too. One that somebody deletes is
        made anew while it is read.

        `pending_max`: so many messages may wait for their answer at a time. With 1 the order is kept through crashes:
        what a killed reader had taken comes again, after `ack_wait_s`, before anything newer.
        `alone`: first wait, some seconds at most, until the bus has forgotten what a killed reader had asked for.
        """

    def scan(
        self, stream: AnyStream, subject: str, start_seq: int = 1, limit: int | None = None
    ) -> AsyncIterator[Received]:
        """Every stored message from `start_seq` to the end as it is now (or `limit` of them), in order.

        No consumer is left behind.
        """

    async def ensure_stream(self, definition: StreamDefinition, *, update: bool = True) -> None:
        """Make the stream, or update it to this definition (`update`, which needs more permission)."""

    async def last(self, stream: AnyStream, subject: str) -> Received | None:
        """The last stored message on a subject (wildcards allowed), or None."""

    async def last_of_each(self, stream: AnyStream, subjects: Sequence[str]) -> dict[str, Received]:
        """The same of many subjects (without wildcards) at one go; those of which nothing is stored are left out.

        TransientError also when it cannot be told whether it is all: then ask for each.
        """

    async def close(self) -> None:
        """Drain and disconnect."""

    @property
    def bytes_max(self) -> int:
        """The largest payload that this server takes: TooLargeError for what has more."""

    @property
    def connected(self) -> bool:
        """False while the connection is lost (reconnecting)."""
