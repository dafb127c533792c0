"""This site's part of intents that another site, or this one, coordinates. Pure.

    ask ──▶ take in ──▶ (rehearse) ──▶ judge ──▶ hold on a lease ──▶ answer
    decide ──▶ commit: store, release operations, report ── or drop

An older intent never waits for a younger one that is not decided: the younger one's entry site is asked to let go, and
what waits is judged again in the same step in which the hold goes. A commit after its lease is judged again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.peers import Answer, Ask, Decide, GiveWay, Part, Refuse, Report, Tell, Wake
from schemas.queries import RehearsalAnswer
from schemas.verdicts import Step, Verdict
from services.resolver.across.engagement import Engagement, Engagements
from services.resolver.basis import basis_of
from services.resolver.desk import Desk
from services.resolver.docket import WAITING_MAX
from services.resolver.hearing import Elsewhere
from services.resolver.judge.case import Case
from services.resolver.pursuit import GOOD, Pursuit
from services.resolver.recovery import Unfinished
from services.resolver.signals import (
    AskPeers,
    AskRehearsal,
    Effect,
    Moment,
    SendOperation,
    SendPeer,
    StoreIntent,
    StoreVerdict,
)

LEASE_S: Final = 60.0


@dataclass(slots=True)
class Participant:
    """Judges, holds and does this site's parts."""

    desk: Desk
    engagements: Engagements = field(default_factory=Engagements)

    # ── asked ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, message: Ask, moment: Moment) -> list[Effect]:
        """Judge a part; a newer round replaces what an older one holds."""
        problem = self._misfit(message)
        if problem:
            return [self._refuse(message, problem)]
        known = self.engagements.find(message.intent)
        if known is not None and message.round < known.round:
            return []
        if known is not None and message.round == known.round and known.state in ("rehearsing", "blocked", "held"):
            # Said again. An answer may be on its way; an ask that was asked twice is answered once more, and no more.
            return [self._answer(known, known.verdict)] if known.state == "held" and known.verdict else []
        if known is not None and known.state == "committed":
            return [self._busy(message, f"an earlier revision of it is still under way at {self.desk.site}", moment)]
        if len(self.engagements) >= WAITING_MAX:
            return [self._busy(message, f"{self.desk.site} judges {WAITING_MAX} intents of other sites", moment)]
        if known is not None:
            self.desk.holds.drop(message.intent)
        engaged = Engagement(message.sender, message.part, message.round, message.age, message.revision)
        engaged.settled |= known.settled if known is not None else set()
        return self._consider(self.engagements.put(engaged), moment)

    def _misfit(self, message: Ask) -> str:
        part = message.part
        if part.site != self.desk.site or part.id != message.intent or part.entry != message.sender:
            return f"part: {part.id!r} for {part.site!r} of {part.entry!r} (expected what the message's subject says)"
        known = self.engagements.find(message.intent)
        entered = known is None and self.desk.docket.known(message.intent) is not None
        if (known is not None and known.entry != message.sender) or (entered and message.sender != self.desk.site):
            return f"intent {message.intent} is known at {self.desk.site} as another one's"
        return ""

    def _consider(self, engaged: Engagement, moment: Moment) -> list[Effect]:
        """Take it in as it is now; the API server is asked first where it can be."""
        engaged.state = "rehearsing"
        engaged.intake = self.desk.hearing.take_in(engaged.part, moment).without(engaged.settled)
        rehearsal = self.desk.hearing.rehearsal(engaged.intake)
        return self._judge(engaged, moment) if rehearsal is None else [AskRehearsal(engaged.part.id, rehearsal)]

    def rehearsed(self, intent_id: str, answer: RehearsalAnswer | None, moment: Moment) -> list[Effect]:
        """The API server's word has come, or has not."""
        engaged = self.engagements.find(intent_id)
        if engaged is None or engaged.state != "rehearsing" or engaged.intake is None:
            return []
        if answer is not None:
            engaged.intake = engaged.intake.rehearsed(answer)
        return self._judge(engaged, moment)

    def found(self, intent_id: str, elsewhere: Elsewhere, moment: Moment) -> list[Effect]:
        """Other sites have said what they have of what is missing here."""
        engaged = self.engagements.find(intent_id)
        if engaged is None or engaged.state != "rehearsing" or engaged.intake is None:
            return []
        engaged.elsewhere = elsewhere
        return self._judge(engaged, moment)

    def _judge(self, engaged: Engagement, moment: Moment) -> list[Effect]:
        verdict = self._verdict(engaged, moment)
        lacking = self.desk.to_look_up(verdict, moment) if engaged.elsewhere is None else ()
        if lacking:
            return [AskPeers(engaged.part.id, lacking)]
        if engaged.late is not None:
            return self._judged_late(engaged, engaged.late, verdict, moment)
        if verdict.decision == "defer":
            younger = self._younger_holders(engaged, verdict)
            if younger:
                return self._block(engaged, younger, moment)
            engaged.state, engaged.stamp = "watching", self.desk.stamp(moment)
        elif verdict.decision == "deny" or engaged.part.preview:
            self.engagements.end(engaged, "denied")
        else:
            self._hold(engaged, verdict, moment)
        engaged.verdict = verdict
        return [self._answer(engaged, verdict)]

    def _verdict(self, engaged: Engagement, moment: Moment) -> Verdict:
        case = self._case(engaged, moment)
        return self.desk.hearing.judge(case, self.desk.view(engaged.part.id), moment)

    def _case(self, engaged: Engagement, moment: Moment) -> Case:
        assert engaged.intake is not None, "taken in before it is judged"
        hearing = self.desk.hearing
        return hearing.case(engaged.part, engaged.intake, engaged.revision, moment, engaged.elsewhere)

    def _hold(self, engaged: Engagement, verdict: Verdict, moment: Moment) -> None:
        assert engaged.intake is not None, "taken in before it is judged"
        engaged.basis = basis_of(self._case(engaged, moment), self.desk.holds)
        self.desk.holds.add(verdict, engaged.intake.changes, moment.monotonic_s)
        engaged.state = "held"
        self._lease(engaged, moment)

    def _lease(self, engaged: Engagement, moment: Moment) -> None:
        engaged.lease_until_s = moment.monotonic_s + LEASE_S
        engaged.repeat_at_s = moment.monotonic_s + LEASE_S / 2

    def _answer(self, engaged: Engagement, verdict: Verdict) -> Effect:
        held = engaged.state == "held"
        return SendPeer(
            Answer(
                sender=self.desk.site,
                receiver=engaged.entry,
                intent=engaged.part.id,
                round=engaged.round,
                verdict=verdict,
                held=held,
                lease_s=LEASE_S if held else 0.0,
            )
        )

    # ── who goes first ──────────────────────────────────────────────────────────────────────────────────────────────

    def _younger_holders(self, engaged: Engagement, verdict: Verdict) -> list[Engagement]:
        """Who is in the way, when all that is in the way are holds of younger intents that are not decided yet."""
        if engaged.part.preview or not verdict.waits_for or any(one.intent is None for one in verdict.waits_for):
            return []
        found = [self.engagements.find(one.intent) for one in verdict.waits_for if one.intent is not None]
        younger = [one for one in found if one is not None and one.state == "held" and _goes_before(engaged, one)]
        return younger if len(younger) == len(found) else []

    def _block(self, engaged: Engagement, younger: Sequence[Engagement], moment: Moment) -> list[Effect]:
        engaged.state, engaged.stamp = "blocked", self.desk.stamp(moment)
        asked = {f"{one.part.id}.{one.round}" for one in younger}
        fresh = [one for one in younger if f"{one.part.id}.{one.round}" not in engaged.asked_to_yield]
        engaged.asked_to_yield = asked
        return [
            SendPeer(
                GiveWay(
                    sender=self.desk.site,
                    receiver=one.entry,
                    intent=one.part.id,
                    round=one.round,
                    older=engaged.part.id,
                )
            )
            for one in fresh
        ]

    # ── decided ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def decide(self, message: Decide, moment: Moment) -> list[Effect]:
        """Commit or drop what the entry site has decided."""
        engaged = self.engagements.find(message.intent)
        if engaged is not None and engaged.entry != message.sender:
            return [self._refuse(message, f"intent {message.intent} is not {message.sender}'s to decide")]
        if not message.commit:
            return self._drop(engaged, message.round, moment)
        if engaged is not None and engaged.state == "held" and engaged.round == message.round:
            assert engaged.verdict is not None, "judged before it is held"
            return self._commit(engaged, message, engaged.verdict, moment)
        if engaged is not None and engaged.state in ("committed", "over") and message.revision <= engaged.revision:
            known = tuple(engaged.outcomes.values())
            return [self._report(engaged, known)] if message.revision == engaged.revision else []
        return self._commit_late(engaged, message, moment)

    def _drop(self, engaged: Engagement | None, round_number: int, moment: Moment) -> list[Effect]:
        if engaged is None or engaged.round > round_number or engaged.state in ("committed", "over", "denied"):
            return []
        self.desk.holds.drop(engaged.part.id)
        if engaged.state == "watching":  # the entry site waits for a word from here
            return []
        self.engagements.end(engaged, "denied")
        return self.look_again(moment)

    def _commit_late(self, engaged: Engagement | None, message: Decide, moment: Moment) -> list[Effect]:
        """The hold is gone (its lease, or the process that had it): still allowed, it goes on, else it is refused."""
        if message.part is None or message.part.site != self.desk.site or message.part.entry != message.sender:
            return [self._refuse(message, "part: missing (expected what is to be committed here)")]
        self.desk.holds.drop(message.intent)
        late = Engagement(message.sender, message.part, message.round, message.age, message.revision, late=message)
        late.settled |= engaged.settled if engaged is not None else set()
        return self._consider(self.engagements.put(late), moment)

    def _judged_late(self, engaged: Engagement, late: Decide, verdict: Verdict, moment: Moment) -> list[Effect]:
        engaged.late = None
        if verdict.decision == "allow" and _work(verdict.plan) == _work(self._own(late.plan)):
            self._hold(engaged, verdict, moment)
            return self._commit(engaged, late, verdict, moment)
        engaged.verdict = verdict
        self.engagements.end(engaged, "denied")
        return [self._report(engaged, refused=verdict)]

    def _commit(self, engaged: Engagement, message: Decide, verdict: Verdict, moment: Moment) -> list[Effect]:
        """Store first, then release: what is done here stands in this site's own streams."""
        assert engaged.intake is not None, "taken in before it is judged"
        fresh = {(one.resource, one.action): one.preconditions for one in verdict.plan}
        steps = tuple(
            one.model_copy(update={"preconditions": fresh.get((one.resource, one.action), one.preconditions)})
            for one in self._own(message.plan)
        )
        stored = verdict.model_copy(update={"plan": steps, "revision": message.revision})
        engaged.state, engaged.verdict, engaged.revision = "committed", stored, message.revision
        engaged.outcomes.clear()
        pursuit = Pursuit(engaged.part, engaged.intake, stored, settled=set(engaged.settled))
        self.desk.docket.active[engaged.part.id] = pursuit
        effects: list[Effect] = []
        if engaged.entry != self.desk.site:  # the whole is stored at its entry site
            self.desk.docket.record(stored)
            effects += [StoreIntent(engaged.part), StoreVerdict(stored, engaged.basis)]
        return effects + self._go_on(engaged, pursuit, moment)

    def _own(self, plan: Sequence[Step]) -> list[Step]:
        return [step for step in plan if step.site == self.desk.site]

    # ── being done ──────────────────────────────────────────────────────────────────────────────────────────────────

    def outcome(self, outcome: Outcome, moment: Moment) -> list[Effect]:
        """An outcome of this site's executor that the pursuit has taken in."""
        engaged, pursuit = self.engagements[outcome.intent], self.desk.docket.active[outcome.intent]
        return self._go_on(engaged, pursuit, moment, (outcome,))

    def heard(self, message: Tell, moment: Moment) -> list[Effect]:
        """The entry site says how far the other sites are."""
        engaged = self.engagements.find(message.intent)
        pursuit = self.desk.docket.active.get(message.intent)
        if engaged is None or pursuit is None or engaged.state != "committed" or engaged.entry != message.sender:
            return []
        if message.revision != engaged.revision:
            return []
        for outcome in message.outcomes:
            if outcome.site != self.desk.site:
                pursuit.hear(outcome)
        if message.stop:
            pursuit.stop()
        return self._go_on(engaged, pursuit, moment)

    def _go_on(
        self, engaged: Engagement, pursuit: Pursuit, moment: Moment, outcomes: tuple[Outcome, ...] = ()
    ) -> list[Effect]:
        effects: list[Effect] = [SendOperation(one) for one in pursuit.release(moment)]
        engaged.outcomes |= {one.step: one for one in outcomes}
        if pursuit.over:
            engaged.settled |= pursuit.settled
            del self.desk.docket.active[engaged.part.id]
            self.desk.holds.drop(engaged.part.id)
            self.engagements.end(engaged, "over")
        if outcomes or pursuit.over:
            effects.append(self._report(engaged, outcomes))
        return effects

    def _report(
        self,
        engaged: Engagement,
        outcomes: tuple[Outcome, ...] = (),
        refused: Verdict | None = None,
        again: bool = False,
    ) -> Effect:
        return SendPeer(
            Report(
                sender=self.desk.site,
                receiver=engaged.entry,
                intent=engaged.part.id,
                revision=engaged.revision,
                outcomes=outcomes,
                over=engaged.is_free,
                refused=refused,
                again=again,
            )
        )

    # ── time and change ─────────────────────────────────────────────────────────────────────────────────────────────

    def look_again(self, moment: Moment) -> list[Effect]:
        """What waits here is judged on the world as it is now, the oldest intent first."""
        effects: list[Effect] = []
        for engaged in self.engagements.in_state("blocked", "watching"):
            if engaged.stamp == self.desk.stamp(moment):
                continue
            if engaged.state == "blocked":
                effects += self._judge(engaged, moment)
                continue
            engaged.intake = self.desk.hearing.take_in(engaged.part, moment).without(engaged.settled)
            engaged.stamp = self.desk.stamp(moment)
            if self._verdict(engaged, moment).decision != "defer" or engaged.part.expires_at <= moment.wall:
                self.engagements.end(engaged, "denied")
                names = {"sender": self.desk.site, "receiver": engaged.entry, "intent": engaged.part.id}
                effects.append(SendPeer(Wake(round=engaged.round, **names)))
        return effects

    def tick(self, moment: Moment) -> list[Effect]:
        """Leases end; at half of one the answer is said again, so that who has forgotten the round drops it."""
        effects: list[Effect] = []
        for engaged in self.engagements.in_state("held"):
            own = engaged.entry == self.desk.site
            if moment.monotonic_s >= engaged.lease_until_s:
                self.desk.holds.drop(engaged.part.id)
                self.engagements.end(engaged, "denied")
            elif moment.monotonic_s >= engaged.repeat_at_s and engaged.verdict is not None:
                if own or self.desk.neighbours.reachable(engaged.entry, moment.monotonic_s):
                    self._lease(engaged, moment)
                effects.append(self._answer(engaged, engaged.verdict))
                engaged.repeat_at_s = moment.monotonic_s + LEASE_S / 2
        return effects + self.look_again(moment)

    # ── after a crash ───────────────────────────────────────────────────────────────────────────────────────────────

    def remember(self, part: Intent, verdict: Verdict, outcomes: Sequence[Outcome], is_over: bool) -> None:
        """A part that this site has committed to at some time: it must not begin again by a repeated message."""
        assert part.entry is not None, "a part says whose it is"
        made = Part(**part.model_dump(by_alias=True))
        engaged = self.engagements.put(Engagement(part.entry, made, 0, 0, verdict.revision, verdict=verdict))
        engaged.settled |= {one.resource for one in outcomes if one.state in GOOD}
        engaged.outcomes |= {one.step: one for one in outcomes if one.revision == verdict.revision}
        if is_over:
            self.engagements.end(engaged, "over")
        else:
            engaged.state = "committed"  # gone on with when the site is known again

    def resume(self, one: Unfinished, moment: Moment) -> list[Effect]:
        """Go on with a part as the last process left it, and say how far it is."""
        engaged = self.engagements[one.intent.id]
        intake = self.desk.hearing.take_in(engaged.part, moment)
        pursuit = self.desk.docket.active[one.intent.id] = one.pursuit(intake)
        engaged.intake = intake
        self.desk.holds.add(one.verdict, intake.changes, moment.monotonic_s)
        for outcome in one.outcomes:
            self.desk.holds.report(outcome, moment.monotonic_s)
        sent: list[Effect] = [SendOperation(operation) for operation in pursuit.resume(moment)]
        gone_on = self._go_on(engaged, pursuit, moment)
        return [*sent, *gone_on, self._report(engaged, tuple(engaged.outcomes.values()), again=True)]

    # ── what cannot be taken in ─────────────────────────────────────────────────────────────────────────────────────

    def _refuse(self, message: Ask | Decide, reason: str) -> Effect:
        return SendPeer(
            Refuse(
                sender=self.desk.site,
                receiver=message.sender,
                intent=message.intent,
                what="ask" if isinstance(message, Ask) else "decide",
                reason=reason[:500],
            )
        )

    def _busy(self, message: Ask, reason: str, moment: Moment) -> Effect:
        verdict = self.desk.hearing.unheard(message.part, "F510", reason, 0.0, moment)
        engaged = Engagement(message.sender, message.part, message.round, message.age, message.revision, "watching")
        return self._answer(engaged, verdict)


def _goes_before(one: Engagement, other: Engagement) -> bool:
    return (one.age, one.part.id) < (other.age, other.part.id)


def _work(plan: Sequence[Step]) -> set[tuple[str, str]]:
    return {(step.resource, step.action) for step in plan}
