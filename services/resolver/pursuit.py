"""One intent between verdict and outcome: which steps may leave, which are over, what is decided again. Pure.

A step leaves when the steps before it are there (`applied`), or ready where it lives inside what they make (a
namespace, a definition). The first failure stops what has not left yet; where the intent says `continue`, it stops only
what comes after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import FINAL_STATES, Outcome, OutcomeState
from schemas.verdicts import Action, Step, Verdict
from services.resolver.intake import Intake
from services.resolver.judge.case import Change
from services.resolver.signals import Moment

DECISIONS_MAX: Final = 5  # a world that changes faster than we can act is reported, not chased
GOOD: Final[frozenset[OutcomeState]] = frozenset({"ready", "done"})


@dataclass(slots=True)
class Pursuit:
    """The steps of the current revision, and what earlier revisions already did.

    Of a plan over several sites the verdict holds this site's steps; what they come after may be another site's.
    An outcome costs what follows from it, not a look at the whole plan: plans have thousands of steps.
    """

    intent: Intent
    intake: Intake
    verdict: Verdict
    settled: set[ResourceId] = field(default_factory=set)
    states: dict[str, OutcomeState] = field(default_factory=dict, init=False)
    sent: set[str] = field(default_factory=set, init=False)
    elsewhere: dict[str, OutcomeState] = field(default_factory=dict, init=False)  # steps of other sites, as was heard
    written: dict[ResourceId, Action] = field(default_factory=dict, init=False)  # in this revision; words do not count
    is_stopped: bool = field(default=False, init=False)
    _steps: dict[str, Step] = field(default_factory=dict, init=False)
    _places: dict[str, int] = field(default_factory=dict, init=False)
    _followers: dict[str, list[str]] = field(default_factory=dict, init=False)  # what comes right after a step
    _changes: dict[ResourceId, Change] = field(default_factory=dict, init=False)
    _about: set[ResourceId] = field(default_factory=set, init=False)
    _due: set[str] = field(default_factory=set, init=False)  # of these something has changed: may they leave now?
    _waits_at: dict[str, int] = field(default_factory=dict, init=False)  # where in its `after` stands for whom it waits
    _running: set[str] = field(default_factory=set, init=False)  # sent, and not over
    _bad: set[str] = field(default_factory=set, init=False)  # came to no good end, here or at another site

    def __post_init__(self) -> None:
        for place, step in enumerate(self.verdict.plan):
            self._steps[step.id], self._places[step.id] = step, place
            for before in step.after:
                self._followers.setdefault(before, []).append(step.id)
        self._changes = {change.resource: change for change in reversed(self.intake.changes)}  # of two the first
        self._about = {*self._changes, *(step.resource for step in self.verdict.plan)}
        self._due = {*self._steps}

    def release(self, moment: Moment) -> list[Operation]:
        """The operations that may leave now; each is given out once."""
        return [] if self.stopped else [self._operation(step, moment) for step in self._leaving()]

    def replay(self, outcomes: Iterable[Outcome]) -> None:
        """After a crash: what was heard is heard again, in its order, to know which steps may have left."""
        self._mark()
        for outcome in outcomes:
            self.note(outcome)
            self._mark()

    def _mark(self) -> None:
        if not self.stopped:
            self._leaving()

    def resume(self, moment: Moment) -> list[Operation]:
        """After a replay: what may have left and is not known to be over leaves again; its id makes that harmless."""
        again = [step for step in self.verdict.plan if step.id in self._running]
        return [self._operation(step, moment) for step in again]

    def _leaving(self) -> list[Step]:
        """What may leave now, in the order of the plan; it counts as sent."""
        due, self._due = sorted(self._due - self.sent, key=self._places.__getitem__), set()
        found = [step for step in map(self._steps.__getitem__, due) if self._open(step)]
        self.sent.update(step.id for step in found)
        self._running.update(step.id for step in found)
        return found

    def note(self, outcome: Outcome) -> bool:
        """Take an outcome in; False when it says nothing new (another revision, repeated, late)."""
        known = self.states.get(outcome.step)
        if outcome.revision != self.verdict.revision or known in FINAL_STATES or known == outcome.state:
            return False
        if outcome.step not in self._steps:
            return False
        self.states[outcome.step] = outcome.state
        self.sent.add(outcome.step)
        self._running.add(outcome.step)
        if outcome.state in FINAL_STATES:
            self._running.discard(outcome.step)
        if outcome.state in GOOD:
            self.settled.add(outcome.resource)
        if has_written(outcome):
            self.written[outcome.resource] = outcome.action
        self._changed(outcome)
        return True

    def hear(self, outcome: Outcome) -> None:
        """What became of another site's step of this revision."""
        if outcome.revision == self.verdict.revision and self.elsewhere.get(outcome.step) not in FINAL_STATES:
            self.elsewhere[outcome.step] = outcome.state
            self._changed(outcome)

    def _changed(self, outcome: Outcome) -> None:
        self._due.update(self._followers.get(outcome.step, ()))
        if _is_bad(outcome.state):
            self._bad.add(outcome.step)

    def stop(self) -> None:
        """Nothing more leaves: another site does not do its part."""
        self.is_stopped = True

    @property
    def stopped(self) -> bool:
        """Some step, here or at another site, did not do what the verdict allowed: nothing more leaves."""
        return self.is_stopped or (bool(self._bad) and self.intent.on_failure != "continue")

    @property
    def over(self) -> bool:
        """Nothing is under way any more and nothing will leave."""
        if self._running:
            return False
        return self.stopped or len(self.sent) + len(self._dead) == len(self.verdict.plan)

    @property
    def _dead(self) -> set[str]:
        """What will never leave, because something before it came to no good end."""
        found, waiting = set[str](), [*self._bad]
        while waiting:
            for step in self._followers.get(waiting.pop(), ()):
                if step not in self.sent and step not in found:
                    found.add(step)
                    waiting.append(step)
        return found

    @property
    def never_begun(self) -> list[Step]:
        """What did not leave; when it is over, it never will."""
        return [step for step in self.verdict.plan if step.id not in self.sent]

    def ends(self, why: str, moment: Moment) -> list[Outcome]:
        """What did not leave gets an outcome, too: the end of each step stands in the streams."""
        return [end_of(self.verdict, step, "expired", f"not begun: {why}", moment) for step in self.never_begun]

    def changes_any(self, resources: Iterable[ResourceId]) -> bool:
        """Whether it changes one of these, or has, if it is not one that reads."""
        return self.intent.verb != "read" and any(one in self._about or one in self.settled for one in resources)

    @property
    def declared(self) -> dict[ResourceId, Action]:
        """What stands there by its word: what was written, by earlier revisions too, and what was so already."""
        planned = {step.resource for step in self.verdict.plan}
        others = [one for one in (*self.settled, *self.verdict.targets) if one not in planned]
        return {} if self.intent.verb == "read" else {**dict.fromkeys(others, self.intent.verb), **self.written}

    @property
    def conflicted(self) -> bool:
        """A precondition failed and nothing is under way: the world has changed, decide again."""
        return self.over and "conflict" in self.states.values() and "failed" not in self.states.values()

    @property
    def may_decide_again(self) -> bool:
        """Revisions are bounded, and a way back is not decided again: what somebody has changed since stays."""
        return self.verdict.undoes is None and self.verdict.revision < DECISIONS_MAX

    def _open(self, step: Step) -> bool:
        """Asked whenever one of many before it has changed: the first that did not let it pass is asked first."""
        after, place = step.after, self._waits_at.get(step.id, 0)
        while place < len(after) and self._lets_pass(after[place], step):
            place += 1
        self._waits_at[step.id] = place
        return place == len(after) and all(self._lets_pass(before, step) for before in after)

    def _lets_pass(self, before: str, step: Step) -> bool:
        state = self.states.get(before, self.elsewhere.get(before))
        if state in GOOD:
            return True
        container = self._steps.get(before)
        return state == "applied" and (container is None or not self._lives_in(step.resource, container.resource))

    def _lives_in(self, resource: ResourceId, container: ResourceId) -> bool:
        change = self._changes.get(resource)
        references = change.after.references if change is not None and change.after is not None else ()
        return any(one.relation == "containment" and one.target == container for one in references)

    def _operation(self, step: Step, moment: Moment) -> Operation:
        change = self._changes.get(step.resource)
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


def has_written(outcome: Outcome) -> bool:
    """Something stands there by its word, though it may not get ready; our marks on it do not count."""
    return outcome.action != "annotate" and (outcome.state in GOOD or outcome.state == "applied")


def written(outcomes: Iterable[Outcome]) -> dict[SiteName, dict[ResourceId, Action]]:
    """What was written, or deleted, at each site."""
    found: dict[SiteName, dict[ResourceId, Action]] = {}
    for one in filter(has_written, outcomes):
        found.setdefault(one.site, {})[one.resource] = one.action
    return found


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
