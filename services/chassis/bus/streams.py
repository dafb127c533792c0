"""The streams of a bus, as data."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from schemas import subjects
from schemas.envelope import MESSAGE_BYTES_MAX
from schemas.identity import SiteName
from schemas.subjects import AnyStream, StreamName
from services.chassis.errors import CheopsError, NoStreamError

if TYPE_CHECKING:
    from services.chassis.bus.port import Bus

DAY_S: Final = 24 * 3600.0
GIB: Final = 1024**3
MAILS_BYTES_MAX: Final = GIB // 4  # of all peers together; the courier bounds each peer
RULES_AGE_S: Final = 3650 * DAY_S  # rules that nobody changes hold for years, and only their last word counts
RULES_BYTES_MAX: Final = GIB // 16  # of many sites that share one server, too: half a megabyte each at most
DUPLICATE_WINDOW_S: Final = 600.0
HEADERS_BYTES_MAX: Final = 60 * 1024  # JetStream stores no message whose headers are larger than 64 KiB
STORE_BYTES: Final = 16 * GIB  # what a server lets streams promise together: more than those of a site do (promised)


@dataclass(frozen=True, slots=True)
class StreamDefinition:
    """What a stream keeps, and for how long. `work_queue`: a message is gone when it was handled. `last_only`: so is
    what was said on its subject before.

    A full stream forgets its oldest message, which was handled long ago; a full work queue refuses the new one instead,
    because everything in it waits to be done. All are written with the server's `sync_interval: always`.
    """

    name: AnyStream
    max_age_s: float
    max_bytes: int = GIB
    work_queue: bool = False
    last_only: bool = False
    message_bytes_max: int = MESSAGE_BYTES_MAX
    bound: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        """What it takes: what it is bound to, else its messages of all sites."""
        return self.bound or (subjects.filters(cast(StreamName, self.name)),)


STREAMS: Final = (
    StreamDefinition("EVENTS", DAY_S),
    StreamDefinition("RULES", RULES_AGE_S, RULES_BYTES_MAX, last_only=True),
    StreamDefinition("INTENTS", 7 * DAY_S),
    StreamDefinition("PARTS", 7 * DAY_S),
    StreamDefinition("VERDICTS", 30 * DAY_S),
    StreamDefinition("OPERATIONS", 7 * DAY_S, work_queue=True),
    StreamDefinition("OUTCOMES", 30 * DAY_S),
    StreamDefinition("ALERTS", 7 * DAY_S),
    StreamDefinition("DEAD", 30 * DAY_S),
)


def site_streams(site: SiteName) -> tuple[StreamDefinition, ...]:
    """What came from other sites' resolvers, and what is on its way to them."""
    inbox, outbox = subjects.inbox_stream(site), subjects.outbox_stream(site)
    leaving = (subjects.filters("OUTBOX", site),)
    return (
        StreamDefinition(inbox, 7 * DAY_S, MAILS_BYTES_MAX, work_queue=True, bound=subjects.inbox_subjects(site)),
        StreamDefinition(outbox, 7 * DAY_S, MAILS_BYTES_MAX, work_queue=True, bound=leaving),
    )


def promised(sites: int = 1) -> int:
    """How many bytes the streams of so many sites hold at most: a server's max_file_store is no less."""
    own = sum(one.max_bytes for one in site_streams(SiteName("any")))
    return sum(one.max_bytes for one in STREAMS) + sites * own


async def ensure_streams(bus: Bus, site: SiteName | None = None, *, update: bool = True) -> None:
    """Make what is missing; harmless when repeated. `site`: its own two, too.

    `update` what differs, as a resolver may: a service that only writes events must not shorten what others keep.
    """
    for definition in (*STREAMS, *(site_streams(site) if site else ())):
        await bus.ensure_stream(definition, update=update)


async def make_missing(bus: Bus, site: SiteName, error: CheopsError) -> None:
    """Streams that somebody has deleted, if that is the trouble: nobody else makes them while services run."""
    if isinstance(error, NoStreamError):
        with suppress(CheopsError):  # the trouble is met again
            await ensure_streams(bus, site)
