"""What an intent had done is taken back when a step of it fails: judged like anything else, or named. Pure.

deeds ──▶ reversed steps ──▶ judge (deletions on the state after what is put back) ──▶ verdict with `undoes`

A step back that would break somebody who came since is left out (W522), and so is what it would have to wait for; what
is only warned of is taken, and that is said. What somebody else has changed since is found by the executor, which
compares with how the step had left it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter
from typing import Final, Protocol

from msgspec import structs

from schemas.counting import counted
from schemas.events import ResourceState
from schemas.identity import ResourceId
from schemas.intents import LIFETIME_DEFAULT_S, Intent
from schemas.outcomes import Outcome
from schemas.verdicts import Reason, Step, Verdict
from services.resolver.deeds import Deeds, reversed_steps
from services.resolver.desk import Desk
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.view import View
from services.resolver.intake import Intake
from services.resolver.judge.case import Case, Change
from services.resolver.judge.findings import named
from services.resolver.judge.use import ends
from services.resolver.pursuit import GOOD, Pursuit, latest
from services.resolver.signals import Effect, Moment, SendOperation, StoreVerdict

UNDONE: Final = "W521"
NOT_UNDONE: Final = "W522"
WRITES: Final = ("update", "create")
NAMED_MAX: Final = 3  # of those for whom a step is not taken


class Across(Protocol):
    """Who takes back what several sites have done."""

    def concerns(self, intent: Intent) -> bool:
        """Whether an intent was for more than this site."""

    def begin(self, intent: Intent, moment: Moment) -> list[Effect]:
        """Decide it, store it, have it done."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a site says of its steps back. `kept`: which are not taken, by name, and why; `warnings`: on the others."""

    kept: Mapping[str, str]
    warnings: tuple[Reason, ...] = ()


@dataclass(slots=True)
class Undoing:
    """One site's way back. `waiting`: intents whose undoing waits until enough is known of the site."""

    desk: Desk
    across: Across | None = None
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
        if self.across is not None and self.across.concerns(intent):
            return self.across.begin(intent, moment)
        steps = reversed_steps(self.deeds.of(intent.id))
        judged = self.judged(intent, steps, moment)
        if judged is None:
            self.waiting[intent.id] = intent
            return []
        verdict = self.decided(intent, steps, judged, moment)
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
        intake = way_back(self.desk, verdict)
        pursuit = Pursuit(lasting(intent, moment), intake, verdict)
        self.desk.docket.active[intent.id] = pursuit
        self.desk.holds.add(verdict, intake.changes, moment.monotonic_s)
        return pursuit

    def recover(self, verdicts: Sequence[Verdict], outcomes: Sequence[Outcome], intents: Mapping[str, Intent]) -> None:
        """What was denied after something was done, and whose process ended before the way back was decided.

        Of what is being taken back the deeds stay: they say what lies over the site until it is seen to be put back.
        """
        self.deeds.recover(verdicts, outcomes, {name for name, one in intents.items() if one.entry is None})
        for name, verdict in latest(verdicts).items():
            intent = intents.get(name)
            if intent is None or intent.on_failure != "undo" or verdict.preview:
                self.deeds.forget(name)
            elif verdict.decision == "deny" and intent.entry is None and self.deeds.of(name):
                self.waiting[name] = intent

    # ── judged ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def judged(self, intent: Intent, steps: Sequence[Step], moment: Moment) -> Judged | None:
        """Which of these this site's own keep from being taken; None while too little is known to say."""
        lasts, own = lasting(intent, moment), [step for step in steps if step.site == self.desk.site]
        kept = {step.id: why for step in own if (why := self._lost(intent.id, step))}
        kept = with_what_waits(kept, steps)
        while True:
            left = [step for step in own if step.id not in kept]
            verdicts = [self.desk.hearing.judge(*row, moment) for row in self._cases(lasts, left, moment)]
            if any(one.decision == "defer" for one in verdicts):
                return None
            blocked = {name: why for one in verdicts for name, why in _blocked(one, left).items()}
            if not blocked:
                return Judged(kept, tuple(one for each in verdicts for one in each.reasons if _is_of_use(one)))
            kept = with_what_waits({**kept, **blocked}, steps)

    def decided(self, intent: Intent, steps: Sequence[Step], judged: Judged, moment: Moment) -> Verdict:
        """The verdict on the way back, in force from now on."""
        failed = self.desk.docket.known(intent.id)
        assert failed is not None, "what has done something was decided"
        self.waiting.pop(intent.id, None)
        lasts = lasting(intent, moment)
        (case, view), *_ = self._cases(lasts, (), moment)
        base = self.desk.hearing.judge(case, view, moment)
        kept = judged.kept
        stays = [step for step in steps if step.id in kept]
        plan = tuple(step for step in steps if step.id not in kept)
        verdict = base.model_copy(
            update={
                "decision": "allow",
                "verb": intent.verb,
                "undoes": failed.revision,
                "targets": tuple(dict.fromkeys(step.resource for step in steps)),
                "summary": _summary(intent, steps, len(plan), failed),
                "reasons": (_why(failed), *(_named(step, kept[step.id]) for step in stays), *judged.warnings),
                "plan": plan,
                "waits_for": (),
                "remedies": (),
                "expires_at": None,
                "preview": False,
            }
        )
        self.desk.docket.record(verdict)
        return verdict

    def _cases(self, intent: Intent, steps: Sequence[Step], moment: Moment) -> list[tuple[Case, View]]:
        """What is put back is judged as one bundle; what was made goes from the site as it is then."""
        writes = tuple(_change(self.desk, intent.id, step) for step in steps if step.action in WRITES)
        goes = tuple(_change(self.desk, intent.id, step) for step in steps if step.action == "delete")
        view = self._once_gone(writes)  # what it has done itself and is not seen yet has to be seen first
        puts = {one.resource: one.after for one in writes if one.after is not None}
        whole = self.desk.hearing.case(intent, Intake((), (), {}), self.desk.docket.revision(intent.id), moment)
        plain = structs.replace(whole, cascade="none", overrides=(), together=())
        cases: list[tuple[Case, View]] = []
        if writes:
            cases.append((structs.replace(plain, verb="apply", changes=writes), view))
        if goes or not cases:
            cases.append(
                (structs.replace(plain, verb="delete", changes=goes), OverlayView(view, puts) if puts else view)
            )
        return cases

    def _once_gone(self, writes: Sequence[Change]) -> View:
        """What is made again while a finalizer still holds it is made when it is gone: its executor waits for that."""
        found = ((one.resource, self.desk.graph.find(one.resource)) for one in writes if one.action == "create")
        going = frozenset(resource for resource, state in found if state is not None and ends(state))
        return OverlayView(self.desk.view(), {}, going) if going else self.desk.view()

    def _lost(self, intent_id: str, step: Step) -> str:
        deed = self.deeds.find(intent_id, step.undoes)
        if deed is None:
            return f"nothing is known here of {step.undoes}"
        if deed.is_unreadable:
            return "what was there before was told in another form, and cannot be read"
        if deed.is_lost:
            return "the volume that it was bound to is gone, or may be; made anew it would be empty"
        return ""


