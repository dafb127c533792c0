"""The port: what a kind of application must offer to be watched.

    surfaces()      the kinds it serves, and again whenever they change
    observe(kind)   Listing, states…, Listed; then states and Gone as they happen, with Health in between

An observation always begins with a listing, so "list again" is "observe again". A source says what *is*; comparing it
with what was said before is the follower's work, so that a source keeps no objects. It is pulled, not pushed: a slow
bus slows the reading, and nothing piles up in between.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Literal, Protocol

from msgspec import Struct

from schemas.events import ResourceState, ServedKind
from schemas.identity import KindId, ResourceId

HealthReason = Literal["observed", "interrupted", "syncing", "forbidden", "stalled", "failing", "gone"]


class Listing(Struct, frozen=True):
    """A complete listing begins. One that is begun and never ended is begun again: nothing follows from it."""


class Listed(Struct, frozen=True):
    """The listing is complete: what it did not name does not exist at `version` (opaque, "" when none is known)."""

    version: str = ""


class Gone(Struct, frozen=True):
    """A resource was deleted."""

    resource: ResourceId
    uid: str
    resource_version: str


class Seen(Struct, frozen=True):
    """A resource exists at this version; nobody wanted more of it."""

    resource: ResourceId
    uid: str
    resource_version: str


class Unreadable(Struct, frozen=True):
    """A resource exists whose content could not be understood. `reason` carries no value of it."""

    resource: ResourceId
    uid: str
    reason: str


class Health(Struct, frozen=True):
    """How well the kind is observed from now on.

    interrupted     the connection ended and is being made again; blind only when that takes long
    for_s           for how long this is true already (silence is noticed late)
    """

    reason: HealthReason
    message: str = ""
    for_s: float = 0.0


Observation = ResourceState | Seen | Gone | Listing | Listed | Unreadable | Health

Wants = Callable[[ResourceId, str, str], bool]
"""(resource, uid, version) → whether its content is wanted: describing is what costs, most of all in listings."""


class Source(Protocol):
    """An application that can be watched."""

    def surfaces(self) -> AsyncGenerator[tuple[ServedKind, ...], None]:
        """The served kinds now, then whenever they change. Never ends by itself."""

    def observe(self, served: ServedKind, wants: Wants) -> AsyncGenerator[Observation, None]:
        """Observe one kind from a new listing on. Never ends by itself; every failure is a Health.

        What `wants` declines may be described all the same, or be Seen.
        """

    def outdated(self) -> frozenset[KindId]:
        """Kinds whose resources read differently on the last surface: observe them again."""

    def unclear(self) -> Mapping[str, str]:
        """Groups that do not answer, with the reason: kinds of theirs may be served though no surface names them."""

    async def pulse(self) -> None:
        """One cheap round trip; raises TransientError when the application cannot be reached."""

    async def close(self) -> None:
        """Release connections."""
