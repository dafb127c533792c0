"""What this site was asked to do in one intent of several sites, and how far it is. Values. Pure."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Final, Literal

from schemas.basis import Basis
from schemas.identity import ResourceId, SiteName
from schemas.outcomes import Outcome
from schemas.peers import Decide, Part
from schemas.verdicts import Verdict
from services.resolver.docket import ANYTHING, Awaited, Stamp
from services.resolver.hearing import Elsewhere
from services.resolver.intake import Intake
from services.resolver.shelf import Shelf

State = Literal["rehearsing", "blocked", "watching", "held", "late", "committed", "over", "denied"]
OVER_MAX: Final = 10_000  # engagements that ended are remembered: a repeated message must not begin them again


@dataclass(slots=True)
class Engagement:
    """One part.

    rehearsing   the API server is being asked
    blocked      only a younger intent's hold is in the way: its entry site was asked to let go
    watching     answered with a defer: the entry site is told when that has changed
    held         answered with an allow, on a lease
    late         committed without a hold, and it is not known yet whether that is still right
    committed    it is being done      over, denied: nothing is under way

    decided   the last revision that was committed to, or refused, here: what is older than the next one is a repetition
    """

    entry: SiteName
    part: Part
    round: int
    age: int
    revision: int = 1
    decided: int = 0
    since: int = 0  # of an intent that has waited: when it was entered
    is_late: bool = False  # it is done at the other sites
    state: State = "rehearsing"
    intake: Intake | None = None
    versions: tuple[str, ...] = ()  # of what it is about, when it was taken in
    verdict: Verdict | None = None
    basis: Basis | None = None
    lease_until_s: float = 0.0
    repeat_at_s: float = 0.0
    awaits: Awaited = ANYTHING
    stamp: Stamp | None = None
    late: Decide | None = None
    elsewhere: Elsewhere | None = None  # None: other sites were not asked yet for what is missing
    asked_to_yield: Set[str] = frozenset()
    yields: bool = False  # its entry site was asked to let go of it for an older one: then it waits for that one
    settled: set[ResourceId] = field(default_factory=set)
    outcomes: dict[str, Outcome] = field(default_factory=dict)  # the last of each step of this revision

    before: Engagement | None = None  # of the last revision that was decided, when this one is asked anew

    def is_meant_by(self, message: Decide) -> bool:
        """An entry site that was killed knows neither the round nor the part any more: what is held says the rest."""
        is_again = message.part is None and message.round == 0 and message.revision == self.revision
        return is_again or message.round == self.round

    @property
    def last_done(self) -> Engagement | None:
        """Of the last revision that was committed to, or refused: a killed entry site may ask for it again."""
        return self if self.state in ("committed", "over") else self.before

    @property
    def is_free(self) -> bool:
        """Nothing of it lies over the site, and nothing is under way."""
        return self.state not in ("held", "committed")


class Engagements:
    """By intent; those that are over are forgotten one day, the oldest first.

    done_before   of intents that were entered here: what a process that is gone has done of them here
    """

    def __init__(self) -> None:
        self.done_before: dict[str, set[ResourceId]] = {}
        self._open: dict[str, Engagement] = {}
        self._ended: Shelf[Engagement] = Shelf(OVER_MAX)

    def __getitem__(self, intent_id: str) -> Engagement:
        found = self.find(intent_id)
        assert found is not None, f"{intent_id} was never asked of this site"
        return found

    def __len__(self) -> int:
        return len(self._open)

    def find(self, intent_id: str) -> Engagement | None:
        """What was asked of this site in that intent."""
        return self._open.get(intent_id) or self._ended.get(intent_id)

    def put(self, engagement: Engagement) -> Engagement:
        """It begins, or begins again."""
        self._open[engagement.part.id] = engagement
        self._ended.pop(engagement.part.id)
        return engagement

    def end(self, engagement: Engagement, state: Literal["over", "denied"]) -> None:
        """Nothing more will be done for it, unless it is asked again."""
        engagement.state, engagement.intake, engagement.basis = state, None, None
        self._open.pop(engagement.part.id, None)
        self._ended.put(engagement.part.id, engagement)

    def in_state(self, *states: State) -> Sequence[Engagement]:
        """Those in one of these states, the oldest intent first."""
        found = [one for one in self._open.values() if one.state in states]
        return sorted(found, key=lambda one: (one.age, one.part.id)) if len(found) > 1 else found