def way_back(desk: Desk, verdict: Verdict) -> Intake:
    """What the steps of an undo come to; what they write, only the executor knows."""
    return Intake(tuple(_change(desk, verdict.intent, step) for step in verdict.plan), (), {})


def _change(desk: Desk, intent_id: str, step: Step) -> Change:
    deed = desk.deeds.find(intent_id, step.undoes)
    before: ResourceState | None = deed.before if deed is not None else None
    now = desk.graph.find(step.resource)
    version = before.version if before is not None else now.version if now is not None else ""
    return Change(step.resource, step.action, version, before if step.action in (*WRITES, "annotate") else None)


def lasting(intent: Intent, moment: Moment) -> Intent:
    """The way back has time of its own, and goes as far as it can."""
    until = max(intent.expires_at, moment.wall + timedelta(seconds=LIFETIME_DEFAULT_S))
    return intent.model_copy(update={"expires_at": until, "on_failure": "continue"})


def has_failed(pursuit: Pursuit) -> bool:
    """Over, and not all of it was done."""
    return any(pursuit.states.get(step.id) not in GOOD for step in pursuit.verdict.plan)


def with_what_waits(kept: Mapping[str, str], steps: Sequence[Step]) -> dict[str, str]:
    """The same with what would have to come after something that stays."""
    found = dict(kept)
    by_id = {step.id: (place, step) for place, step in enumerate(steps)}
    behind: dict[str, list[str]] = {}
    for step in steps:
        for name in step.after:
            behind.setdefault(name, []).append(step.id)
    new = [*found]
    while new:
        more = {by_id[one] for name in new for one in behind.get(name, ()) if one not in found}
        new = []
        for _, step in sorted(more, key=itemgetter(0)):
            first = next(name for name in step.after if name in found)
            found[step.id] = f"{named(by_id[first][1].resource)}, which would have to go before it, stays"
            new.append(step.id)
    return found


def _summary(intent: Intent, steps: Sequence[Step], taken: int, failed: Verdict) -> str:
    left = len(steps) - taken
    sites = " & ".join(dict.fromkeys(step.site for step in reversed(steps)))
    stays = f", {counted(left, 'step')} cannot be undone" if left else ""
    return f"undo {intent.verb} @ {sites}: {counted(taken, 'step')} back{stays}; revision {failed.revision} failed"


def _why(failed: Verdict) -> Reason:
    what = "was not done as a whole" if failed.decision == "allow" else "cannot be gone on with"
    message = f"revision {failed.revision} {what}: what was done is taken back, the last step first"
    return Reason(code=UNDONE, severity="warning", message=message, site=failed.site)


def _named(step: Step, text: str) -> Reason:
    message = f"{named(step.resource)} stays as {_as(step)}: {text}"
    return Reason(code=NOT_UNDONE, severity="warning", message=message, site=step.site, resource=step.resource)


def _as(step: Step) -> str:
    return {"delete": "it was made", "create": "it is, deleted"}.get(step.action, "it was changed")


def _blocked(verdict: Verdict, steps: Sequence[Step]) -> dict[str, str]:
    """Steps that must not be taken, and why; all of them when it is not clear which."""
    by_resource: dict[ResourceId, Step] = {step.resource: step for step in steps}
    found: dict[str, list[str]] = {}
    for reason in verdict.reasons:
        if reason.severity != "deny":
            continue
        ends = [edge.target for edge in (reason.relation, *reason.chain) if edge is not None]
        sources = [edge.source for edge in (reason.relation, *reason.chain) if edge is not None]
        named_ones = [one for one in (*ends, *sources, reason.resource) if one in by_resource]
        for one in named_ones[:1]:
            found.setdefault(by_resource[one].id, []).append(reason.message)
    if verdict.decision == "deny" and not found:
        return {step.id: verdict.summary for step in steps}
    return {name: _first_of(whys) for name, whys in found.items()}


def _is_of_use(reason: Reason) -> bool:
    """A warning of what somebody uses. That replicas stay elsewhere is none: they are taken back there, too."""
    return reason.severity == "warning" and reason.relation is not None


def _first_of(whys: Sequence[str]) -> str:
    more = [f"and {len(whys) - NAMED_MAX} more"] if len(whys) > NAMED_MAX else []
    return "; ".join([*whys[:NAMED_MAX], *more])
