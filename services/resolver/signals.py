"""What goes into the resolver's machine and what comes out of it. Values only; the service carries them out.

Signals arrive one at a time, with the moment of their arrival. Effects are carried out in order: a `StoreVerdict`
must be acknowledged before the `SendOperation`s after it leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.alerts import Alert
from schemas.basis import Basis
from schemas.events import Heartbeat
from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import Outcome
from schemas.peers import Part, PeerMessage
from schemas.queries import ResyncAnswer, ResyncRequest
from schemas.rehearsals import Rehearsal, RehearsalAnswer
from schemas.verdicts import Verdict
from services.resolver.judge.written import WrittenVerdict


@dataclass(frozen=True, slots=True)
class Moment:
    """When a signal arrived: seconds of the monotonic clock, and the wall clock (for people only)."""

    monotonic_s: float
    wall: datetime


@dataclass(frozen=True, slots=True)
class BatchSeen:
    """Bytes of an EventBatch, in stream order."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class BeatSeen:
    """A watcher's heartbeat."""

    heartbeat: Heartbeat


@dataclass(frozen=True, slots=True)
class IntentSeen:
    """A stored intent, perhaps for the second time."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The API server's word on an intent's manifests; None when it could not be asked in time."""

    intent: str
    answer: RehearsalAnswer | None


@dataclass(frozen=True, slots=True)
class OutcomeSeen:
    """What an executor reports."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class ResyncAnswered:
    """The watcher lists again; None when it did not answer."""

    answer: ResyncAnswer | None


@dataclass(frozen=True, slots=True)
class CancelSeen:
    """Somebody gives up a deferred intent."""

    intent: str
    requester: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class SweepOn:
    """There is time for the next slice of what a listing did not name (`Machine.sweeps`)."""


@dataclass(frozen=True, slots=True)
class PreviewSeen:
    """An intent over several sites that is only asked about; answered with `TellPreview`."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class PeerSeen:
    """A message of another site's resolver, from the sender that its subject proves."""

    message: PeerMessage


@dataclass(frozen=True, slots=True)
class PeerBeat:
    """Another site's resolver has answered a ping, `round_trip_s` ago on our clock; that stands for `good_for_s`."""

    site: SiteName
    round_trip_s: float
    good_for_s: float


@dataclass(frozen=True, slots=True)
class PeersFound:
    """Which sites have what an intent lacks here, as far as they answered in time."""

    intent: str
    elsewhere: Mapping[ResourceId, tuple[SiteName, ...]]


@dataclass(frozen=True, slots=True)
class Want:
    """What a site lacks. `origins`: where it may be, the best first.

    shared     it is to be a copy; else the same at all of `among`
    declared   wanted as it was declared there, whatever it is now
    """

    site: SiteName
    resource: ResourceId
    shared: bool
    origins: tuple[SiteName, ...]
    among: tuple[SiteName, ...] = ()
    declared: bool = False

    @property
    def meant(self) -> tuple[SiteName, ...]:
        """The sites that the scope names for it, besides its own."""
        return self.origins if self.shared else tuple(one for one in self.among if one != self.site)


@dataclass(frozen=True, slots=True)
class Supplied:
    """What was fetched for an asking: (site that lacks it, resource) → where it is, and the object without values.

    heard   the sites that answered
    """

    intent: str
    round: int
    bodies: Mapping[tuple[SiteName, ResourceId], tuple[SiteName, dict[str, Any]]]
    heard: tuple[SiteName, ...] = ()


Signal = (
    BatchSeen
    | BeatSeen
    | IntentSeen
    | PreviewSeen
    | Rehearsed
    | OutcomeSeen
    | ResyncAnswered
    | CancelSeen
    | PeerSeen
    | PeerBeat
    | PeersFound
    | Supplied
    | SweepOn
    | Tick
)


@dataclass(frozen=True, slots=True)
class StoreVerdict:
    """Publish, fenced: a second resolver for the site is refused here. `basis`: to run the decision again."""

    verdict: Verdict | WrittenVerdict
    basis: Basis | None = None


@dataclass(frozen=True, slots=True)
class RepeatVerdict:
    """Say again what is stored already: somebody asked with the same id."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SendOperation:
    """Release a step to the executor."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class SendAlert:
    """Tell whoever watches that something broke, or healed."""

    alert: Alert


@dataclass(frozen=True, slots=True)
class AskRehearsal:
    """Ask the executor to try the manifests; answer with `Rehearsed`."""

    intent: str
    rehearsal: Rehearsal


@dataclass(frozen=True, slots=True)
class AskResync:
    """Ask the watcher to list again; answer with `ResyncAnswered`."""

    request: ResyncRequest


@dataclass(frozen=True, slots=True)
class SendPeer:
    """Tell another site's resolver; it must not be lost. The machine keeps what it tells itself."""

    message: PeerMessage


@dataclass(frozen=True, slots=True)
class StorePart:
    """Keep this site's part of an intent that another site coordinates, before anything is done for it."""

    part: Part
    revision: int = 1


@dataclass(frozen=True, slots=True)
class EnterIntent:
    """Enter an intent of this site's resolver itself: it is stored, and read, as everybody's are."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """Keep at the entry site what another site has reported."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TellPreview:
    """The answer to a `PreviewSeen`."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class AskPeers:
    """Ask the sites that are near for what an intent lacks here; answer with `PeersFound`."""

    intent: str
    resources: tuple[ResourceId, ...]


@dataclass(frozen=True, slots=True)
class AskSupply:
    """Fetch what sites lack from where it is; answer with `Supplied`."""

    intent: str
    round: int
    wants: tuple[Want, ...]


Effect = (
    StoreVerdict
    | RepeatVerdict
    | SendOperation
    | SendAlert
    | AskRehearsal
    | AskResync
    | SendPeer
    | StorePart
    | EnterIntent
    | StoreOutcome
    | TellPreview
    | AskPeers
    | AskSupply
)
