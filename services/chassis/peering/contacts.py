"""Who is heard, when last, how far away, in which version. Pure: time is an argument (monotonic, s).

Only an answer to our own question counts as contact: a peer that we hear and that does not hear us is out of reach.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from statistics import median
from typing import Final, Literal

from schemas.identity import SiteName
from schemas.pings import SPEAKS, Pong, understood

PING_INTERVAL_S: Final = 1.0
PINGS_PER_S_MAX: Final = 100  # of one site to all its peers: with more peers each is asked less often
SILENT_AFTER: Final = 4  # intervals without an answer: one that is lost, and the next that is late, are no cut
ROUND_TRIPS: Final = 15
LEARNED_MAX: Final = 1_000
FORGOTTEN_AFTER_S: Final = 3_600.0  # of a learned one: a site that was removed

LinkState = Literal["up", "unreachable", "refused", "gone"]


@dataclass(slots=True)
class Contact:
    """What is known of one peer.

    learned_at_s  it is none of the settings', it asked us first
    failing   the last ping was not answered (also before the first)
    refusal   why nothing can be decided with it, though it answers: another major version, another site's name
    key       what Secrets that go there are sealed with
    error     what the last failed ping said
    """

    site: SiteName
    heard_at_s: float | None = None
    round_trips_s: deque[float] = field(default_factory=lambda: deque(maxlen=ROUND_TRIPS))
    speaks: str = ""
    release: str = ""
    key: str = ""
    failing: bool = True
    refusal: str = ""
    error: str = ""
    learned_at_s: float | None = None

    @property
    def round_trip_s(self) -> float | None:
        """The median of the last ones; None when it was never heard."""
        return median(self.round_trips_s) if self.round_trips_s else None


class Contacts:
    """All peers of a site."""

    def __init__(self, peers: Iterable[SiteName], speaks: str = SPEAKS, gone: Set[SiteName] = frozenset()) -> None:
        """`gone`: for good, as somebody has said: they are no peers, whatever else says so."""
        self.speaks, self.gone = speaks, gone
        self._contacts = {peer: Contact(peer) for peer in peers if peer not in gone}
        self._learned: set[SiteName] = set()

    @property
    def interval_s(self) -> float:
        """Between two pings to the same peer."""
        return max(PING_INTERVAL_S, len(self._contacts) / PINGS_PER_S_MAX)

    @property
    def good_for_s(self) -> float:
        """How long an answer stands for: more silence than this is a cut."""
        return SILENT_AFTER * self.interval_s

    def learn(self, peer: SiteName, now_s: float) -> bool:
        """A site that asks us is a peer, too, whatever our settings say. True when it is new, and there is room."""
        if peer in self._contacts or len(self._learned) >= LEARNED_MAX:
            return False
        self._learned.add(peer)
        self._contacts[peer] = Contact(peer, learned_at_s=now_s)
        return True

    def forget(self, peer: SiteName, now_s: float) -> bool:
        """True for one that was learned and has not answered for so long that it is gone."""
        contact = self._contacts[peer]
        heard_at_s = contact.heard_at_s if contact.heard_at_s is not None else contact.learned_at_s
        if heard_at_s is None or peer not in self._learned or now_s - heard_at_s < FORGOTTEN_AFTER_S:
            return False
        self._learned.discard(peer)
        del self._contacts[peer]
        return True

    @property
    def peers(self) -> tuple[SiteName, ...]:
        """In the order in which they were given."""
        return tuple(self._contacts)

    def known(self, peer: SiteName) -> Contact | None:
        """None for a site that is no peer of ours."""
        return self._contacts.get(peer)

    def of(self, peer: SiteName) -> Contact:
        """Raises KeyError for a site that is no peer of ours."""
        return self._contacts[peer]

    def state(self, peer: SiteName, now_s: float) -> LinkState:
        """A site that is no peer of ours is out of reach, too."""
        if peer in self.gone:
            return "gone"
        contact = self._contacts.get(peer)
        if contact is None or contact.heard_at_s is None:
            return "refused" if contact and contact.refusal else "unreachable"
        if now_s - contact.heard_at_s > self.good_for_s:
            return "unreachable"
        return "refused" if contact.refusal else "up"

    def reachable(self, peer: SiteName, now_s: float) -> bool:
        """Can something be decided with it now."""
        return self.state(peer, now_s) == "up"

    def heard_s(self, peer: SiteName, now_s: float) -> float | None:
        """How long ago; None when never."""
        contact = self._contacts.get(peer)
        return None if contact is None or contact.heard_at_s is None else now_s - contact.heard_at_s

    def answered(self, peer: SiteName, pong: Pong, asked_s: float, now_s: float) -> bool:
        """It is there. True when it was not before: what waits for it may go."""
        contact = self._contacts[peer]
        back, contact.failing = contact.failing, False
        contact.heard_at_s = now_s
        contact.round_trips_s.append(now_s - asked_s)
        contact.speaks, contact.release, contact.error = pong.speaks, pong.release, ""
        contact.key = pong.key
        contact.refusal = "" if understood(pong.speaks, self.speaks) else f"it speaks version {pong.speaks}"
        return back

    def refused(self, peer: SiteName, reason: str, now_s: float) -> None:
        """It is there, and nothing can be decided with it."""
        contact = self._contacts[peer]
        contact.heard_at_s, contact.refusal, contact.failing = now_s, reason, True

    def failed(self, peer: SiteName, error: str) -> None:
        """A ping was not answered."""
        contact = self._contacts[peer]
        contact.failing, contact.error = True, error
