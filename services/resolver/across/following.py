"""What was committed to at several sites, from the commit to the last report. Pure; at the entry site."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.peers import Decide, Part, Refuse, Report, Tell
from schemas.verdicts import Reason, Step, Verdict
from services.resolver.across.undertaking import Undertaking
from services.resolver.deeds import Deeds
from services.resolver.judge.findings import named
from services.resolver.pursuit import GOOD, operation_id
from services.resolver.signals import Effect, Moment, SendPeer, StoreOutcome

NUDGE_S: Final = 30.0


@dataclass(slots=True)
class Following:
    """Undertakings by intent.

    earlier    what was done for an intent by revisions that are not in force any more
    ended      what is to be done when all sites are over and nothing is decided again
    keep       who may still need what was done for it then
    expected   committed to by the last process, to be gone on with when the site is known again
    former     committed to by the last process and begun anew: what was done of it is still to be heard
    """

    site: SiteName
    deeds: Deeds
    ended: Callable[[Undertaking, Moment], list[Effect]] = lambda _, __: []
    keep: Callable[[str, tuple[Outcome, ...]], None] = lambda _, __: None
    earlier: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    expected: set[str] = field(default_factory=set)
    former: dict[str, Verdict] = field(default_factory=dict)
    _all: dict[str, Undertaking] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._all)

    def knows(self, intent_id: str) -> bool:
        """Whether it was committed to and is not over."""
        return intent_id in self._all

    def is_open(self, intent_id: str) -> bool:
        """The same, also of what the last process has committed to."""
        return intent_id in self._all or intent_id in self.expected

    def undertaking(self, intent_id: str) -> Undertaking | None:
        """What was committed to and is not over."""
        return self._all.get(intent_id)

    def is_committed(self, intent_id: str, name: SiteName) -> bool:
        """Whether this site's part of it was committed to and is not over, as far as is known already."""
        undertaking = self._all.get(intent_id)
        return intent_id in self.expected or (undertaking is not None and name in undertaking.sites)

    def commit(
        self,
        intent: Intent,
        verdict: Verdict,
        parts: Mapping[SiteName, Part],
        stamps: tuple[int, int],
        now_s: float,
        late: tuple[SiteName, ...] = (),
    ) -> list[Effect]:
        """Tell every site that its part is to be done. `stamps`: the round that held it, and the intent's age.

        Who has no part here (after a crash) goes on with the commit that it has got, or refuses.
        """
        before = self._all.get(intent.id)
        if before is not None:
            self.earlier[intent.id] = (*self.earlier.get(intent.id, ()), *before.outcomes.values())
        orders = orders_of(self.site, verdict) | {
            name: Decide(
                sender=self.site,
                receiver=name,
                intent=verdict.intent,
                round=stamps[0],
                commit=True,
                revision=verdict.revision,
                plan=tuple(step for step in verdict.plan if step.site == name),
                part=part,
                age=stamps[1],
            )
            for name, part in parts.items()
        }
        self._all[intent.id] = Undertaking(intent, verdict, orders, now_s, late or self.late(intent.id))
        return list(map(SendPeer, orders.values()))

    def late(self, intent_id: str) -> tuple[SiteName, ...]:
        """The sites for which it was open, while it is under way there."""
        undertaking = self._all.get(intent_id)
        return undertaking.late if undertaking is not None else ()

    def take_back(self, intent: Intent, verdict: Verdict, now_s: float) -> list[Effect]:
        """Tell every site which of its steps are to be undone."""
        self._all[intent.id] = Undertaking(intent, verdict, orders_of(self.site, verdict), now_s)
        return list(map(SendPeer, self._all[intent.id].orders.values()))

    def resume(self, intent_id: str, outcomes: Sequence[Outcome]) -> list[Effect]:
        """After a crash: what was reported before it is known, and perhaps was not told on."""
        undertaking = self._all[intent_id]
        undertaking.outcomes |= {one.step: one for one in outcomes}
        told = ((name, undertaking.awaited_by(name)) for name in undertaking.sites)
        return [self._tell(undertaking, name, known) for name, known in told if known]

    def ask_what_was_done(self, verdict: Verdict, outcomes: tuple[Outcome, ...]) -> list[Effect]:
        """After a crash, of what begins anew: who has got its commit says how far it is, nobody else takes it up.

        Nor does anybody wait for the others' steps any more.
        """
        self.former[verdict.intent] = verdict
        self.earlier[verdict.intent] = (*self.earlier.get(verdict.intent, ()), *outcomes)
        effects: list[Effect] = []
        for name, order in orders_of(self.site, verdict).items():
            if name != self.site:
                names = {"sender": self.site, "receiver": name, "intent": verdict.intent}
                effects += [SendPeer(order), SendPeer(Tell(revision=verdict.revision, stop=True, **names))]
        return effects

    def tick(self, now_s: float) -> list[Effect]:
        """Who has not said for a while that it is over is told everything once more: then it says how far it is."""
        effects: list[Effect] = []
        for undertaking in self._all.values():
            if now_s - undertaking.heard_s >= NUDGE_S:
                undertaking.heard_s = now_s
                silent = (name for name in undertaking.sites if name not in undertaking.over)
                for name in silent:
                    effects.append(SendPeer(undertaking.orders[name]))
                    known = undertaking.awaited_by(name)
                    effects += [self._tell(undertaking, name, known)] if known else []
        return effects

    def forget(self, intent_id: str) -> None:
        """It is denied now: nothing more will be done."""
        self._all.pop(intent_id, None)
        self.earlier.pop(intent_id, None)
        self.former.pop(intent_id, None)

    def refused(self, message: Refuse, moment: Moment) -> tuple[list[Effect], Intent | None]:
        """A site does not take a commit: nothing of it will be done there."""
        undertaking = self._all.get(message.intent)
        if undertaking is None or message.sender not in undertaking.sites or message.sender in undertaking.over:
            return [], None
        names = {"sender": message.sender, "receiver": self.site, "intent": message.intent}
        revision = undertaking.verdict.revision
        ends = tuple(_not_taken(step, message, revision, moment) for step in undertaking.steps_of(message.sender))
        effects, again = self.reported(Report(revision=revision, outcomes=ends, over=True, **names), moment)
        own = map(StoreOutcome, ends if message.sender == self.site else ())  # no executor stores it
        return [*own, *effects], again

    def reported(self, message: Report, moment: Moment) -> tuple[list[Effect], Intent | None]:
        """Store it here, tell who waits for it; and the intent to be decided again, when all are over and it has to."""
        undertaking = self._all.get(message.intent)
        if undertaking is None or message.revision != undertaking.verdict.revision:
            return self._of_former(message), None
        problem = undertaking.misfit(message)
        if problem:
            names = {"sender": self.site, "receiver": message.sender, "intent": message.intent}
            return [SendPeer(Refuse(what="report", reason=problem[:500], **names))], None
        was_over, undertaking.heard_s = undertaking.is_over, moment.monotonic_s
        fresh = undertaking.note(message)
        for one in fresh:
            self.deeds.note(one, undertaking.verdict)
        effects: list[Effect] = []
        if message.sender != self.site:  # our own executor's are stored by itself
            effects += map(StoreOutcome, fresh)
        stop = message.refused is not None
        effects += [self._tell(undertaking, *row, stop=stop) for row in _to_tell(undertaking, message, fresh)]
        if message.again:
            effects.append(self._tell(undertaking, message.sender, undertaking.awaited_by(message.sender)))
        if was_over or not undertaking.is_over:
            return effects, None
        if undertaking.to_be_decided_again:
            return effects, undertaking.intent
        self.keep(message.intent, (*self.earlier.get(message.intent, ()), *undertaking.outcomes.values()))
        self.forget(message.intent)
        return [*effects, *self.ended(undertaking, moment)], None

    def _of_former(self, message: Report) -> list[Effect]:
        """What a site had done of a revision that a crash has ended."""
        verdict = self.former.get(message.intent)
        if verdict is None or message.revision != verdict.revision:
            return []
        steps = {step.id for step in verdict.plan if step.site == message.sender}
        known = self.earlier.get(message.intent, ())
        told = {(one.operation, one.state) for one in known}
        fresh = tuple(
            one
            for one in message.outcomes
            if one.site == message.sender and one.step in steps and (one.operation, one.state) not in told
        )
        self.earlier[message.intent] = (*known, *fresh)
        for one in fresh:
            self.deeds.note(one, verdict)
        return list(map(StoreOutcome, fresh))

    def _tell(
        self, undertaking: Undertaking, name: SiteName, outcomes: tuple[Outcome, ...], *, stop: bool = False
    ) -> Effect:
        names = {"sender": self.site, "receiver": name, "intent": undertaking.intent.id}
        stop = stop or bool(undertaking.refused)
        return SendPeer(Tell(revision=undertaking.verdict.revision, outcomes=outcomes, stop=stop, **names))

    def done(self, intent_id: str) -> Mapping[SiteName, tuple[Outcome, ...]]:
        """What was done for an intent that is not over, by site."""
        undertaking = self._all.get(intent_id)
        now = tuple(undertaking.outcomes.values()) if undertaking is not None else ()
        return _done((*self.earlier.get(intent_id, ()), *now))

    def with_done(self, verdict: Verdict) -> Verdict:
        """What earlier revisions have done already is named, where the whole is not allowed any more."""
        if verdict.decision == "allow":
            return verdict
        done = self.done(verdict.intent)
        notes = tuple(
            Reason(
                code="N520",
                severity="note",
                message=f"done already at {name}: {', '.join(f'{one.action} {named(one.resource)}' for one in mine)}",
                site=name,
            )
            for name, mine in done.items()
        )
        return verdict.model_copy(update={"reasons": (*verdict.reasons, *notes)}) if notes else verdict


