"""Which steps leave, and when it is over: as a naive reading of the whole plan says after each outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Final, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Reference, ResourceState
from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from schemas.outcomes import FINAL_STATES, Outcome, OutcomeState
from schemas.verdicts import Evidence, Step, Verdict
from services.resolver.intake import Intake
from services.resolver.judge.case import Change
from services.resolver.pursuit import GOOD, Pursuit, end_of
from services.resolver.signals import Moment
from tests.kit.calls import calls_of
from tests.kit.examples import examples

LYON: Final = SiteName("lyon")
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT: Final = Moment(NOW, 0.0)
STATES: Final[tuple[OutcomeState, ...]] = get_args(OutcomeState)


@settings(max_examples=examples(1_000))
@given(st.integers(0, 2**32), st.sampled_from(["stop", "continue", "undo"]))
def test_what_leaves_and_when_it_is_over_is_what_the_whole_plan_says(seed: int, on_failure: str) -> None:
    random = Random(seed)
    plan = _plan(random)
    intent, verdict, intake = _intent(on_failure), _verdict(plan), _intake(plan, random)
    pursuit, model, heard = Pursuit(intent, intake, verdict), Model(intent, intake, verdict), list[Outcome]()
    assert [one.step for one in pursuit.release(MOMENT)] == model.release()
    for _ in range(3 * len(plan)):
        if random.randrange(6) == 0:
            other = Step(id=f"o{random.randrange(2)}", site=SiteName("oslo"), action="apply", resource=_name(9))
            outcome = end_of(verdict, other, random.choice(STATES), "", MOMENT)
            pursuit.hear(outcome)
            model.hear(outcome)
        else:
            outcome = end_of(verdict, random.choice(plan), random.choice(STATES), "", MOMENT)
            assert pursuit.note(outcome) == model.note(outcome)
            heard.append(outcome)
        assert [one.step for one in pursuit.release(MOMENT)] == model.release()
        assert (pursuit.stopped, pursuit.over, pursuit.conflicted) == (model.stopped, model.over, model.conflicted)
        assert {one.id for one in pursuit.never_begun} == {one.id for one in plan} - model.sent
    again, model = Pursuit(intent, intake, verdict), Model(intent, intake, verdict)
    again.replay(heard)
    model.release()
    for outcome in heard:
        model.note(outcome)
        model.release()
    assert [one.step for one in again.resume(MOMENT)] == model.under_way


@pytest.mark.parametrize("state", ["applied", "ready"])
def test_what_lives_in_something_waits_until_that_is_ready_and_all_else_until_it_is_there(state: OutcomeState) -> None:
    plan = [_step(0), _step(1, 0), _step(2, 0)]
    inside = Reference("namespace", "n", "containment", "D", _name(0))
    changes = (_change(_name(0)), _change(_name(1), inside), _change(_name(2)))
    verdict = _verdict(plan)
    pursuit = Pursuit(_intent("stop"), Intake(changes, (), {}), verdict)
    assert [one.step for one in pursuit.release(MOMENT)] == ["s0"]
    pursuit.note(end_of(verdict, plan[0], state, "", MOMENT))
    assert [one.step for one in pursuit.release(MOMENT)] == (["s2"] if state == "applied" else ["s1", "s2"])


def test_of_many_that_wait_for_many_each_wait_is_looked_at_a_few_times() -> None:
    def gone_through(many: int) -> int:
        plan = [_step(one) for one in range(many)]
        plan += [_step(many + one, *range(many)) for one in range(many)]
        verdict = _verdict(plan)
        pursuit = Pursuit(_intent("continue"), Intake((), (), {}), verdict)
        outcomes = [end_of(verdict, step, "ready", "", MOMENT) for step in plan[:many]]
        assert len(pursuit.release(MOMENT)) == many

        def go() -> None:
            for outcome in outcomes:
                pursuit.note(outcome)
                pursuit.release(MOMENT)

        calls = calls_of(go)
        assert len(pursuit.sent) == 2 * many
        return calls

    assert gone_through(40) < 1.25 * 16 * gone_through(10), "there are sixteen times as many pairs"


@dataclass
class Model:
    """Looks at the whole plan each time."""

    intent: Intent
    intake: Intake
    verdict: Verdict
    states: dict[str, OutcomeState] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    elsewhere: dict[str, OutcomeState] = field(default_factory=dict)

    def release(self) -> list[str]:
        if self.stopped:
            return []
        ready = [step.id for step in self.verdict.plan if step.id not in self.sent and self._open(step)]
        self.sent.update(ready)
        return ready

    def note(self, outcome: Outcome) -> bool:
        known = self.states.get(outcome.step)
        if known in FINAL_STATES or known == outcome.state:
            return False
        self.states[outcome.step] = outcome.state
        self.sent.add(outcome.step)
        return True

    def hear(self, outcome: Outcome) -> None:
        if self.elsewhere.get(outcome.step) not in FINAL_STATES:
            self.elsewhere[outcome.step] = outcome.state

    @property
    def bad(self) -> set[str]:
        states = {**self.states, **self.elsewhere}
        return {step for step, state in states.items() if state in FINAL_STATES and state not in GOOD}

    @property
    def stopped(self) -> bool:
        return bool(self.bad) and self.intent.on_failure != "continue"

    @property
    def under_way(self) -> list[str]:
        sent = [step.id for step in self.verdict.plan if step.id in self.sent]
        return [step for step in sent if self.states.get(step) not in FINAL_STATES]

    @property
    def over(self) -> bool:
        dead, before = set[str](), None
        while dead != before:
            before = {*dead}
            left = [step for step in self.verdict.plan if step.id not in self.sent]
            dead |= {step.id for step in left if {*step.after} & (self.bad | dead)}
        every = len(self.sent) + len(dead) == len(self.verdict.plan)
        return not self.under_way and (self.stopped or every)

    @property
    def conflicted(self) -> bool:
        return self.over and "conflict" in self.states.values() and "failed" not in self.states.values()

    def _open(self, step: Step) -> bool:
        references = {one.resource: one.after.references for one in self.intake.changes if one.after is not None}
        for before in step.after:
            state = self.states.get(before, self.elsewhere.get(before))
            resource = next((one.resource for one in self.verdict.plan if one.id == before), None)
            lives_in = any(one.target == resource for one in references[step.resource] if one.relation == "containment")
            if not (state in GOOD or (state == "applied" and not lives_in)):
                return False
        return True


def _name(number: int) -> ResourceId:
    return ResourceId(f"Secret/shop/{number}")


def _step(number: int, *after: int) -> Step:
    before = tuple(f"s{one}" for one in after)
    return Step(id=f"s{number}", site=LYON, action="apply", resource=_name(number), after=before)


def _plan(random: Random) -> list[Step]:
    """Each comes after some of those before it, a few also after another site's."""
    plan = []
    for number in range(random.randrange(1, 8)):
        step = _step(number, *random.sample(range(number), min(number, random.randrange(3))))
        if random.randrange(5) == 0:
            step = step.model_copy(update={"after": (*step.after, f"o{random.randrange(2)}")})
        plan.append(step)
    random.shuffle(plan)
    return plan


def _change(resource: ResourceId, *references: Reference) -> Change:
    return Change(resource, "apply", "v1", ResourceState(resource, references=references))


def _intake(plan: list[Step], random: Random) -> Intake:
    changes = []
    for step in plan:
        places = [one.resource for one in plan if one.id in step.after and random.randrange(2)]
        inside = (Reference("namespace", "n", "containment", "D", one) for one in places)
        changes.append(_change(step.resource, *inside))
    return Intake(tuple(changes), (), {})


def _intent(on_failure: str) -> Intent:
    return Intent.model_validate(
        {
            **{"schema": "intent/v1", "id": "i-1", "verb": "apply", "site": LYON, "on_failure": on_failure},
            **{"manifests": [{"kind": "Secret"}], "requester": "test", "created_at": NOW, "expires_at": NOW},
        }
    )


def _verdict(plan: list[Step]) -> Verdict:
    evidence = Evidence(site=LYON, epoch=1, seq=1, bound_s=1.0)
    return Verdict(
        intent="i-1",
        verb="apply",
        site=LYON,
        decision="allow",
        summary="",
        plan=tuple(plan),
        evidence=(evidence,),
        decided_by="test",
        decided_at=NOW,
        valid_until=NOW,
    )
