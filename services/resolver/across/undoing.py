"""What several sites have done for an intent is taken back, each site's part with its own consent. Pure.

    entry site    all sites are over, and not all was done ─▶ reversed steps of all ─▶ StoreVerdict ─▶ decide (undoes)
    participant   decide (undoes) ─▶ judge its steps ─▶ StoreVerdict ─▶ SendOperation ─▶ outcomes ─▶ report

From there on it is followed like any plan: reports are told on to whom they concern, and a crash repeats nothing. What
a site does not take back gets an outcome that says why, and what would have to come after it stays, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from schemas.peers import Decide, Part, Refuse
from schemas.verdicts import Action, Step, Verdict
from services.resolver.across.doing import Doing
from services.resolver.across.engagement import Engagement
from services.resolver.across.following import Following
from services.resolver.across.undertaking import Undertaking
from services.resolver.deeds import reversed_steps
from services.resolver.desk import Desk
from services.resolver.pursuit import GOOD, end_of, written
from services.resolver.recovery import Unfinished
from services.resolver.signals import Effect, Moment, SendAlert, SendPeer, StoreOutcome, StoreVerdict
from services.resolver.undoing import Judged, Undoing, way_back

Declared = Mapping[SiteName, Mapping[ResourceId, Action]]


@dataclass(slots=True)
class WayBack:
    """Both roles of one site in it.

    named_in   what a part is about
    overtake   what waits here since before it gives way to what was declared, and not taken back
    close      what is taken back is open for no site any more (W503)
    asked      orders that wait until enough is known of this site
    """

    desk: Desk
    undoing: Undoing
    following: Following
    doing: Doing
    is_for_several: Callable[[Intent], bool]
    named_in: Callable[[Intent], Iterable[ResourceId]]
    overtake: Callable[[Verdict, Declared, Moment, int], list[Effect]] = lambda *_: []
    close: Callable[[str], None] = lambda _: None
    asked: dict[str, Decide] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.following.ended = self.ended

    # ── at the entry site ───────────────────────────────────────────────────────────────────────────────────────────

    def concerns(self, intent: Intent) -> bool:
        """Whether it was for more than this site."""
        return self.is_for_several(intent) or any(
            one.outcome.site != self.desk.site for one in self.desk.deeds.of(intent.id)
        )

    def ended(self, undertaking: Undertaking, moment: Moment) -> list[Effect]:
        """All sites are over, and it is not decided again: done as a whole, or not."""
        intent, verdict = undertaking.intent, undertaking.verdict
        states = {name: one.state for name, one in undertaking.outcomes.items()}
        whole = all(states.get(step.id) in GOOD for step in verdict.plan)
        if whole or not self.undoing.is_due(intent, verdict):
            self.desk.deeds.forget(intent.id)
            ages = (order.age for order in undertaking.orders.values() if verdict.revision == 1)
            later = self.overtake(verdict, self._declared(undertaking), moment, max(ages, default=0))
            return [*(map(SendAlert, self.desk.drifts.worked(verdict, moment)) if whole else ()), *later]
        self.close(intent.id)
        return self.begin(intent, moment)

    def _declared(self, undertaking: Undertaking) -> Declared:
        """What stands at each site by its word: what was written, and what was so already."""
        intent, plan = undertaking.intent, undertaking.verdict.plan
        if intent.heal or intent.verb == "read":
            return {}
        planned, found = {(one.site, one.resource) for one in plan}, written(undertaking.outcomes.values())
        for name, order in undertaking.orders.items():
            others = (one for one in self.named_in(order.part) if (name, one) not in planned) if order.part else ()
            found.setdefault(name, {}).update(dict.fromkeys(others, intent.verb))
        return found

    def begin(self, intent: Intent, moment: Moment) -> list[Effect]:
        """Decide the way back, store it, tell everybody. This site's own part is judged here, the others' at theirs."""
        steps = reversed_steps(self.desk.deeds.of(intent.id))
        judged = self.undoing.judged(intent, steps, moment)
        if judged is None:
            self.undoing.waiting[intent.id] = intent
            return []
        verdict = self.undoing.decided(intent, steps, judged, moment)
        if not verdict.plan:  # all of it stays, which the verdict says
            self.desk.deeds.forget(intent.id)
            return [StoreVerdict(verdict)]
        mine = verdict.model_copy(update={"plan": tuple(self.doing.own(verdict.plan))})
        if mine.plan:  # over the site at once: its own word to this site comes when others may have been decided
            self.desk.holds.add(mine, way_back(self.desk, mine).changes, moment.monotonic_s)
        return [StoreVerdict(verdict), *self.following.take_back(intent, verdict, moment.monotonic_s)]

    def resume(self, one: Unfinished, moment: Moment) -> list[Effect]:
        """After a crash: every site is told again, which repeats nothing; our own part goes on as it was."""
        told = self.following.take_back(one.intent, one.verdict, moment.monotonic_s)
        told += self.following.resume(one.intent.id, one.outcomes)
        if all(step.site != self.desk.site for step in one.verdict.plan):
            return told
        return [*self.doing.resume_own(one, self._own_part(one.intent), moment), *told]

    def _own_part(self, intent: Intent) -> Part:
        return Part(**{**intent.model_dump(by_alias=True), "entry": self.desk.site})

    # ── at each site ────────────────────────────────────────────────────────────────────────────────────────────────

    def decide(self, message: Decide, moment: Moment) -> list[Effect]:
        """Take back what was done here, as far as this site allows it now."""
        engaged = self.doing.engagements.find(message.intent) or self._remembered(message)
        if engaged is not None and engaged.entry == message.sender and message.revision <= engaged.decided:
            return [self.doing.report_all(engaged)] if message.revision == engaged.revision else []
        if engaged is None or engaged.entry != message.sender:
            reason = f"nothing is known at {self.desk.site} of what is to be undone"
            names = {"sender": self.desk.site, "receiver": message.sender, "intent": message.intent}
            return [SendPeer(Refuse(what="decide", reason=reason, **names))]
        if engaged.state == "committed":  # an earlier revision is still under way: its entry site asks again
            return []
        steps = self.doing.own(message.plan)
        is_entry = message.sender == self.desk.site  # then the whole was stored with this site's own consent
        judged = Judged({}) if is_entry else self.undoing.judged(engaged.part, steps, moment)
        if judged is None:
            self.asked[message.intent] = message
            return []
        self.asked.pop(message.intent, None)
        return self._take_back(engaged, message, steps, judged, moment)

    def _remembered(self, message: Decide) -> Engagement | None:
        """This site's own part of what was entered here and ended badly before a restart."""
        followed = self.following.undertaking(message.intent)
        if message.sender != self.desk.site or followed is None:
            return None
        return Engagement(message.sender, self._own_part(followed.intent), 0, 0, 0)

    def _take_back(
        self, before: Engagement, message: Decide, steps: list[Step], judged: Judged, moment: Moment
    ) -> list[Effect]:
        known = self.desk.docket.known(message.intent)
        verdict = self.undoing.decided(before.part, steps, judged, moment)
        if before.entry == self.desk.site and known is not None:
            self.desk.docket.record(known)  # the whole, which is stored already
        verdict = verdict.model_copy(update={"revision": message.revision, "undoes": message.undoes})
        engaged = Engagement(before.entry, before.part, before.round, before.age, message.revision, message.revision)
        engaged.state, engaged.verdict, engaged.settled = "committed", verdict, set(before.settled)
        self.desk.holds.drop(message.intent)
        self.doing.engagements.put(engaged)
        pursuit = self.undoing.pursue(before.part, verdict, moment)
        ends = tuple(
            end_of(verdict, step, "conflict", f"not undone: {judged.kept[step.id]}", moment)
            for step in steps
            if step.id in judged.kept
        )
        stored = [*self.doing.store(engaged, verdict), *map(StoreOutcome, ends)]
        return [*stored, *self.doing.go_on(engaged, pursuit, moment, ends)]

    def look_again(self, moment: Moment) -> list[Effect]:
        """What waited for evidence."""
        return [effect for message in list(self.asked.values()) for effect in self.decide(message, moment)]
