"""A stream and its durable consumers in memory: what JetStream does, as plain synchronous code. Time is an argument.

    append(message) → sequence number        take(limit) → deliveries, oldest first        ack, retry, terminate

Retention, de-duplication and fences are JetStream's; the contract suite holds both to the same behaviour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from services.chassis.bus.matching import matches
from services.chassis.bus.port import PENDING_MAX, Received, ToStore
from services.chassis.bus.streams import DUPLICATE_WINDOW_S, StreamDefinition
from services.chassis.errors import ConflictError, TooLargeError, TransientError


def headers_of(message: ToStore) -> dict[str, str]:
    """With the id, as JetStream keeps them."""
    return {**message.headers, "Nats-Msg-Id": message.message_id}


@dataclass(frozen=True, slots=True)
class Stored:
    """One message and when it was stored, in seconds on the bus's clock."""

    seq: int
    subject: str
    payload: bytes
    headers: Mapping[str, str]
    at_s: float

    def received(self, deliveries: int = 1) -> Received:
        """As a reader sees it."""
        return Received(self.subject, self.payload, self.headers, self.seq, deliveries)


@dataclass(slots=True)
class Fence:
    """The last sequence that the publisher believes in, on a subject or on a filter of subjects."""

    seq: int
    subject: str


class StoredStream:
    """What one stream holds. `messages` is in sequence order."""

    def __init__(self, definition: StreamDefinition) -> None:
        self.definition = definition
        self.messages: dict[int, Stored] = {}
        self.consumers: dict[str, Consumer] = {}
        self._last_seq = 0
        self._bytes = 0
        self._ids: dict[str, tuple[int, float]] = {}

    def append(
        self,
        subject: str,
        payload: bytes,
        headers: Mapping[str, str],
        message_id: str,
        fence: Fence | None,
        now_s: float,
    ) -> int:
        """Its sequence number; the first's when the id is known. Raises ConflictError, TooLargeError."""
        self.prune(now_s)
        self._ensure_size(subject, payload)
        if fence is not None:
            self._check(fence)
        if message_id and message_id in self._ids:
            return self._ids[message_id][0]
        self._ensure_room(subject, len(payload))
        if self.definition.last_only:
            for one in [*self.select(subject, 0)]:
                self.remove(one.seq)
        self._last_seq += 1
        self.messages[self._last_seq] = Stored(self._last_seq, subject, payload, headers, now_s)
        if message_id:
            self._ids[message_id] = (self._last_seq, now_s)
        self._bytes += len(payload)
        self.prune(now_s)
        return self._last_seq

    def append_all(self, messages: Sequence[ToStore], fence: Fence | None, now_s: float) -> list[int]:
        """Their numbers. Raises as `append`, before anything is stored, and ConflictError for an id that is known."""
        self.prune(now_s)
        own = [Fence(one.expected_last_seq, one.subject) for one in messages if one.expected_last_seq is not None]
        for one_fence in [fence, *own] if fence is not None else own:
            self._check(one_fence)
        ids = [one.message_id for one in messages]
        known = next((one for place, one in enumerate(ids) if one in self._ids or one in ids[:place]), None)
        if known is not None:
            raise ConflictError(f"a message with the id {known} is stored already")
        for one in messages:
            self._ensure_size(one.subject, one.payload)
        self._ensure_room(messages[0].subject, sum(len(one.payload) for one in messages))
        return [self.append(one.subject, one.payload, headers_of(one), one.message_id, None, now_s) for one in messages]

    def takes(self, subject: str) -> bool:
        """Is it bound to the subject."""
        return any(matches(pattern, subject) for pattern in self.definition.subjects)

    def _ensure_size(self, subject: str, payload: bytes) -> None:
        most = self.definition.message_bytes_max
        if len(payload) > most:
            raise TooLargeError(f"message of {len(payload)} bytes for {subject} (at most {most})")

    def _ensure_room(self, subject: str, size: int) -> None:
        if self.definition.work_queue and self._bytes + size > self.definition.max_bytes:
            raise TransientError(f"{subject} was not stored: the stream {self.definition.name} is full")

    def _check(self, fence: Fence) -> None:
        last = self.last(fence.subject)
        found = last.seq if last else 0
        if found != fence.seq:
            raise ConflictError(f"{fence.subject}: the last sequence is {found} (expected {fence.seq})")

    def last(self, subject: str) -> Stored | None:
        """The last message on a subject; wildcards allowed."""
        return next((one for one in reversed(self.messages.values()) if matches(subject, one.subject)), None)

    def select(self, subject: str, start_seq: int) -> Iterator[Stored]:
        """Messages from `start_seq` on; do not change the stream while this is read."""
        return (one for one in self.messages.values() if one.seq >= start_seq and matches(subject, one.subject))

    def remove(self, seq: int) -> None:
        """Harmless when it is gone."""
        gone = self.messages.pop(seq, None)
        self._bytes -= len(gone.payload) if gone else 0

    def prune(self, now_s: float) -> None:
        """Drop what is too old or too much, oldest first."""
        while self.messages:
            first = next(iter(self.messages.values()))
            if self._bytes <= self.definition.max_bytes and now_s - first.at_s <= self.definition.max_age_s:
                break
            self.remove(first.seq)
        while self._ids:
            message_id, (_, at_s) = next(iter(self._ids.items()))
            if now_s - at_s <= DUPLICATE_WINDOW_S:
                break
            del self._ids[message_id]


