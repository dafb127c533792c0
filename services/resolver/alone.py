"""Intents that this site decides alone: taken in, rehearsed, judged, done; deferred ones wake by event. Pure.

intent ──▶ take in ──▶ (rehearse) ──▶ judge ──▶ hold ──▶ StoreVerdict, SendOperation …
outcome ──▶ pursuit ──▶ next SendOperation, or judge again
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from schemas.basis import Basis
from schemas.identity import KindId, ResourceId, SiteName
from schemas.intents import Intent
from schemas.rehearsals import RehearsalAnswer
from schemas.verdicts import Action, Verdict
from services.resolver.basis import basis_of
from services.resolver.desk import Desk
from services.resolver.docket import Asked, Waiting, World
from services.resolver.hearing import Elsewhere
from services.resolver.intake import Intake, overtaken, overtaking
from services.resolver.judge.case import Problem
from services.resolver.plain import basis_at_once, decided_at_once
from services.resolver.pursuit import Pursuit, written
from services.resolver.recovery import Unfinished
from services.resolver.signals import (
    AskPeers,
    AskRehearsal,
    Effect,
    Moment,
    SendOperation,
    StoreOutcome,
    StoreVerdict,
)
from services.resolver.undoing import Undoing, has_failed, lasting, way_back

NOTHING: Final[Set[ResourceId]] = frozenset()
GONE_BOTH: Final = ("delete", "delete")
NEVER: Final = World(lambda _: False, (KindId(""),), -1, lambda _: -1)  # none is like it: judged at the next look


@dataclass(frozen=True, slots=True)
class Alone:
    """One site's own intents.

    is_shared     whether an intent turned out to be about a set: what it names is known better now than when it came
    hand_over     such a one is decided with the other sites from here on
    is_asked      whether other sites are being asked about it now
    deny_shared   what waits for several sites, or is being asked about, is denied
    writes_at     what an intent of several sites would change at which of them
    """

    desk: Desk
    undoing: Undoing
    is_shared: Callable[[Intent], bool]
    hand_over: Callable[[Asked, Moment], list[Effect]]
    is_asked: Callable[[str], bool]
    deny_shared: Callable[[Intent, list[Problem], Moment], list[Effect]]
    writes_at: Callable[[Intent, Moment], Mapping[SiteName, Set[ResourceId]]]

    def at_once(self, intent: Intent, moment: Moment) -> list[Effect]:
        """The first decision on a plain question, as `consider` would make it; nothing when it is to be considered."""
        verdict = decided_at_once(self.desk, intent, moment)
        if verdict is None:
            return []
        basis = basis_at_once(self.desk, intent)
        if verdict.decision == "allow":
            return self._take_up(intent, self.desk.take_in(intent, moment), NOTHING, verdict.whole(), basis, moment)
        self.desk.docket.record(verdict)
        return [StoreVerdict(verdict, basis)]

    def consider(self, intent: Intent, settled: Set[ResourceId], moment: Moment) -> list[Effect]:
        """Take it in as it is now, less what it has done already, and judge it, after the API server was asked."""
        docket = self.desk.docket
        intake = self.desk.take_in(intent, moment).without(settled)
        rehearsal = None if docket.full else self.desk.hearing.rehearsal(intake)
        if rehearsal is None:
            return self._decide(intent, intake, settled, moment)
        docket.asked[intent.id] = Asked(intent, intake, settled)
        return [AskRehearsal(intent.id, rehearsal)]

    def rehearsed(self, asked: Asked, answer: RehearsalAnswer | None, moment: Moment) -> list[Effect]:
        """The API server's word has come, or has not."""
        intake = asked.intake if answer is None else asked.intake.rehearsed(answer)
        return self._decide(asked.intent, intake, asked.settled, moment)

    def found(self, asked: Asked, elsewhere: Elsewhere, moment: Moment) -> list[Effect]:
        """Other sites have said what they have of what is missing here."""
        return self._decide(asked.intent, asked.intake, asked.settled, moment, elsewhere)

    def _decide(
        self,
        intent: Intent,
        intake: Intake,
        settled: Set[ResourceId],
        moment: Moment,
        elsewhere: Elsewhere | None = None,
    ) -> list[Effect]:
        desk, docket = self.desk, self.desk.docket
        desk.holds.drop(intent.id)  # of an earlier revision, which is decided again
        if not intake.problems and not intent.preview and self.is_shared(intent):
            return self.hand_over(Asked(intent, intake, settled), moment)
        waiting = docket.deferred.get(intent.id)
        if waiting and not intake.problems and (later := docket.overtaking(waiting)) is not None:
            of_both = [one for one in waiting.writes if later.changes_any([one])]
            intake = intake.but([overtaking(one, later.intent.id) for one in of_both])
        revision, since = docket.revision(intent.id), docket.since(intent.id)
        case = desk.hearing.case(intent, intake, revision, moment, elsewhere, since)
        view = desk.view(intent.id)
        verdict = desk.hearing.judge(case, view, moment)
        lacking = desk.to_look_up(verdict, moment) if elsewhere is None else ()
        if lacking:
            docket.asked[intent.id] = Asked(intent, intake, settled)
            return [AskPeers(intent.id, lacking)]
        if waiting and verdict.decision == "defer" and waiting.says(verdict):
            docket.deferred[intent.id] = waiting.again(desk.world(moment))
            return []
        return self._take_up(intent, intake, settled, verdict, basis_of(case, view), moment)

    def _take_up(
        self,
        intent: Intent,
        intake: Intake,
        settled: Set[ResourceId],
        verdict: Verdict,
        basis: Basis,
        moment: Moment,
    ) -> list[Effect]:
        """What follows from a verdict."""
        desk, docket = self.desk, self.desk.docket
        docket.record(verdict)
        effects: list[Effect] = [StoreVerdict(verdict, basis)]
        if verdict.decision == "defer":
            docket.deferred[intent.id] = Waiting.on(intent, verdict, desk.world(moment), settled)
        elif verdict.decision == "allow" and not intent.preview and verdict.plan:
            pursuit = docket.active[intent.id] = Pursuit(intent, intake, verdict, settled=set(settled))
            desk.holds.add(verdict, intake.changes, moment.monotonic_s)
            effects += map(SendOperation, pursuit.release(moment))
        if verdict.decision == "deny" and not intent.preview and self.undoing.is_due(intent, verdict):
            effects += self.undoing.begin(intent, moment)  # what earlier revisions did
        elif intent.id not in docket.active:
            effects += self.overtake(verdict, {desk.site: self._stands(intent, verdict, settled)}, moment)
        return effects

    def _stands(self, intent: Intent, verdict: Verdict, settled: Set[ResourceId]) -> Mapping[ResourceId, Action]:
        """What an intent declares of which nothing is under way: all of it is so already, or only this was done."""
        if intent.preview or intent.verb == "read":
            return {}
        if verdict.decision == "defer" and intent.on_failure == "undo":
            return {}
        whole = verdict.targets if verdict.decision == "allow" else ()
        return dict.fromkeys((*settled, *whole), intent.verb)

    # ── waiting and waking ──────────────────────────────────────────────────────────────────────────────────────────

    def wake(self, waiting: Waiting, moment: Moment) -> list[Effect]:
        """Its world has changed, or its time is over."""
        if waiting.id not in self.desk.docket.deferred or waiting.id in self.desk.docket.asked:
            return []
        intent, _, settled = waiting.whole()
        if self.desk.docket.overtaking(waiting) is not None:  # the API server is not asked what may never be done
            return self._decide(intent, self.desk.take_in(intent, moment).without(settled), settled, moment)
        return self.consider(intent, settled, moment)

    def deny(self, waiting: Waiting, problems: list[Problem], moment: Moment) -> list[Effect]:
        """It is given up, or overtaken: an answer that comes now is for nobody."""
        self.desk.docket.asked.pop(waiting.id, None)
        intent, _, settled = waiting.whole()
        if waiting.stamp is None or self.is_asked(waiting.id):
            return self.deny_shared(intent, problems, moment)
        intake = self.desk.take_in(intent, moment).but(problems).without(settled)
        return self._decide(intent, intake, settled, moment)

    # ── being done ──────────────────────────────────────────────────────────────────────────────────────────────────

    def go_on(self, pursuit: Pursuit, moment: Moment) -> list[Effect]:
        """The next operations; or, when nothing is under way any more, the end or another decision."""
        effects: list[Effect] = [SendOperation(operation) for operation in pursuit.release(moment)]
        if not pursuit.over:
            return effects
        intent = pursuit.intent
        del self.desk.docket.active[intent.id]
        if pursuit.conflicted and pursuit.may_decide_again:
            return self.consider(intent, frozenset(pursuit.settled), moment)
        self.desk.holds.drop(intent.id)
        effects += map(StoreOutcome, pursuit.ends("another step did not do what was allowed", moment))
        if not has_failed(pursuit) or not self.undoing.is_due(intent, pursuit.verdict):
            self.desk.deeds.forget(intent.id)
            return [*effects, *self.overtake(pursuit.verdict, {self.desk.site: pursuit.declared}, moment)]
        return [*effects, *self.undoing.begin(intent, moment)]

    def overtake(
        self, by: Verdict, declared: Mapping[SiteName, Mapping[ResourceId, Action]], moment: Moment, age: int = 0
    ) -> list[Effect]:
        """What waits since before this was first decided would write over what it declares: that is denied (D512).

        declared   at which sites     age   of an intent of several sites: the stamp that its replicas bear
        """
        about = {resource for here in declared.values() for resource in here}
        if not (about and self.desk.docket.deferred) or by.undoes is not None:
            return []
        effects = list[Effect]()
        for waiting in self.desk.docket.before(max(age, by.first_stamp), about):
            problems = [
                overtaken(one, by.intent, is_gone=action == "delete")
                for one, action in self._of_both(waiting, declared, moment).items()
                if (action, waiting.intent.verb) != GONE_BOTH
            ]
            if problems:
                effects += self.deny(waiting, problems, moment)
        return effects

    def _of_both(
        self, waiting: Waiting, declared: Mapping[SiteName, Mapping[ResourceId, Action]], moment: Moment
    ) -> Mapping[ResourceId, Action]:
        """What was declared, of what waits to be changed at the same site."""
        writes: Mapping[SiteName, Collection[ResourceId]] = {self.desk.site: waiting.writes}
        if waiting.stamp is None:
            writes = self.writes_at(waiting.intent, moment)
        return {one: here[one] for name, here in declared.items() for one in writes.get(name, ()) if one in here}

    def overtake_late(self, ended: Sequence[Unfinished], moment: Moment) -> list[Effect]:
        """After a crash: what has ended meanwhile, or as the last process was killed, was perhaps told to nobody."""
        effects = list[Effect]()
        for one in ended:
            is_alone = all(claim.site == self.desk.site for claim in one.verdict.evidence)
            here = {self.desk.site: one.pursuit(Intake((), (), {})).declared} if is_alone else written(one.outcomes)
            effects += self.overtake(one.verdict, here, moment)
        return effects

    def lay(self, unseen: Sequence[Unfinished], moment: Moment) -> None:
        """After a crash: what was done and may not be seen yet lies over the site until it is."""
        self.desk.holds.resume()
        for one in unseen:
            undoes = one.verdict.undoes is not None
            intake = way_back(self.desk, one.verdict) if undoes else self.desk.take_in(one.intent, moment)
            self.desk.holds.add(one.verdict, intake.changes, moment.monotonic_s)
            for outcome in one.outcomes:
                self.desk.holds.report(outcome, moment.monotonic_s)

    def resume(self, unfinished: Sequence[Unfinished], moment: Moment) -> list[Effect]:
        """After a crash: what was under way is laid over the site before anything is decided."""
        pursuits = []
        for one in unfinished:
            if one.verdict.decision == "defer":
                self.desk.docket.deferred[one.intent.id] = Waiting.on(one.intent, one.verdict, NEVER, one.settled)
                continue
            if one.verdict.undoes is not None:
                intake, intent = way_back(self.desk, one.verdict), lasting(one.intent, moment)
            else:
                intake, intent = self.desk.take_in(one.intent, moment), one.intent
            pursuit = self.desk.docket.active[intent.id] = replace(one, intent=intent).pursuit(intake)
            self.desk.holds.add(one.verdict, intake.changes, moment.monotonic_s)
            for outcome in one.outcomes:
                self.desk.holds.report(outcome, moment.monotonic_s)
            pursuits.append(pursuit)
        self.desk.holds.settle(self.desk.graph)
        effects: list[Effect] = []
        for pursuit in pursuits:
            effects += [*map(SendOperation, pursuit.resume(moment)), *self.go_on(pursuit, moment)]
        return effects