def orders_of(entry: SiteName, verdict: Verdict) -> dict[SiteName, Decide]:
    """Each site's steps, without its part: of a way back, or of what it may have got already."""
    return {
        name: Decide(
            sender=entry,
            receiver=name,
            intent=verdict.intent,
            round=0,
            commit=True,
            revision=verdict.revision,
            plan=tuple(step for step in verdict.plan if step.site == name),
            undoes=verdict.undoes,
        )
        for name in dict.fromkeys(step.site for step in verdict.plan)
    }


def _to_tell(
    undertaking: Undertaking, message: Report, fresh: tuple[Outcome, ...]
) -> list[tuple[SiteName, tuple[Outcome, ...]]]:
    """A refusal stops everybody; else who waits for it."""
    if message.refused is None:
        return list(undertaking.to_tell(message.sender, fresh))
    return [(name, fresh) for name in undertaking.sites if name != message.sender and name not in undertaking.over]


def _done(outcomes: Sequence[Outcome]) -> Mapping[SiteName, tuple[Outcome, ...]]:
    good = [one for one in outcomes if one.state in GOOD and one.changed]
    return {name: tuple(one for one in good if one.site == name) for name in sorted({one.site for one in good})}


def _not_taken(step: Step, message: Refuse, revision: int, moment: Moment) -> Outcome:
    return Outcome(
        operation=operation_id(message.intent, revision, step.id),
        intent=message.intent,
        revision=revision,
        step=step.id,
        site=step.site,
        action=step.action,
        resource=step.resource,
        state="conflict",
        changed=False,
        message=f"not taken at {step.site}: {message.reason}",
        at=moment.wall,
    )
