"""What an intent had done is taken back when one of its steps fails: judged like anything else, named where it cannot be. Pure.

deeds ──▶ reversed steps ──▶ judge (deletions on the state after what is put back) ──▶ verdict with `undoes`

A step back that would break somebody who came since is left out (W522), and so is what it would have to wait for. What
somebody else has changed since is found by the executor, which compares with how the step had left it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from schemas.events import ResourceState
from schemas.identity import ResourceId
from schemas.intents import LIFETIME_DEFAULT_S, Intent
from schemas.verdicts import Reason, Step, Verdict
from services.resolver.deeds import Deeds, reversed_steps
from services.resolver.desk import Desk
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.view import View
from services.resolver.intake import Intake
from services.resolver.judge.case import Case, Change
from services.resolver.judge.findings import counted, named
from services.resolver.pursuit import GOOD, Pursuit
from services.resolver.signals import Effect, Moment, SendOperation, StoreVerdict

UNDONE: Final = "W521"
NOT_UNDONE: Final = "W522"
WRITES: Final = ("update", "create")


@dataclass(slots=True)
class Undoing:
    """One site's way back. `waiting`: intents whose undoing waits until enough is known of the site."""

    desk: Desk
    waiting: dict[str, Intent] = field(default_factory=dict)

    @property
    def deeds(self) -> Deeds:
        """What intents have done."""
        return self.desk.deeds

    def is_due(self, intent: Intent, verdict: Verdict) -> bool:
        """Whether what was done has to be taken back, now that this revision has come to no good end."""
        return intent.on_failure == "undo" and verdict.undoes is None and bool(self.deeds.of(intent.id))

    def begin(self, intent: Intent, moment: Moment) -> list[Effect]:
        """At one site: decide it, store it, do it; or wait for evidence."""
        failed = self.desk.docket.known(intent.id)
        assert failed is not None, "what has done something was decided"
        verdict = self.judged(intent, failed, reversed_steps(self.deeds.of(intent.id)), moment)
        if verdict is None:
            self.waiting[intent.id] = intent
            return []
        self.waiting.pop(intent.id, None)
        self.desk.docket.record(verdict)
        effects: list[Effect] = [StoreVerdict(verdict)]
        if not verdict.plan:
            self.deeds.forget(intent.id)
            return effects
        pursuit = self.pursue(intent, verdict, moment)
        return [*effects, *map(SendOperation, pursuit.release(moment))]

    def look_again(self, moment: Moment) -> list[Effect]:
        """What waited for evidence."""
        return [effect for intent in list(self.waiting.values()) for effect in self.begin(intent, moment)]

    def pursue(self, intent: Intent, verdict: Verdict, moment: Moment) -> Pursuit:
        """It is under way: over the site until it is seen."""
        intake = self.intake(verdict)
        pursuit = Pursuit(lasting(intent, moment), intake, verdict)
        self.desk.docket.active[intent.id] = pursuit
        self.desk.holds.add(verdict, intake.changes, moment.monotonic_s)
        return pursuit

    def intake(self, verdict: Verdict) -> Intake:
        """What the steps of an undo come to; what they write, only the executor knows."""
        return Intake(tuple(self._change(verdict.intent, step) for step in verdict.plan), (), {})

    def recover(self, verdicts: Mapping[str, Verdict], intents: Mapping[str, Intent]) -> None:
        """Denied after something was done, and the process ended before the way back was decided."""
        for name, verdict in verdicts.items():
            intent = intents.get(name)
            ended = intent is None or verdict.undoes is not None or intent.on_failure != "undo"
            if ended or verdict.preview:
                self.deeds.forget(name)
            elif intent is not None and verdict.decision == "deny" and intent.entry is None and self.deeds.of(name):
                self.waiting[name] = intent

    # ── judged ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def judged(self, intent: Intent, failed: Verdict, steps: Sequence[Step], moment: Moment) -> Verdict | None:
        """The verdict on the way back, at this site; None while too little is known to say."""
        lasts = lasting(intent, moment)
        left, kept = list(steps), {step.id: why for step in steps if (why := self._lost(intent.id, step))}
        while True:
            left = [step for step in left if step.id not in kept]
            verdicts = [self._judge(lasts, case, view, moment) for case, view in self._cases(lasts, left, moment)]
            if any(one.decision == "defer" for one in verdicts):
                return None
            blocked = {id: why for one in verdicts for id, why in _blocked(one, left).items()}
            if not blocked:
                break
            kept |= blocked
            kept |= {id: f"it waits for {name}" for name in blocked for id in _waiting_for(name, left)}
        return self._verdict(lasts, failed, left, {step: kept[step.id] for step in steps if step.id in kept}, moment)

    def _cases(self, intent: Intent, steps: Sequence[Step], moment: Moment) -> list[tuple[Case, View]]:
        """What is put back is judged as one bundle; what was made goes from the site as it is then."""
        writes = tuple(self._change(intent.id, step) for step in steps if step.action in WRITES)
        goes = tuple(self._change(intent.id, step) for step in steps if step.action == "delete")
        view = self.desk.view(intent.id)
        puts = {one.resource: one.after for one in writes if one.after is not None}
        whole = self.desk.hearing.case(intent, Intake((), (), {}), self.desk.docket.revision(intent.id), moment)
        plain = replace(whole, cascade="none", overrides=(), together=())
        cases: list[tuple[Case, View]] = []
        if writes:
            cases.append((replace(plain, verb="apply", changes=writes), view))
        if goes or not cases:
            cases.append((replace(plain, verb="delete", changes=goes), OverlayView(view, puts) if puts else view))
        return cases

    def _judge(self, intent: Intent, case: Case, view: View, moment: Moment) -> Verdict:
        return self.desk.hearing.judge(case, view, moment)

    def _change(self, intent_id: str, step: Step) -> Change:
        deed = self.deeds.find(intent_id, step.undoes)
        before: ResourceState | None = deed.before if deed is not None else None
        now = self.desk.graph.find(step.resource)
        version = before.version if before is not None else now.version if now is not None else ""
        return Change(step.resource, step.action, version, before if step.action in WRITES else None)

    def _lost(self, intent_id: str, step: Step) -> str:
        deed = self.deeds.find(intent_id, step.undoes)
        if deed is None:
            return f"nothing is known here of {step.undoes}"
        if deed.is_lost:
            return "the volume that it was bound to is gone, or may be; made anew it would be empty"
        return ""

    def _verdict(
        self,
        intent: Intent,
        failed: Verdict,
        steps: Sequence[Step],
        kept: Mapping[Step, str],
        moment: Moment,
    ) -> Verdict:
        (case, view), *_ = self._cases(intent, (), moment)
        base = self.desk.hearing.judge(case, view, moment)
        plan = tuple(
            step.model_copy(update={"after": tuple(one for one in step.after if one in {x.id for x in steps})})
            for step in steps
        )
        return base.model_copy(
            update={
                "decision": "allow",
                "verb": intent.verb,
                "undoes": failed.revision,
                "targets": tuple(dict.fromkeys(step.resource for step in (*steps, *kept))),
                "summary": summary(intent, self.desk.site, len(plan), len(kept), failed.revision),
                "reasons": (why(failed, self.desk.site), *(_named(step, text) for step, text in kept.items())),
                "plan": plan,
                "waits_for": (),
                "remedies": (),
                "expires_at": None,
                "preview": False,
            }
        )


