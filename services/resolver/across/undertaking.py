"""What several sites have committed to together, followed at the entry site to its end. Pure.

report ──▶ note ──▶ tell the sites whose steps wait for it, or that have to stop ──▶ over when every site is over
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.outcomes import FINAL_STATES, Outcome
from schemas.peers import Decide, Report
from schemas.verdicts import Step, Verdict
from services.resolver.pursuit import DECISIONS_MAX, GOOD


@dataclass(slots=True)
class Undertaking:
    """One committed revision.

    orders    what each site was told to do     over      who has said that nothing is under way there any more
    heard_s   when anybody last said anything   late      for whom it was open (pending.py): done at the others before
    """

    intent: Intent
    verdict: Verdict
    orders: Mapping[SiteName, Decide]
    heard_s: float
    late: tuple[SiteName, ...] = ()
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    over: set[SiteName] = field(default_factory=set)
    refused: dict[SiteName, Verdict] = field(default_factory=dict)
    _own: dict[SiteName, set[str]] = field(default_factory=dict, init=False)  # a site's steps
    _awaited: dict[SiteName, set[str]] = field(default_factory=dict, init=False)  # what they come after

    def __post_init__(self) -> None:
        for step in self.verdict.plan:
            self._own.setdefault(step.site, set()).add(step.id)
            self._awaited.setdefault(step.site, set()).update(step.after)

    @property
    def sites(self) -> tuple[SiteName, ...]:
        """Who takes part."""
        return tuple(self.orders)

    def misfit(self, report: Report) -> str:
        """Why this report cannot be its sender's; empty when it can."""
        if report.sender not in self.sites:
            return f"{report.sender} takes no part in {report.intent}"
        own = self._own.get(report.sender, ())
        for one in report.outcomes:
            if one.site != report.sender or one.step not in own:
                return f"outcomes: step {one.step!r} at {one.site!r} (expected a step of {report.sender})"
        return ""

    def note(self, report: Report) -> tuple[Outcome, ...]:
        """Take a report in; the outcomes that say something new."""
        fresh = []
        for one in report.outcomes:
            known = self.outcomes.get(one.step)
            late = known is not None and (known.state in FINAL_STATES or known.state == one.state)
            if one.revision == self.verdict.revision and not late:
                self.outcomes[one.step] = one
                fresh.append(one)
        if report.refused is not None:
            self.refused[report.sender] = report.refused
        if report.over:
            self.over.add(report.sender)
        return tuple(fresh)

    def to_tell(self, sender: SiteName, fresh: tuple[Outcome, ...]) -> Iterator[tuple[SiteName, tuple[Outcome, ...]]]:
        """Which other sites wait for these outcomes, or have to stop because of them."""
        for name in self.sites:
            if name == sender or name in self.over:
                continue
            awaited = self._awaited.get(name, ())
            told = tuple(one for one in fresh if one.step in awaited or _is_bad(one))
            if told:
                yield name, told

    def awaited_by(self, name: SiteName) -> tuple[Outcome, ...]:
        """Everything that is known of what a site waits for, or has to stop for."""
        known = tuple(one for one in self.outcomes.values() if one.site != name)
        return next((told for other, told in self.to_tell(SiteName(""), known) if other == name), ())

    def steps_of(self, name: SiteName) -> list[Step]:
        """A site's share of the plan."""
        return [step for step in self.verdict.plan if step.site == name]

    @property
    def is_over(self) -> bool:
        """Nothing is under way anywhere."""
        return self.over >= set(self.sites)

    @property
    def to_be_decided_again(self) -> bool:
        """The world had changed somewhere, or a site did not do what it had consented to; and nothing failed."""
        states = {one.state for one in self.outcomes.values()}
        changed = "conflict" in states or bool(self.refused)
        if self.verdict.undoes is not None:
            return False
        return changed and "failed" not in states and self.verdict.revision < DECISIONS_MAX


def _is_bad(outcome: Outcome) -> bool:
    return outcome.state in FINAL_STATES and outcome.state not in GOOD
