"""Signal → effects: the whole resolver of one site as one synchronous, deterministic step. Pure.

    batch, heartbeat ──▶ evidence, graph ──▶ holds end, deferred intents wake, alerts
    intent ──▶ take in ──▶ (rehearse) ──▶ judge ──▶ hold ──▶ StoreVerdict, SendOperation …
    outcome ──▶ pursuit ──▶ next SendOperation, or judge again

Time and identity come in with the signals; nothing here reads a clock, logs, or waits.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from schemas.alerts import Alert
from schemas.envelope import MessageError
from schemas.events import batch_hash
from schemas.identity import SiteName
from schemas.intents import INTENT_ID, Intent
from schemas.kinds import Surface
from schemas.outcomes import Outcome
from schemas.rehearsals import Rehearsal, RehearsalAnswer
from schemas.relations.carried import Rulebook
from schemas.relations.loader import Catalogue
from schemas.verdicts import Verdict
from services.resolver.across.together import Together
from services.resolver.alone import NOTHING, Alone
from services.resolver.desk import Desk
from services.resolver.drift import Drifts
from services.resolver.evidence import SiteEvidence
from services.resolver.graph.store import Graph
from services.resolver.graph.view import View
from services.resolver.hearing import Elsewhere, Hearing
from services.resolver.holds import Holds
from services.resolver.intake import Intake, given_up
from services.resolver.judge.policy import Policy
from services.resolver.neighbours import Neighbours
from services.resolver.pursuit import latest
from services.resolver.recovery import Unfinished, overtaking, unfinished, unseen
from services.resolver.ruling import Ruling
from services.resolver.shares import Shares
from services.resolver.signals import (
    BatchSeen,
    BeatSeen,
    CancelSeen,
    Effect,
    IntentSeen,
    Moment,
    OutcomeSeen,
    PeerBeat,
    PeerSeen,
    PeersFound,
    PreviewSeen,
    Rehearsed,
    RepeatVerdict,
    ResyncAnswered,
    Signal,
    StoreVerdict,
    Supplied,
    SweepOn,
)
from services.resolver.uncollected import Uncollected
from services.resolver.undoing import Undoing
from services.resolver.vigil import Vigil


class Machine:
    """One site's resolver, without its input and output."""

    def __init__(
        self,
        site: SiteName,
        catalogue: Catalogue,
        policy: Policy,
        decided_by: str,
        peers: Iterable[SiteName] = (),
        book: Rulebook | None = None,
    ) -> None:
        self.site, self.graph = site, Graph(site)
        self.evidence, self.holds = SiteEvidence(site), Holds()
        self._hearing = Hearing(self.evidence, catalogue, policy, decided_by)
        near, drifts = Neighbours({one for one in peers if one != site}), Drifts(site, self.holds)
        ruling, shares = Ruling(site, book), Shares(site, self.holds.holds, near.reachable, near.age_s, near.gone)
        self.desk = Desk(site, self.graph, self.evidence, self._hearing, near, self.holds, drifts, ruling)
        self.docket = self.desk.docket
        self.undoing = Undoing(self.desk)
        self.vigil = Vigil(site, drifts, shares, ruling, near.gone)
        self.together = Together(self.desk, self._hearing.divides, self.undoing, self.vigil.returning)
        many = self.together.coordinator
        concerns, take_over, is_asked = many.reading.concerns, self.together.take_over, self.together.undecided
        self.alone = Alone(self.desk, self.undoing, concerns, take_over, is_asked, many.deny, many.reading.writes_at)
        self.together.back.overtake = self.alone.overtake
        self._recovering, self._unseen, self._ended = list[Unfinished](), list[Unfinished](), list[Unfinished]()
        self._early, self._was_synced = list[Outcome](), False

    def step(self, signal: Signal, moment: Moment) -> list[Effect]:
        """Take one signal in; the effects are carried out in order. Raises MessageError for a batch that is none."""
        with Uncollected():
            effects = self.desk.drifts.heed(self.together.settle(self._step(signal, moment), moment))
            return self.vigil.reminders.heed(effects, moment)

    def _step(self, signal: Signal, moment: Moment) -> list[Effect]:
        match signal:
            case BatchSeen():
                return self._batch(signal.payload, moment)
            case BeatSeen():
                self.evidence.beat(signal.heartbeat, moment.monotonic_s)
                return self._after_news(moment)
            case IntentSeen():
                return self._intent(signal.intent, moment)
            case PreviewSeen():
                return self.together.coordinator.begin(signal.intent, moment)
            case Rehearsed():
                return self._rehearsed(signal.intent, signal.answer, moment)
            case OutcomeSeen():
                return self._outcome(signal.outcome, moment)
            case ResyncAnswered():
                return self._resynced(signal, moment)
            case CancelSeen():
                return self._cancel(signal, moment)
            case PeersFound():
                return self._found(signal, moment)
            case SweepOn():
                return self._sweep(moment)
            case PeerSeen() | PeerBeat() | Supplied():
                return [*self.together.step(signal, moment), *self._wake(moment)]
            case _:
                self.holds.expire(moment.monotonic_s)
                return [*self._repeat(moment), *self.together.tick(moment), *self._after_news(moment)]

    def view(self, own: str = "") -> View:
        """The site under everything that was allowed and is not visible yet; `own`: the intent that asks."""
        return self.desk.view(own)

    # ── knowledge ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _batch(self, payload: bytes, moment: Moment) -> list[Effect]:
        batch = self.graph.read(payload)
        if batch.site != self.site:  # whoever may publish for one site must not speak for another
            raise MessageError(f"site: {batch.site[:80]!r} (expected {self.site!r})")
        accepted = self.evidence.advance(batch, batch_hash(payload))
        told = 0  # what is in flight hears of an event after it was looked at, as if they came one by one
        for place, changes in self.graph.take(batch, accepted.events):
            self.holds.observe(accepted.events[told:place])
            told, event, seq = place, accepted.events[place], accepted.first_seq + place
            if event.op not in ("put", "delete"):
                self.evidence.mark(event.op, event.kind, seq)
                self.holds.listed(event.kind, event.resource_version, self.graph)
            if event.op == "surface":
                self.desk.serve(Surface(event.surface), event.read_by)
            for changed in changes:
                self.vigil.look(changed, f"{event.op} {self.evidence.epoch}:{seq}", moment.monotonic_s)
        self.holds.observe(accepted.events[told:])
        self.evidence.settle()
        return self._after_news(moment)

    def _sweep(self, moment: Moment) -> list[Effect]:
        for changed in self.graph.sweep():
            self.vigil.look(changed, f"sync_end {self.evidence.epoch}:{self.evidence.seq}", moment.monotonic_s)
        self.holds.settle(self.graph)
        return self._after_news(moment)

    def _resynced(self, signal: ResyncAnswered, moment: Moment) -> list[Effect]:
        if signal.answer is not None:
            self.evidence.answered(signal.answer.epoch, signal.answer.seq, moment.monotonic_s)
        return self._after_news(moment)

    def _after_news(self, moment: Moment) -> list[Effect]:
        self.evidence.swept = self.graph.listings.swept
        effects = self.desk.doubts(moment)
        if self.evidence.synced and not self._was_synced:
            effects += self._resume(moment)
        return [*effects, *self._wake(moment), *self.vigil.effects(self.graph, self.evidence, moment)]

    # ── intents ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def preview(
        self, intent: Intent, moment: Moment, intake: Intake | None = None, elsewhere: Elsewhere | None = None
    ) -> Verdict:
        """What the verdict would be; nothing is held, stored or sent. `intake`: it was taken in before."""
        intake = self.take_in(intent, moment) if intake is None else intake
        case = self._hearing.case(intent, intake, 1, moment, elsewhere)
        return self._hearing.judge(case, self.view(), moment)

    def take_in(self, intent: Intent, moment: Moment) -> Intake:
        """A question made concrete: what the API server may be asked about it before it is judged."""
        return self._hearing.take_in(intent, moment)

    def rehearsal(self, intake: Intake) -> Rehearsal | None:
        """What the executor should be asked; None when there is nothing to try."""
        return self._hearing.rehearsal(intake)

    def malformed(self, intent_id: str, reason: str, moment: Moment) -> Verdict | None:
        """D010 for a body that is no intent, under the name in its subject; None when that name is taken or no name."""
        if self.docket.known(intent_id) is not None or not INTENT_ID.fullmatch(intent_id):
            return None
        verdict = self._hearing.judge(self._hearing.malformed(intent_id, reason, moment), self.view(), moment)
        self.docket.record(verdict)
        return verdict

    def _intent(self, intent: Intent, moment: Moment) -> list[Effect]:
        if self.docket.known(intent.id) is not None:
            self.docket.repeats.ask(intent.id)
            return self._repeat(moment)
        if intent.entry is not None:
            verdict = self.malformed(intent.id, "entry: set by resolvers only (expected no such field)", moment)
            return [StoreVerdict(verdict)] if verdict is not None else []
        if self.undecided(intent.id):
            return []  # delivered again while others are being asked
        if effects := self.alone.at_once(intent, moment):
            return effects
        if self.together.coordinator.reading.concerns(intent):
            return self.together.coordinator.begin(intent, moment)
        return self.alone.consider(intent, NOTHING, moment)

    def undecided(self, intent_id: str) -> bool:
        """Somebody is being asked about it: the API server, or other sites."""
        return intent_id in self.docket.asked or self.together.undecided(intent_id)

    def _repeat(self, moment: Moment) -> list[Effect]:
        due = self.docket.repeats.due(moment.monotonic_s)
        return [RepeatVerdict(verdict) for verdict in map(self.docket.known, due) if verdict is not None]

    def _rehearsed(self, intent_id: str, answer: RehearsalAnswer | None, moment: Moment) -> list[Effect]:
        asked = self.docket.asked.pop(intent_id, None)
        if asked is None:
            return self.together.participant.rehearsed(intent_id, answer, moment)
        return self.alone.rehearsed(asked, answer, moment)

    def _found(self, signal: PeersFound, moment: Moment) -> list[Effect]:
        asked = self.docket.asked.pop(signal.intent, None)
        if asked is None:
            return self.together.participant.found(signal.intent, signal.elsewhere, moment)
        if signal.elsewhere:  # other sites have it: they are asked what scope would do
            return self.together.take_over(asked, moment)
        return self.alone.found(asked, signal.elsewhere, moment)

    # ── waiting and waking ──────────────────────────────────────────────────────────────────────────────────────────

    def _wake(self, moment: Moment) -> list[Effect]:
        effects = [*self.together.participant.look_again(moment), *self.undoing.look_again(moment)]
        if not self.docket.deferred:
            return effects
        for waiting in self.docket.due(self.desk.world(moment), moment.wall):
            if waiting.stamp is None:
                effects += self.together.coordinator.waking.wake(waiting.id, moment)
            elif not self.undecided(waiting.id):
                effects += self.alone.wake(waiting, moment)
        return effects

    def _cancel(self, signal: CancelSeen, moment: Moment) -> list[Effect]:
        waiting = self.docket.deferred.get(signal.intent)
        return [] if waiting is None else self.alone.deny(waiting, [given_up(signal.requester)], moment)

    # ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _outcome(self, outcome: Outcome, moment: Moment) -> list[Effect]:
        if not self._was_synced:
            self._early.append(outcome)
            return []
        pursuit = self.docket.active.get(outcome.intent)
        if pursuit is None or not pursuit.note(outcome):
            return []
        self.desk.deeds.note(outcome, pursuit.verdict)
        self.holds.report(outcome, moment.monotonic_s)
        self.holds.look_at(outcome.resource, self.graph)
        if self.together.participant.engagements.find(outcome.intent) is not None:
            return [*self.together.participant.doing.outcome(outcome, moment), *self._wake(moment)]
        return [*self.alone.go_on(pursuit, moment), *self._wake(moment)]

    # ── after a crash ───────────────────────────────────────────────────────────────────────────────────────────────

    def recover(
        self,
        verdicts: Sequence[Verdict],
        outcomes: Sequence[Outcome],
        intents: Mapping[str, Intent],
        alerts: Sequence[Alert],
        recent: Container[str] = (),
    ) -> None:
        """What the streams remember. Intents go on once the site is known; of `recent`, what was done may be unseen."""
        self._unseen = list(unseen(self.site, verdicts, outcomes, intents, recent))
        self.vigil.recover(alerts)
        self.docket.remember(verdicts)
        self._recovering, self._ended = (list(find(verdicts, outcomes, intents)) for find in (unfinished, overtaking))
        self.holds.recover(self.site, verdicts, outcomes, [one.verdict for one in self._recovering])
        self.undoing.recover(verdicts, outcomes, intents)
        self.together.remember(latest(verdicts), outcomes, intents, {one.intent.id for one in self._recovering})

    def _resume(self, moment: Moment) -> list[Effect]:
        """The site is known again: go on with what was under way."""
        self._was_synced = True
        (recovering, self._recovering), (early, self._early) = (self._recovering, []), (self._early, [])
        ended, self._ended = self._ended, []
        self.alone.lay(self._unseen, moment)
        shared = {one.intent.id for one in recovering if self.together.concerns(one.intent, one.verdict)}
        effects = self.alone.resume([one for one in recovering if one.intent.id not in shared], moment)
        for one in (one for one in recovering if one.intent.id in shared):
            effects += self.together.resume(one, moment)
        effects += [*self.together.tell_ended(moment), *self.alone.overtake_late(ended, moment)]
        return effects + [effect for outcome in early for effect in self._outcome(outcome, moment)]