def lasting(intent: Intent, moment: Moment) -> Intent:
    """The way back has time of its own, and goes as far as it can."""
    until = max(intent.expires_at, moment.wall + timedelta(seconds=LIFETIME_DEFAULT_S))
    return intent.model_copy(update={"expires_at": until, "on_failure": "continue"})


def has_failed(pursuit: Pursuit) -> bool:
    """Over, and not all of it was done."""
    return any(pursuit.states.get(step.id) not in GOOD for step in pursuit.verdict.plan)


def summary(intent: Intent, site: str, done: int, kept: int, revision: int) -> str:
    """One line that stands alone."""
    left = f", {counted(kept, 'step')} cannot be undone" if kept else ""
    return f"undo of {intent.verb} @ {site}: {counted(done, 'step')} back{left} (revision {revision} failed)"


def why(failed: Verdict, site: str) -> Reason:
    """Why there is an undo at all."""
    what = "was not done as a whole" if failed.decision == "allow" else "cannot be gone on with"
    message = f"revision {failed.revision} {what}: what it had done is undone, the last step first"
    return Reason(code=UNDONE, severity="warning", message=message, site=failed.site if not site else site)


def _named(step: Step, text: str) -> Reason:
    message = f"{named(step.resource)} stays as {_as(step)}: {text}"
    return Reason(code=NOT_UNDONE, severity="warning", message=message, site=step.site, resource=step.resource)


def _as(step: Step) -> str:
    return {"delete": "it was made", "create": "it is, deleted"}.get(step.action, "it was changed")


def _blocked(verdict: Verdict, steps: Sequence[Step]) -> dict[str, str]:
    """Steps that must not be taken, and why; all of them when it is not clear which."""
    by_resource: dict[ResourceId, Step] = {step.resource: step for step in steps}
    found: dict[str, str] = {}
    for reason in verdict.reasons:
        if reason.severity != "deny":
            continue
        ends = [edge.target for edge in (reason.relation, *reason.chain) if edge is not None]
        sources = [edge.source for edge in (reason.relation, *reason.chain) if edge is not None]
        named_ones = [one for one in (*ends, *sources, reason.resource) if one in by_resource]
        for one in named_ones[:1]:
            found[by_resource[one].id] = reason.message
    if verdict.decision == "deny" and not found:
        return {step.id: verdict.summary for step in steps}
    return found


def _waiting_for(name: str, steps: Sequence[Step]) -> set[str]:
    """Everything that comes after a step."""
    found = {name}
    grown = True
    while grown:
        more = {step.id for step in steps if found & set(step.after)} - found
        found |= more
        grown = bool(more)
    return found - {name}