@dataclass(slots=True)
class Pending:
    """Delivered and not answered for. `due_s`: when it is delivered again."""

    deliveries: int
    due_s: float


@dataclass(slots=True)
class Consumer:
    """A durable consumer's place in its stream."""

    stream: StoredStream
    subject: str
    start_seq: int
    acks_all: bool = False
    ack_wait_s: float = 30.0
    deliveries_max: int = -1
    pending_max: int = PENDING_MAX
    pending: dict[int, Pending] = field(default_factory=dict)

    def take(self, limit: int, now_s: float) -> list[Received]:
        """What is due again, then what is new; each is pending until it is answered for."""
        self.stream.prune(now_s)
        taken = [self._again(seq, now_s) for seq in sorted(self._due(now_s))[:limit]]
        for one in self.stream.select(self.subject, self.start_seq):
            if len(taken) >= limit or len(self.pending) >= self.pending_max:
                break
            self.start_seq = one.seq + 1
            self.pending[one.seq] = Pending(1, now_s + self.ack_wait_s)
            taken.append(one.received())
        return taken

    def _due(self, now_s: float) -> list[int]:
        for seq in [seq for seq in self.pending if seq not in self.stream.messages]:
            del self.pending[seq]
        due = [seq for seq, one in self.pending.items() if one.due_s <= now_s]
        for seq in [seq for seq in due if 0 < self.deliveries_max <= self.pending[seq].deliveries]:
            del self.pending[seq]  # given up, as JetStream does; it stays in the stream
        return [seq for seq in due if seq in self.pending]

    def _again(self, seq: int, now_s: float) -> Received:
        pending = self.pending[seq]
        pending.deliveries += 1
        pending.due_s = now_s + self.ack_wait_s
        return self.stream.messages[seq].received(pending.deliveries)

    def next_due_s(self) -> float | None:
        """When the next unanswered message is delivered again."""
        return min((one.due_s for one in self.pending.values()), default=None)

    def ack(self, seq: int) -> None:
        """Never again; with `acks_all` also everything before it. A work queue forgets it."""
        settled = [one for one in self.pending if one <= seq] if self.acks_all else [seq]
        for one in settled:
            self.pending.pop(one, None)
            if self.stream.definition.work_queue:
                self.stream.remove(one)

    def retry(self, seq: int, due_s: float) -> None:
        """Deliver it again from then on. Harmless when it is settled."""
        if seq in self.pending:
            self.pending[seq].due_s = due_s
