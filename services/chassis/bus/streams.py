"""The streams of a bus, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schemas import subjects
from schemas.envelope import MESSAGE_BYTES_MAX
from schemas.subjects import StreamName

if TYPE_CHECKING:
    from services.chassis.bus.port import Bus

DAY_S: Final = 24 * 3600.0
GIB: Final = 1024**3
DUPLICATE_WINDOW_S: Final = 600.0
HEADERS_BYTES_MAX: Final = 60 * 1024  # JetStream stores no message whose headers are larger than 64 KiB


@dataclass(frozen=True, slots=True)
class StreamDefinition:
    """What a stream keeps, and for how long. `work_queue`: a message is gone when it was handled.

    A full stream forgets its oldest message, which was handled long ago; a full work queue refuses the new one instead,
    because everything in it waits to be done. All are written with the server's `sync_interval: always`.
    """

    name: StreamName
    max_age_s: float
    max_bytes: int = GIB
    work_queue: bool = False
    message_bytes_max: int = MESSAGE_BYTES_MAX

    @property
    def subject(self) -> str:
        """Of all sites."""
        return subjects.filters(self.name)


STREAMS: Final = (
    StreamDefinition("EVENTS", DAY_S),
    StreamDefinition("INTENTS", 7 * DAY_S),
    StreamDefinition("VERDICTS", 30 * DAY_S),
    StreamDefinition("OPERATIONS", 7 * DAY_S, work_queue=True),
    StreamDefinition("OUTCOMES", 30 * DAY_S),
    StreamDefinition("ALERTS", 7 * DAY_S),
    StreamDefinition("DEAD", 30 * DAY_S),
)


async def ensure_streams(bus: Bus) -> None:
    """Make what is missing and update what differs; harmless when repeated."""
    for definition in STREAMS:
        await bus.ensure_stream(definition)
