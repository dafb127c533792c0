"""Signal → effects: the whole resolver of one site as one synchronous, deterministic step. Pure.

    batch, heartbeat ──▶ evidence, graph ──▶ holds end, deferred intents wake, alerts
    intent ──▶ take in ──▶ (rehearse) ──▶ judge ──▶ hold ──▶ StoreVerdict, SendOperation …
    outcome ──▶ pursuit ──▶ next SendOperation, or judge again

Time and identity come in with the signals; nothing here reads a clock, logs, or waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from schemas.alerts import Alert
from schemas.envelope import MessageError
from schemas.events import ResourceEvent, batch_hash, decode_batch
from schemas.identity import SiteName
from schemas.intents import BOUND_DEFAULT_S, INTENT_ID, Intent
from schemas.kinds import Surface
from schemas.outcomes import Outcome
from schemas.queries import Rehearsal, RehearsalAnswer, ResyncRequest
from schemas.relations.extract import Extractor
from schemas.relations.loader import Catalogue
from schemas.verdicts import Verdict
from services.resolver.basis import basis_of
from services.resolver.docket import Asked, Docket, Stamp, Waiting
from services.resolver.evidence import SiteEvidence
from services.resolver.graph.store import Graph
from services.resolver.graph.view import View
from services.resolver.holds import Holds
from services.resolver.intake import Intake, take_in
from services.resolver.judge.case import Case, Problem
from services.resolver.judge.decide import decide
from services.resolver.judge.policy import Policy
from services.resolver.pursuit import Pursuit, latest
from services.resolver.signals import (
    AskRehearsal,
    AskResync,
    BatchSeen,
    BeatSeen,
    CancelSeen,
    Effect,
    IntentSeen,
    Moment,
    OutcomeSeen,
    Rehearsed,
    RepeatVerdict,
    ResyncAnswered,
    SendAlert,
    SendOperation,
    Signal,
    StoreVerdict,
)
from services.resolver.vigil import Vigil

BOUND_FOR_WAKING_S = 10.0  # deferred intents are looked at again when this freshness comes or goes


class Machine:
    """One site's resolver, without its input and output."""

    def __init__(self, site: SiteName, catalogue: Catalogue, policy: Policy, decided_by: str) -> None:
        self.site = site
        self.graph = Graph(site)
        self.evidence = SiteEvidence(site)
        self.holds = Holds()
        self.docket = Docket()
        self.vigil = Vigil(site)
        self._catalogue = catalogue
        self._policy = policy
        self._decided_by = decided_by
        self._extractor = Extractor(catalogue, Surface())
        self._recovering: list[tuple[Intent, Verdict, list[Outcome]]] = []
        self._early: list[Outcome] = []
        self._was_synced = False

    # ── the one door ────────────────────────────────────────────────────────────────────────────────────────────────

    def step(self, signal: Signal, moment: Moment) -> list[Effect]:
        """Take one signal in; the effects are carried out in order. Raises MessageError for a batch that is none."""
        match signal:
            case BatchSeen():
                return self._batch(signal.payload, moment)
            case BeatSeen():
                self.evidence.beat(signal.heartbeat, moment.monotonic_s)
                return self._after_news(moment)
            case IntentSeen():
                return self._intent(signal.intent, moment)
            case Rehearsed():
                return self._rehearsed(signal.intent, signal.answer, moment)
            case OutcomeSeen():
                return self._outcome(signal.outcome, moment)
            case ResyncAnswered():
                if signal.answer is not None:
                    self.evidence.answered(signal.answer.epoch, signal.answer.seq, moment.monotonic_s)
                return self._after_news(moment)
            case CancelSeen():
                return self._cancel(signal, moment)
            case _:
                self.holds.expire(moment.monotonic_s)
                return self._after_news(moment)

    def view(self) -> View:
        """The site as it will be once everything that was allowed has happened."""
        return self.holds.view(self.graph)

    # ── knowledge ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _batch(self, payload: bytes, moment: Moment) -> list[Effect]:
        batch = decode_batch(payload)
        if batch.site != self.site:  # whoever may publish for one site must not speak for another
            raise MessageError(f"site: {batch.site[:80]!r} (expected {self.site!r})")
        accepted = self.evidence.advance(batch, batch_hash(payload))
        for place, event in enumerate(accepted.events):
            self._apply(event, accepted.first_seq + place, moment)
        self.evidence.settle()
        return self._after_news(moment)

    def _apply(self, event: ResourceEvent, seq: int, moment: Moment) -> None:
        changes = self.graph.apply(event)
        if event.op not in ("put", "delete"):
            self.evidence.mark(event, seq)
            if event.op == "surface":
                self.evidence.surface = Surface(event.surface)
                self._extractor = Extractor(self._catalogue, self.evidence.surface)
        if self.holds.any:
            self.holds.observe(event)
        for changed in changes:
            if changed.may_take_away:
                cause = f"{event.op} {self.evidence.epoch}:{seq}"
                self.vigil.observe(changed.old, changed.new, cause, moment.monotonic_s)

    def _after_news(self, moment: Moment) -> list[Effect]:
        effects: list[Effect] = []
        reason = self.evidence.wants_resync(moment.monotonic_s)
        if reason and self.evidence.heard_at_s is not None:
            self.evidence.asked(moment.monotonic_s)
            effects.append(AskResync(self._resync_request(reason)))
        if self.evidence.synced and not self._was_synced:
            effects += self._resume(moment)
        self._was_synced = self._was_synced or self.evidence.synced
        effects += self._wake(moment)
        effects += map(SendAlert, self.vigil.due(self.graph, self.evidence, moment))
        return effects

    def _resync_request(self, reason: str) -> ResyncRequest:
        kinds = {kind: self.graph.digest(kind) for kind in self.graph.kinds()}
        return ResyncRequest(site=self.site, reason=reason, epoch_seen=self.evidence.epoch, kinds=kinds)

    # ── intents ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def preview(self, intent: Intent, moment: Moment, answer: RehearsalAnswer | None = None) -> Verdict:
        """What the verdict would be; nothing is held, stored or sent."""
        intake = self._take_in(intent, moment)
        if answer is not None:
            intake = intake.rehearsed(answer)
        return self._judge(self._case(intent, intake, 1, moment), moment)

    def rehearsal(self, intent: Intent, moment: Moment) -> Rehearsal | None:
        """What the executor should be asked before this intent is judged; None when there is nothing to try."""
        return self._rehearsal_of(self._take_in(intent, moment))

    def malformed(self, intent_id: str, reason: str, moment: Moment) -> Verdict | None:
        """D010 for a body that is no intent, under the name in its subject; None when that name is taken or no name."""
        if self.docket.known(intent_id) is not None or not INTENT_ID.fullmatch(intent_id):
            return None
        case = Case(
            intent=intent_id,
            verb="read",
            site=self.site,
            changes=(),
            evidence=self.evidence.claim(BOUND_DEFAULT_S, moment.monotonic_s),
            expires_at=moment.wall,
            bound_s=BOUND_DEFAULT_S,
            problems=(Problem("D010", reason),),
            decided_by=self._decided_by,
        )
        verdict = decide(case, self.view(), self._policy, moment.wall)
        self.docket.record(verdict)
        return verdict

    def _intent(self, intent: Intent, moment: Moment) -> list[Effect]:
        known = self.docket.known(intent.id)
        if known is not None:
            return [RepeatVerdict(known)]
        if intent.id in self.docket.asked:
            return []  # delivered again while the API server is being asked
        return self._consider(intent, self._take_in(intent, moment), 1, moment)

    def _consider(
        self, intent: Intent, intake: Intake, revision: int, moment: Moment, pursuit: Pursuit | None = None
    ) -> list[Effect]:
        rehearsal = None if self.docket.full else self._rehearsal_of(intake)
        if rehearsal is None:
            return self._decide(intent, intake, revision, moment, pursuit)
        self.docket.asked[intent.id] = Asked(intent, intake, revision, pursuit)
        return [AskRehearsal(intent.id, rehearsal)]

    def _rehearsed(self, intent_id: str, answer: RehearsalAnswer | None, moment: Moment) -> list[Effect]:
        asked = self.docket.asked.pop(intent_id, None)
        if asked is None:
            return []
        intake = asked.intake if answer is None else asked.intake.rehearsed(answer)
        return self._decide(asked.intent, intake, asked.revision, moment, asked.pursuit)

    def _decide(
        self, intent: Intent, intake: Intake, revision: int, moment: Moment, pursuit: Pursuit | None = None
    ) -> list[Effect]:
        case = self._case(intent, intake, revision, moment)
        verdict = self._judge(case, moment)
        waiting = self.docket.deferred.get(intent.id)
        if waiting and verdict.decision == "defer" and _same_wait(waiting.verdict, verdict):
            self.docket.deferred[intent.id] = replace(waiting, stamp=self._stamp(moment))
            return []
        self.docket.record(verdict)
        effects: list[Effect] = [StoreVerdict(verdict, basis_of(case, self.holds))]
        if verdict.decision == "defer":
            self.docket.deferred[intent.id] = Waiting(intent, verdict, self._stamp(moment))
        elif verdict.decision == "allow" and not intent.preview:
            settled = pursuit.settled if pursuit else set()
            effects += self._pursue(Pursuit(intent, intake, verdict, settled=settled), moment)
        return effects

    def _pursue(self, pursuit: Pursuit, moment: Moment) -> list[Effect]:
        if not pursuit.verdict.plan:
            return []
        self.docket.active[pursuit.intent.id] = pursuit
        self.holds.add(pursuit.verdict, pursuit.intake.changes, moment.monotonic_s)
        return [SendOperation(operation) for operation in pursuit.release(moment)]

    def _judge(self, case: Case, moment: Moment) -> Verdict:
        return decide(case, self.view(), self._policy, moment.wall, self._catalogue.sources_of)

    def _case(self, intent: Intent, intake: Intake, revision: int, moment: Moment) -> Case:
        return Case(
            intent=intent.id,
            verb=intent.verb,
            site=self.site,
            changes=intake.changes,
            evidence=self.evidence.claim(intent.bound_s, moment.monotonic_s),
            expires_at=intent.expires_at,
            bound_s=intent.bound_s,
            cascade=intent.cascade,
            overrides=intent.overrides,
            problems=intake.problems,
            preview=intent.preview,
            revision=revision,
            decided_by=self._decided_by,
        )

    def _take_in(self, intent: Intent, moment: Moment) -> Intake:
        intake = take_in(intent, self.site, self.evidence.surface, self._extractor, moment.wall)
        if intent.overrides and not self._policy.may_override(intent.requester):
            refusal = Problem("D011", f"{intent.requester or 'an unnamed requester'} may not override a denial")
            intake = replace(intake, problems=(*intake.problems, refusal))
        if self.evidence.synced or not any(problem.code == "D001" for problem in intake.problems):
            return intake
        # A kind that was not seen yet is not known to be absent.
        problems = tuple(
            Problem("F502", f"{self.site}: its kinds are not known yet") if problem.code == "D001" else problem
            for problem in intake.problems
        )
        return replace(intake, problems=problems)

    def _rehearsal_of(self, intake: Intake) -> Rehearsal | None:
        changes = intake.rehearsable
        return Rehearsal(site=self.site, changes=changes) if changes else None

    # ── waiting and waking ──────────────────────────────────────────────────────────────────────────────────────────

    def _stamp(self, moment: Moment) -> Stamp:
        claim = self.evidence.claim(BOUND_FOR_WAKING_S, moment.monotonic_s)
        return claim.fresh, claim.blind, self.holds.generation

    def _wake(self, moment: Moment) -> list[Effect]:
        if not self.docket.deferred:
            return []
        expired = [one for one in self.docket.deferred.values() if one.intent.expires_at <= moment.wall]
        effects: list[Effect] = []
        for waiting in [*expired, *self.docket.due(self._stamp(moment))]:
            intent = waiting.intent
            if intent.id in self.docket.deferred and intent.id not in self.docket.asked:
                effects += self._consider(
                    intent, self._take_in(intent, moment), self.docket.revision(intent.id), moment
                )
        return effects

    def _cancel(self, signal: CancelSeen, moment: Moment) -> list[Effect]:
        waiting = self.docket.deferred.get(signal.intent)
        if waiting is None:
            return []
        self.docket.asked.pop(signal.intent, None)  # an answer that comes now is for nobody
        intake = self._take_in(waiting.intent, moment)
        given_up = Problem("D012", f"given up by {signal.requester or 'somebody'}")
        intake = replace(intake, problems=(*intake.problems, given_up))
        return self._decide(waiting.intent, intake, self.docket.revision(signal.intent), moment)

    # ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _outcome(self, outcome: Outcome, moment: Moment) -> list[Effect]:
        if not self._was_synced:
            self._early.append(outcome)
            return []
        pursuit = self.docket.active.get(outcome.intent)
        if pursuit is None or not pursuit.note(outcome):
            return []
        self.holds.report(outcome, moment.monotonic_s)
        self.holds.settle(self.graph)
        if pursuit.conflicted and pursuit.may_decide_again:
            del self.docket.active[outcome.intent]
            self.holds.drop(outcome.intent)
            revision = self.docket.revision(outcome.intent)
            return self._consider(pursuit.intent, pursuit.remaining(), revision, moment, pursuit)
        effects: list[Effect] = [SendOperation(operation) for operation in pursuit.release(moment)]
        if pursuit.over:
            del self.docket.active[outcome.intent]
            unsent = (step.resource for step in pursuit.verdict.plan if step.id not in pursuit.sent)
            self.holds.drop(outcome.intent, unsent)
            effects += self._wake(moment)
        return effects

    # ── after a crash ───────────────────────────────────────────────────────────────────────────────────────────────

    def recover(
        self,
        verdicts: Sequence[Verdict],
        outcomes: Sequence[Outcome],
        intents: Mapping[str, Intent],
        alerts: Sequence[Alert],
    ) -> None:
        """What the streams remember. Unfinished intents go on once the site is known again."""
        self.vigil.recover(alerts)
        for intent_id, verdict in latest(verdicts).items():
            self.docket.record(verdict)
            intent = intents.get(intent_id)
            if intent is not None and verdict.decision != "deny" and not verdict.preview:
                mine = [outcome for outcome in outcomes if outcome.intent == intent_id]
                self._recovering.append((intent, verdict, mine))

    def _resume(self, moment: Moment) -> list[Effect]:
        effects: list[Effect] = []
        for intent, verdict, outcomes in self._recovering:
            if verdict.decision == "defer":
                self.docket.deferred[intent.id] = Waiting(intent, verdict, (False, (), -1))
                continue
            effects += self._resume_pursuit(intent, verdict, outcomes, moment)
        self._recovering.clear()
        early, self._early = self._early, []
        self._was_synced = True
        for outcome in early:
            effects += self._outcome(outcome, moment)
        return effects

    def _resume_pursuit(
        self, intent: Intent, verdict: Verdict, outcomes: Sequence[Outcome], moment: Moment
    ) -> list[Effect]:
        pursuit = Pursuit(intent, self._take_in(intent, moment), verdict)
        for outcome in outcomes:
            if outcome.state in ("ready", "done"):
                pursuit.settled.add(outcome.resource)
            pursuit.note(outcome)
        operations = pursuit.resume(moment)
        if pursuit.over and not operations:
            return []
        self.docket.active[intent.id] = pursuit
        self.holds.add(verdict, pursuit.intake.changes, moment.monotonic_s)
        return [SendOperation(operation) for operation in operations]


def _same_wait(before: Verdict, now: Verdict) -> bool:
    """Nothing new to say: the same findings about the same resources, waiting for the same."""
    return before.waits_for == now.waits_for and [(one.code, one.resource) for one in before.reasons] == [
        (one.code, one.resource) for one in now.reasons
    ]
