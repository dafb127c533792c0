"""What is said for a site that does not answer: when it was last heard, and what it would likely say. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from schemas.identity import ResourceId, SiteName
from schemas.peers import Part
from schemas.verdicts import Verdict
from services.resolver.hearing import Hearing
from services.resolver.neighbours import Neighbours
from services.resolver.signals import Moment

REMEMBERED_MAX: Final = 10_000  # answers of other sites
MINUTES_FROM_S: Final = 120

Question = tuple[SiteName, str, tuple[ResourceId, ...]]  # a site, a verb, what it is about


@dataclass(slots=True)
class Hearsay:
    """The last word of each site on each question, as far as it was asked from here."""

    hearing: Hearing
    neighbours: Neighbours
    _said: dict[Question, tuple[str, float]] = field(default_factory=dict)

    def remember(self, part: Part, verdict: Verdict, moment: Moment) -> None:
        """A site has answered."""
        codes = sorted({one.code for one in verdict.reasons if one.severity in ("deny", "defer")})
        question = self._question(part, verdict.targets)
        self._said.pop(question, None)
        self._said[question] = (" ".join((verdict.decision, *codes)), moment.monotonic_s)
        while len(self._said) > REMEMBERED_MAX:
            del self._said[next(iter(self._said))]

    def unheard(self, part: Part, what: str, moment: Moment) -> Verdict:
        """F501 in the place of its answer."""
        age_s = self.neighbours.age_s(part.site, moment.monotonic_s)
        heard = "never heard from here" if age_s is None else f"last heard {_ago(age_s)} ago"
        message = f"{part.site} {what}, {heard}; {self._likely(part, moment)}"
        return self.hearing.unheard(part, "F501", message, age_s, moment)

    def _likely(self, part: Part, moment: Moment) -> str:
        targets = tuple(one.resource for one in self.hearing.take_in(part, moment).changes)
        said = self._said.get(self._question(part, targets))
        if said is None:
            return "what it would say is not known"
        return f"it would likely {said[0]}, as {_ago(moment.monotonic_s - said[1])} ago"

    def _question(self, part: Part, targets: Iterable[ResourceId]) -> Question:
        """The same, whether what is missing there was brought already or not."""
        brought = {self.hearing.identity(one) for one in part.brings}
        return part.site, part.verb, tuple(one for one in targets if one not in brought)


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < MINUTES_FROM_S else f"{seconds / 60:.0f} min"
