"""What a cursor asks of a batch, and what is to be done with it then. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

Event_co = TypeVar("Event_co", covariant=True)
Trouble = Literal["", "unknown epoch", "gap", "hash mismatch", "numbered again"]


class Numbered(Protocol[Event_co]):
    """A batch, whatever its events are."""

    @property
    def epoch(self) -> int:
        """The watcher's."""

    @property
    def seq(self) -> int:
        """Number of the first event."""

    @property
    def prev_hash(self) -> str:
        """Of the batch before."""

    @property
    def events(self) -> Sequence[Event_co]:
        """In order."""


@dataclass(frozen=True, slots=True)
class Accepted(Generic[Event_co]):
    """What to do with a batch: apply `events`, the first of which has number `first_seq`; `trouble`: resync."""

    events: Sequence[Event_co]
    first_seq: int
    trouble: Trouble = ""
