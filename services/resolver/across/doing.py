"""What this site has committed to in intents of several sites: stored, released, reported, gone on with. Pure.

commit ─▶ StorePart, StoreVerdict ─▶ SendOperation ─▶ outcomes, what other sites tell ─▶ Report … over
refuse ─▶ StorePart, StoreVerdict (a denial) ─▶ Report

Steps that will never begin get an outcome, too: the end of each step stands in the streams, and no restart begins it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.peers import Decide, Part, Report, Tell
from schemas.verdicts import Step, Verdict
from services.resolver.across.engagement import Engagement, Engagements
from services.resolver.desk import Desk
from services.resolver.pursuit import GOOD, Pursuit, end_of
from services.resolver.recovery import Unfinished
from services.resolver.signals import Effect, Moment, SendOperation, SendPeer, StoreOutcome, StorePart, StoreVerdict
from services.resolver.undoing import lasting, way_back


@dataclass(slots=True)
class Doing:
    """This site's parts from the commit on."""

    desk: Desk
    engagements: Engagements

    # ── committed, or refused ───────────────────────────────────────────────────────────────────────────────────────

    def commit(self, engaged: Engagement, message: Decide, verdict: Verdict, moment: Moment) -> list[Effect]:
        """Store first, then release: what is done here stands in this site's own streams."""
        assert engaged.intake is not None, "taken in before it is judged"
        fresh = {(one.resource, one.action): one.preconditions for one in verdict.plan}
        steps = tuple(
            one.model_copy(update={"preconditions": fresh.get((one.resource, one.action), one.preconditions)})
            for one in self.own(message.plan)
        )
        stored = verdict.model_copy(update={"plan": steps, "revision": message.revision})
        engaged.state, engaged.verdict = "committed", stored
        engaged.revision = engaged.decided = message.revision
        engaged.outcomes.clear()
        pursuit = Pursuit(engaged.part, engaged.intake, stored, settled=set(engaged.settled))
        self.desk.docket.active[engaged.part.id] = pursuit
        return [*self.store(engaged, stored), *self.go_on(engaged, pursuit, moment)]

    def refuse(self, engaged: Engagement, message: Decide, verdict: Verdict, moment: Moment) -> list[Effect]:
        """A commit that came too late is not carried out; its repetition finds that in the streams."""
        nothing = {"decision": "deny", "plan": (), "waits_for": (), "expires_at": None, "revision": message.revision}
        stored = verdict.model_copy(update=nothing)
        reason = f"refused at {self.desk.site}: {verdict.summary}"
        ends = tuple(end_of(stored, step, "conflict", reason, moment) for step in self.own(message.plan))
        engaged.verdict = stored
        engaged.revision = engaged.decided = message.revision
        engaged.outcomes = {one.step: one for one in ends}
        self.engagements.end(engaged, "over")
        return [*self.store(engaged, stored), *map(StoreOutcome, ends), self.report(engaged, ends)]

    def store(self, engaged: Engagement, verdict: Verdict) -> list[Effect]:
        """In this site's own streams."""
        if engaged.entry == self.desk.site:  # the whole is stored at its entry site
            return []
        self.desk.docket.record(verdict)
        return [StorePart(engaged.part, verdict.revision), StoreVerdict(verdict, engaged.basis)]

    def own(self, plan: Sequence[Step]) -> list[Step]:
        """This site's share of a plan."""
        return [step for step in plan if step.site == self.desk.site]

    # ── being done ──────────────────────────────────────────────────────────────────────────────────────────────────

    def outcome(self, outcome: Outcome, moment: Moment) -> list[Effect]:
        """An outcome of this site's executor that the pursuit has taken in."""
        engaged, pursuit = self.engagements[outcome.intent], self.desk.docket.active[outcome.intent]
        return self.go_on(engaged, pursuit, moment, (outcome,) if outcome.state != "begun" else ())

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
        return self.go_on(engaged, pursuit, moment)

    def go_on(
        self, engaged: Engagement, pursuit: Pursuit, moment: Moment, outcomes: tuple[Outcome, ...] = ()
    ) -> list[Effect]:
        """What may leave now; and the word on it to the entry site."""
        effects: list[Effect] = [SendOperation(one) for one in pursuit.release(moment)]
        if pursuit.over:
            engaged.settled |= pursuit.settled
            del self.desk.docket.active[engaged.part.id]
            self.desk.holds.drop(engaged.part.id)
            self.engagements.end(engaged, "over")
            reason = f"not begun at {self.desk.site}: another step did not do what was allowed"
            ends = [end_of(pursuit.verdict, step, "expired", reason, moment) for step in pursuit.never_begun]
            effects += map(StoreOutcome, ends)
            outcomes = (*outcomes, *ends)
        engaged.outcomes |= {one.step: one for one in outcomes}
        if pursuit.over:  # everything: an entry site that was killed may not have heard the rest
            outcomes = tuple(engaged.outcomes.values())
        if outcomes or pursuit.over:
            effects.append(self.report(engaged, outcomes))
        return effects

    def report(self, engaged: Engagement, outcomes: tuple[Outcome, ...] = (), again: bool = False) -> Effect:
        """To the entry site: how far this one is."""
        refused = engaged.verdict is not None and engaged.verdict.decision == "deny" and engaged.state == "over"
        return SendPeer(
            Report(
                sender=self.desk.site,
                receiver=engaged.entry,
                intent=engaged.part.id,
                revision=engaged.revision,
                outcomes=outcomes if engaged.entry == self.desk.site else tuple(one.abroad() for one in outcomes),
                over=engaged.is_free,
                refused=engaged.verdict if refused else None,
                again=again,
            )
        )

    def report_all(self, engaged: Engagement) -> Effect:
        """Everything that is known of the revision in force."""
        return self.report(engaged, tuple(engaged.outcomes.values()))

    # ── after a crash ───────────────────────────────────────────────────────────────────────────────────────────────

    def remember(self, part: Intent, verdict: Verdict, outcomes: Sequence[Outcome], is_over: bool) -> Engagement:
        """A part that this site has committed to at some time: it must not begin again by a repeated message."""
        assert part.entry is not None, "a part says whose it is"
        made = Part(**part.model_dump(by_alias=True))
        engaged = Engagement(part.entry, made, 0, 0, verdict.revision, verdict.revision, verdict=verdict)
        self.engagements.put(engaged)
        engaged.settled |= {one.resource for one in outcomes if one.state in GOOD}
        engaged.outcomes |= {one.step: one for one in outcomes if one.revision == verdict.revision}
        if is_over:
            self.engagements.end(engaged, "over")
        else:
            engaged.state = "committed"  # gone on with when the site is known again
        return engaged

    def resume(self, one: Unfinished, moment: Moment) -> list[Effect]:
        """Go on with a part as the last process left it, and say how far it is."""
        engaged = self.engagements[one.intent.id]
        is_undo = one.verdict.undoes is not None
        intake = way_back(self.desk, one.verdict) if is_undo else self.desk.take_in(engaged.part, moment)
        one = replace(one, intent=lasting(one.intent, moment)) if is_undo else one
        pursuit = self.desk.docket.active[one.intent.id] = one.pursuit(intake)
        engaged.intake = intake
        self.desk.holds.add(one.verdict, intake.changes, moment.monotonic_s)
        for outcome in one.outcomes:
            self.desk.holds.report(outcome, moment.monotonic_s)
        self.desk.holds.settle(self.desk.graph)
        sent: list[Effect] = [SendOperation(operation) for operation in pursuit.resume(moment)]
        known = tuple(engaged.outcomes.values())  # with the word that it is over, or nobody would ask for them
        gone_on = self.go_on(engaged, pursuit, moment, known)
        return [*sent, *gone_on, self.report(engaged, tuple(engaged.outcomes.values()), again=True)]

    def resume_own(self, one: Unfinished, part: Part, moment: Moment) -> list[Effect]:
        """The same at the entry site: what the whole says of it is this site's consent."""
        verdict = one.verdict.model_copy(update={"plan": tuple(self.own(one.verdict.plan))})
        mine = tuple(outcome for outcome in one.outcomes if outcome.site == self.desk.site)
        done = frozenset(self.engagements.done_before.get(part.id, ()))
        self.remember(part, verdict, mine, is_over=False).settled |= done
        return self.resume(Unfinished(part, verdict, mine, done), moment)
