"""One intent between verdict and outcome: which steps may leave, which are over, what is decided again. Pure.

A step leaves when the steps before it are there (`applied`), or ready where it lives inside what they make (a
namespace, a definition). The first failure stops what has not left yet; where the intent says `continue`, it stops only
what comes after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from schemas.identity import ResourceId
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import FINAL_STATES, Outcome, OutcomeState
from schemas.verdicts import Step, Verdict
from services.resolver.intake import Intake
from services.resolver.signals import Moment

DECISIONS_MAX: Final = 5  # a world that changes faster than we can act is reported, not chased
GOOD: Final[frozenset[OutcomeState]] = frozenset({"ready", "done"})


@dataclass(slots=True)
class Pursuit:
    """The steps of the current revision, and what earlier revisions already did.

    Of a plan over several sites the verdict holds this site's steps; what they come after may be another site's.
    """

    intent: Intent
    intake: Intake
    verdict: Verdict
    states: dict[str, OutcomeState] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    settled: set[ResourceId] = field(default_factory=set)
    elsewhere: dict[str, OutcomeState] = field(default_factory=dict)  # steps of other sites, as far as was heard
    is_stopped: bool = False

    def release(self, moment: Moment) -> list[Operation]:
        """The operations that may leave now; each is given out once."""
        return [] if self.stopped else self._send(moment)

    def replay(self, outcomes: Iterable[Outcome]) -> None:
        """After a crash: what was heard is heard again, in its order, to know which steps may have left."""
        self._mark()
        for outcome in outcomes:
            self.note(outcome)
            self._mark()

    def _mark(self) -> None:
        if not self.stopped:
            self.sent.update(step.id for step in self.verdict.plan if self._open(step))

    def resume(self, moment: Moment) -> list[Operation]:
        """After a replay: what may have left and is not known to be over leaves again; its id makes that harmless."""
        again = [step for step in self.verdict.plan if step.id in self.sent and not self._is_final(step)]
        return [self._operation(step, moment) for step in again]

    def _is_final(self, step: Step) -> bool:
        return self.states.get(step.id) in FINAL_STATES

    def _send(self, moment: Moment) -> list[Operation]:
        ready = [step for step in self.verdict.plan if step.id not in self.sent and self._open(step)]
        self.sent.update(step.id for step in ready)
        return [self._operation(step, moment) for step in ready]

    def note(self, outcome: Outcome) -> bool:
        """Take an outcome in; False when it says nothing new (another revision, repeated, late)."""
        known = self.states.get(outcome.step)
        if outcome.revision != self.verdict.revision or known in FINAL_STATES or known == outcome.state:
            return False
        if all(step.id != outcome.step for step in self.verdict.plan):
            return False
        self.states[outcome.step] = outcome.state
        self.sent.add(outcome.step)
        if outcome.state in GOOD:
            self.settled.add(outcome.resource)
        return True

    def hear(self, outcome: Outcome) -> None:
        """What became of another site's step of this revision."""
        if outcome.revision == self.verdict.revision and self.elsewhere.get(outcome.step) not in FINAL_STATES:
            self.elsewhere[outcome.step] = outcome.state

    def stop(self) -> None:
        """Nothing more leaves: another site does not do its part."""
        self.is_stopped = True

    @property
    def stopped(self) -> bool:
        """Some step, here or at another site, did not do what the verdict allowed: nothing more leaves."""
        if self.intent.on_failure == "continue":
            return self.is_stopped
        return self.is_stopped or any(map(_is_bad, (*self.states.values(), *self.elsewhere.values())))

    @property
    def over(self) -> bool:
        """Nothing is under way any more and nothing will leave."""
        under_way = any(self.states.get(step) not in FINAL_STATES for step in self.sent)
        return not under_way and (self.stopped or len(self.sent) + len(self._dead) == len(self.verdict.plan))

    @property
    def _dead(self) -> set[str]:
        """What will never leave, because something before it came to no good end."""
        states = {**self.elsewhere, **self.states}
        bad = {step for step, state in states.items() if _is_bad(state)}
        found: set[str] = set()
        left = [step for step in self.verdict.plan if step.id not in self.sent]
        while bad and (more := [step for step in left if step.id not in found and (bad | found) & set(step.after)]):
            found |= {step.id for step in more}
        return found

    @property
    def never_begun(self) -> list[Step]:
        """What did not leave; when it is over, it never will."""
        return [step for step in self.verdict.plan if step.id not in self.sent]

    def ends(self, why: str, moment: Moment) -> list[Outcome]:
        """What did not leave gets an outcome, too: the end of each step stands in the streams."""
        return [end_of(self.verdict, step, "expired", f"not begun: {why}", moment) for step in self.never_begun]

    @property
    def conflicted(self) -> bool:
        """A precondition failed and nothing is under way: the world has changed, decide again."""
        return self.over and "conflict" in self.states.values() and "failed" not in self.states.values()

    @property
    def may_decide_again(self) -> bool:
        """Revisions are bounded, and a way back is not decided again: what somebody has changed since stays."""
        return self.verdict.undoes is None and self.verdict.revision < DECISIONS_MAX

    def _open(self, step: Step) -> bool:
        return all(self._lets_pass(before, step) for before in step.after)

    def _lets_pass(self, before: str, step: Step) -> bool:
        state = self.states.get(before, self.elsewhere.get(before))
        if state in GOOD:
            return True
        container = next((one.resource for one in self.verdict.plan if one.id == before), None)
        return state == "applied" and (container is None or not self._lives_in(step.resource, container))

    def _lives_in(self, resource: ResourceId, container: ResourceId) -> bool:
        return any(
            reference.relation == "containment" and reference.target == container
            for change in self.intake.changes
            if change.resource == resource and change.after is not None
            for reference in change.after.references
        )

    def _operation(self, step: Step, moment: Moment) -> Operation:
        change = next((one for one in self.intake.changes if one.resource == step.resource), None)
        return Operation(
            id=operation_id(self.verdict.intent, self.verdict.revision, step.id),
            intent=self.verdict.intent,
            revision=self.verdict.revision,
            step=step.id,
            site=step.site,
            action=step.action,
            resource=step.resource,
            version=change.version if change else "",
            manifest=self.intake.manifests.get(step.resource),
            preconditions=step.preconditions,
            issued_at=moment.wall,
            keep=self.verdict.undoes is None and self.intent.on_failure == "undo" and step.action != "read",
            forced=change is not None and change.forced and not step.undoes,
            undoes=step.undoes,
            expires_at=self.intent.expires_at,
            traceparent=self.intent.traceparent,
        )


def _is_bad(state: OutcomeState) -> bool:
    return state in FINAL_STATES and state not in GOOD


def end_of(verdict: Verdict, step: Step, state: OutcomeState, message: str, moment: Moment) -> Outcome:
    """The end of a step that no executor was asked to do."""
    return Outcome(
        operation=operation_id(verdict.intent, verdict.revision, step.id),
        intent=verdict.intent,
        revision=verdict.revision,
        step=step.id,
        site=step.site,
        action=step.action,
        resource=step.resource,
        state=state,
        changed=False,
        message=message,
        at=moment.wall,
    )


def operation_id(intent: str, revision: int, step: str) -> str:
    """Unique for (intent, revision, step): the executor's ledger and the bus both de-duplicate by it."""
    return f"{intent}.{revision}.{step}"


def latest(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """The revision in force of each intent."""
    found: dict[str, Verdict] = {}
    for verdict in verdicts:
        known = found.get(verdict.intent)
        if known is None or verdict.revision > known.revision:
            found[verdict.intent] = verdict
    return found
