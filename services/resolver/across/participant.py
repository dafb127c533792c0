"""This site's part of intents that another site, or this one, coordinates. Pure.

    ask ──▶ take in ──▶ (rehearse) ──▶ judge ──▶ hold on a lease ──▶ answer
    decide ──▶ commit (doing.py) ── or drop

An older intent never waits for a younger one that is not decided: the younger one's entry site is asked to let go, and
what waits is judged again in the same step in which the hold goes. A commit after its lease is judged again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.peers import Ask, Decide, Wake
from schemas.rehearsals import RehearsalAnswer
from schemas.verdicts import Step, Verdict
from services.resolver.across.doing import Doing
from services.resolver.across.engagement import Engagement, Engagements
from services.resolver.across.letters import answer, refuse
from services.resolver.across.precedence import ask_to_yield, younger_holders
from services.resolver.across.sets import spread_at
from services.resolver.across.wanted import Wanted
from services.resolver.basis import basis_of
from services.resolver.desk import Desk
from services.resolver.docket import ANYTHING, WAITING_MAX, Awaited, awaited
from services.resolver.hearing import Elsewhere
from services.resolver.signals import AskPeers, AskRehearsal, Effect, Moment, SendPeer

LEASE_S: Final = 60.0
WATCH_S: Final = 900.0  # the entry site asks again within two minutes, unless it waits for another one


@dataclass(slots=True)
class Participant:
    """Judges and holds this site's parts. `doing`: what becomes of them after the commit."""

    desk: Desk
    wanted: Wanted
    engagements: Engagements = field(default_factory=Engagements)
    doing: Doing = field(init=False)

    def __post_init__(self) -> None:
        self.doing = Doing(self.desk, self.engagements)

    # ── asked ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def ask(self, message: Ask, moment: Moment) -> list[Effect]:
        """Judge a part; a newer round replaces what an older one holds."""
        problem = self._misfit(message)
        if problem:
            return [_refused(message, problem)]
        known = self.engagements.find(message.intent)
        if known is not None and (message.round <= known.round or message.revision <= known.decided):
            return self._asked_before(known, message)
        if known is not None and known.state == "committed":
            return [self._busy(message, f"an earlier revision of it is still under way at {self.desk.site}", moment)]
        if len(self.engagements) >= WAITING_MAX:
            return [self._busy(message, f"{self.desk.site} judges {WAITING_MAX} intents of other sites", moment)]
        engaged = Engagement(message.sender, message.part, message.round, message.age, message.revision)
        engaged.since, engaged.is_late = message.since, message.late
        engaged.settled |= self.engagements.done_before.get(message.intent, set())
        if known is not None:
            self.desk.holds.drop(message.intent)
            engaged.settled |= known.settled
            engaged.decided, engaged.before = known.decided, known.last_done
        return self._consider(self.engagements.put(engaged), moment)

    def _asked_before(self, known: Engagement, message: Ask) -> list[Effect]:
        """A repetition changes nothing; what is held is answered once more.

        An older round of a newer revision is that of an asker whose clock went back while it was away: it is told.
        """
        if message.round == known.round and known.state == "held" and known.verdict is not None:
            return [self._answer(known, known.verdict)]
        if message.round < known.round and message.revision > known.decided:
            return [self._wake(known)]
        return []

    def _misfit(self, message: Ask) -> str:
        part = message.part
        if part.site != self.desk.site or part.id != message.intent or part.entry != message.sender:
            return f"part: {part.id!r} for {part.site!r} of {part.entry!r} (expected what the message's subject says)"
        return self._not_its(message)

    def _not_its(self, message: Ask | Decide) -> str:
        """Why this intent cannot be the sender's; empty when it can."""
        known, docket = self.engagements.find(message.intent), self.desk.docket
        is_entered = docket.known(message.intent) is not None or message.intent in docket.asked
        if known is None and is_entered and message.sender != self.desk.site:
            return f"intent {message.intent} was entered at {self.desk.site}"
        if known is not None and known.entry != message.sender:
            return f"intent {message.intent} is {known.entry}'s"
        return ""

    def _consider(self, engaged: Engagement, moment: Moment) -> list[Effect]:
        """Take it in as it is now; the API server is asked first where it can be."""
        engaged.state = "rehearsing"
        engaged.intake = self.desk.take_in(engaged.part, moment).without(engaged.settled)
        engaged.versions = self.desk.versions(engaged.intake)
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
        if engaged.intake is not None:
            engaged.intake = self.desk.marked_anew(engaged.part, engaged.intake)
        verdict = self._verdict(engaged, moment)
        lacking = self.desk.to_look_up(verdict, moment) if engaged.elsewhere is None else ()
        if lacking:
            engaged.state = "rehearsing"
            return [AskPeers(engaged.part.id, lacking)]
        if engaged.late is not None:
            return self._judged_late(engaged, engaged.late, verdict, moment)
        if verdict.decision == "defer":
            younger = younger_holders(self.engagements, engaged, verdict)
            if younger:
                return self._block(engaged, younger, moment)
            engaged.state = "watching"
            self._await(engaged, moment, awaited(verdict.waits_for))
            engaged.lease_until_s = moment.monotonic_s + WATCH_S
        elif verdict.decision == "deny" or engaged.part.preview:
            self.engagements.end(engaged, "denied")
        else:
            self._hold(engaged, verdict, moment)
        engaged.verdict = verdict
        return [self._answer(engaged, verdict)]

    def _verdict(self, engaged: Engagement, moment: Moment) -> Verdict:
        assert engaged.intake is not None, "taken in before it is judged"
        hearing, view = self.desk.hearing, self.desk.view(engaged.part.id)
        intake = self.wanted.part(engaged.part.id, engaged.intake, engaged.since, is_late=engaged.is_late)
        case = hearing.case(engaged.part, intake, engaged.revision, moment, engaged.elsewhere)
        verdict = hearing.judge(case, view, moment)
        engaged.basis = basis_of(case, view) if verdict.decision == "allow" else None
        return verdict

    def _hold(self, engaged: Engagement, verdict: Verdict, moment: Moment) -> None:
        assert engaged.intake is not None, "taken in before it is judged"
        self.desk.holds.add(verdict, engaged.intake.changes, moment.monotonic_s)
        engaged.state = "held"
        engaged.repeat_at_s = moment.monotonic_s + LEASE_S / 2
        engaged.lease_until_s = moment.monotonic_s + LEASE_S

    def _answer(self, engaged: Engagement, verdict: Verdict) -> Effect:
        written = [one.resource for one in engaged.intake.changes] if engaged.intake is not None else []
        return answer(engaged, verdict, LEASE_S, spread_at(self.desk.graph, written))

    def _block(self, engaged: Engagement, younger: Sequence[Engagement], moment: Moment) -> list[Effect]:
        engaged.state = "blocked"
        self._await(engaged, moment)
        return ask_to_yield(self.desk.site, engaged, younger)

    # ── decided ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def decide(self, message: Decide, moment: Moment) -> list[Effect]:
        """Commit or drop what the entry site has decided."""
        problem = self._not_its(message)
        if problem:
            return [_refused(message, problem)]
        engaged = self.engagements.find(message.intent)
        if not message.commit:
            return self._drop(engaged, message.round, moment)
        if engaged is not None and message.revision <= engaged.decided:
            done = engaged.last_done
            return [self.doing.report_all(done)] if done is not None and done.revision == message.revision else []
        if engaged is not None and engaged.state == "held" and engaged.is_meant_by(message):
            assert engaged.verdict is not None, "judged before it is held"
            if self._is_consented(message, engaged.verdict):
                return self.doing.commit(engaged, message, engaged.verdict, moment)
        return self._commit_late(engaged, message, moment)

    def _drop(self, engaged: Engagement | None, round_number: int, moment: Moment) -> list[Effect]:
        if engaged is None or engaged.round > round_number or engaged.state in ("committed", "over", "denied"):
            return []
        if engaged.late is not None:
            return []
        self.desk.holds.drop(engaged.part.id)
        if engaged.state == "watching":  # the entry site waits for a word from here
            return []
        if engaged.yields:
            engaged.state, engaged.stamp, engaged.lease_until_s = "watching", None, moment.monotonic_s + WATCH_S
        else:
            self.engagements.end(engaged, "denied")
        return self.look_again(moment)

    def _commit_late(self, engaged: Engagement | None, message: Decide, moment: Moment) -> list[Effect]:
        """The hold is gone (its lease, or the process that had it): still allowed, it goes on, else it is refused."""
        if message.part is None or message.part.site != self.desk.site or message.part.entry != message.sender:
            return [_refused(message, "part: missing (expected what is to be committed here)")]
        if message.part.id != message.intent:
            return [_refused(message, f"part: of {message.part.id!r} (expected {message.intent!r})")]
        self.desk.holds.drop(message.intent)
        late = Engagement(message.sender, message.part, message.round, message.age, message.revision, late=message)
        late.decided = message.revision
        late.lease_until_s = moment.monotonic_s + LEASE_S
        late.settled |= engaged.settled if engaged is not None else set()
        return self._consider(self.engagements.put(late), moment)

    def _judged_late(self, engaged: Engagement, late: Decide, verdict: Verdict, moment: Moment) -> list[Effect]:
        """What is only unknown, as after a restart, or waits for others, is put off for as long as a lease."""
        if verdict.decision == "defer" and moment.monotonic_s < engaged.lease_until_s:
            engaged.state = "late"
            self._await(engaged, moment)
            return []
        engaged.late = None
        if verdict.decision == "allow" and self._is_consented(late, verdict):
            self._hold(engaged, verdict, moment)
            return self.doing.commit(engaged, late, verdict, moment)
        return self.doing.refuse(engaged, late, verdict, moment)

    def _is_consented(self, message: Decide, verdict: Verdict) -> bool:
        """What is to be done here is what was allowed here."""
        return _work(verdict.plan) == _work(self.doing.own(message.plan))

    # ── time and change ─────────────────────────────────────────────────────────────────────────────────────────────

    def look_again(self, moment: Moment) -> list[Effect]:
        """What waits here is judged on the world as it is now, the oldest intent first."""
        effects: list[Effect] = []
        for engaged in self.engagements.in_state("blocked", "watching", "late"):
            now = self.desk.world(moment).stamp(engaged.awaits, engaged.part.bound_s)
            is_put_off = engaged.state != "late" or moment.monotonic_s < engaged.lease_until_s
            if engaged.stamp == now and is_put_off:
                continue
            if engaged.state != "watching":
                effects += (self._judge if self._is_as_it_was(engaged) else self._consider)(engaged, moment)
                continue
            engaged.intake = self.desk.take_in(engaged.part, moment).without(engaged.settled)
            verdict = self._verdict(engaged, moment)
            self._await(engaged, moment, awaited(verdict.waits_for))
            if verdict.decision != "defer" or engaged.part.expires_at <= moment.wall:
                self.engagements.end(engaged, "denied")
                effects.append(self._wake(engaged))
        return effects

    def _await(self, engaged: Engagement, moment: Moment, these: Awaited = ANYTHING) -> None:
        """It is judged again when any of these has changed."""
        engaged.awaits, engaged.stamp = these, self.desk.world(moment).stamp(these, engaged.part.bound_s)

    def _is_as_it_was(self, engaged: Engagement) -> bool:
        """Whether what it waited for has only let go: then what the API server said of it stands."""
        intake = engaged.intake
        return engaged.state == "blocked" and intake is not None and self.desk.versions(intake) == engaged.versions

    def _wake(self, engaged: Engagement) -> Effect:
        names = {"sender": self.desk.site, "receiver": engaged.entry, "intent": engaged.part.id}
        return SendPeer(Wake(round=engaged.round, **names))

    def tick(self, moment: Moment) -> list[Effect]:
        """Leases end; at half of one the answer is said again, so that who has forgotten the round drops it."""
        effects: list[Effect] = []
        for engaged in self.engagements.in_state("held", "watching"):
            heard_s = self._heard_s(engaged, moment)
            if heard_s is not None and engaged.state == "held":
                engaged.lease_until_s = heard_s + LEASE_S
            if moment.monotonic_s >= engaged.lease_until_s:
                self.desk.holds.drop(engaged.part.id)
                self.engagements.end(engaged, "denied")
            elif moment.monotonic_s >= engaged.repeat_at_s and engaged.state == "held" and engaged.verdict is not None:
                effects.append(self._answer(engaged, engaged.verdict))
                engaged.repeat_at_s = moment.monotonic_s + LEASE_S / 2
        return effects + self.look_again(moment)

    def _heard_s(self, engaged: Engagement, moment: Moment) -> float | None:
        """When its entry site was heard, if it can be heard now."""
        if engaged.entry == self.desk.site:
            return moment.monotonic_s
        near = self.desk.neighbours
        return near.heard_s[engaged.entry] if near.reachable(engaged.entry, moment.monotonic_s) else None

    def _busy(self, message: Ask, reason: str, moment: Moment) -> Effect:
        verdict = self.desk.hearing.unheard(message.part, "F510", reason, 0.0, moment)
        engaged = Engagement(message.sender, message.part, message.round, message.age, message.revision)
        return self._answer(engaged, verdict)


def _refused(message: Ask | Decide, reason: str) -> Effect:
    return refuse(message, "ask" if isinstance(message, Ask) else "decide", reason)


def _work(plan: Sequence[Step]) -> set[tuple[str, str]]:
    return {(step.resource, step.action) for step in plan}
