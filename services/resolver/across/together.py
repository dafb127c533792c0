"""Both roles of one site, and the way between them: what a site tells itself is heard in the same step. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta

from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.peers import Answer, Ask, Decide, GiveWay, PeerMessage, Refuse, Report, Tell, Wake
from schemas.verdicts import Verdict
from services.resolver.across.coordinator import Coordinator
from services.resolver.across.following import NUDGE_S
from services.resolver.across.participant import Participant
from services.resolver.across.splitting import Divides
from services.resolver.across.undoing import WayBack
from services.resolver.desk import Desk
from services.resolver.docket import Asked, Waiting
from services.resolver.pursuit import GOOD
from services.resolver.recovery import Unfinished
from services.resolver.returning import Returning
from services.resolver.signals import Effect, Moment, PeerBeat, PeerSeen, SendPeer, Supplied
from services.resolver.undoing import Undoing


class Together:
    """What one resolver does with others."""

    def __init__(self, desk: Desk, divides: Divides, undoing: Undoing, returning: Returning) -> None:
        self.neighbours, self._returning = desk.neighbours, returning
        self.coordinator = Coordinator(desk, divides, undoing)
        self.participant = Participant(desk, self.coordinator.finishing.wanted)
        following, doing, reading = self.coordinator.following, self.participant.doing, self.coordinator.reading
        self.back = WayBack(desk, undoing, following, doing, reading.concerns, reading.named_in)
        self.back.close = self.coordinator.backlog.close
        undoing.across = self.back
        originals = desk.drifts.originals
        originals.is_near, originals.gone = desk.neighbours.reachable, desk.neighbours.gone
        originals.is_confidential = desk.hearing.is_confidential
        originals.is_waiting = desk.docket.deferred.__contains__
        self._site = desk.site
        self._docket = desk.docket
        self._ended: dict[str, datetime] = {}  # parts that were over at the start, and when

    def concerns(self, intent: Intent, verdict: Verdict) -> bool:
        """Whether an intent, or what this site does of it, was decided with others.

        What tied it to them may be gone with what it has done: then the verdict still names them.
        """
        others = any(claim.site != self._site for claim in verdict.evidence)
        return intent.entry is not None or others or self.coordinator.reading.concerns(intent)

    def undecided(self, intent_id: str) -> bool:
        """Other sites are being asked about it."""
        return intent_id in self.coordinator.rounds

    def take_over(self, asked: Asked, moment: Moment) -> list[Effect]:
        """What this site would decide alone, if it did not lack what others have; what it has done of it stays done."""
        if asked.settled:
            self.participant.engagements.done_before[asked.intent.id] = {*asked.settled}
        return self.coordinator.begin(asked.intent, moment)

    def hear(self, message: PeerMessage, moment: Moment) -> list[Effect]:
        """Another resolver says something."""
        match message:
            case Ask():
                self.coordinator.clock.hear(max(message.age, message.round), moment.wall)  # replicas bear the round's
                return self.participant.ask(message, moment)
            case Decide() if message.undoes is not None:
                return self.back.decide(message, moment)
            case Decide():
                return self.participant.decide(message, moment)
            case Answer():
                return self.coordinator.answered(message, moment)
            case GiveWay():
                return self.coordinator.give_way(message, moment)
            case Wake():
                return self.coordinator.waking.woken(message, moment)
            case Refuse():
                return self.coordinator.refused(message, moment)
            case Report():
                return self.coordinator.reported(message, moment)
            case Tell():
                return self.participant.doing.heard(message, moment)
            case _:
                raise AssertionError(f"no such message: {message}")

    def step(self, signal: PeerSeen | PeerBeat | Supplied, moment: Moment) -> list[Effect]:
        """Another resolver says something, has answered a ping, or has given what was fetched."""
        if isinstance(signal, Supplied):
            return self.coordinator.supplied(signal, moment)
        sender = signal.message.sender if isinstance(signal, PeerSeen) else signal.site
        if sender in self._gone:
            self._returning.hear(sender, moment.monotonic_s)
            return []
        if isinstance(signal, PeerSeen):
            return self.hear(signal.message, moment)
        if not self.neighbours.hear(signal.site, moment.monotonic_s, signal.round_trip_s, signal.good_for_s):
            return []
        return self.coordinator.waking.came_back(signal.site, moment)

    @property
    def _gone(self) -> set[SiteName]:
        return self.neighbours.gone

    def tick(self, moment: Moment) -> list[Effect]:
        """Time has passed."""
        closed = self.coordinator.finishing.close_for_gone(moment)
        return [*self.participant.tick(moment), *self.back.look_again(moment), *self.coordinator.tick(moment), *closed]

    def settle(self, effects: Sequence[Effect], moment: Moment) -> list[Effect]:
        """The effects, then those of what this site tells itself: in the order in which they came about.

        Heard in its place, a word to itself would put a later revision before the one that is just being stored.
        """
        settled: list[Effect] = []
        left = deque(effects)
        while left:
            effect = left.popleft()
            if isinstance(effect, SendPeer) and effect.message.receiver == self._site:
                left += self.hear(effect.message, moment)
            elif isinstance(effect, SendPeer) and effect.message.receiver in self._gone:
                left += self._instead_of(effect.message, moment)
            else:
                settled.append(effect)
        return settled

    def _instead_of(self, message: PeerMessage, moment: Moment) -> list[Effect]:
        """Nothing is said to a site that is gone for good; what it should do it does not take, and nobody waits."""
        if not (isinstance(message, Decide) and message.commit):
            return []
        names = {"sender": message.receiver, "receiver": self._site, "intent": message.intent}
        reason = f"{message.receiver} is gone for good (CHEOPS_GONE)"
        return self.coordinator.refused(Refuse(what="decide", reason=reason, **names), moment)

    # ── after a crash ───────────────────────────────────────────────────────────────────────────────────────────────

    def remember(
        self,
        verdicts: Mapping[str, Verdict],
        outcomes: Sequence[Outcome],
        intents: Mapping[str, Intent],
        under_way: Container[str],
    ) -> None:
        """Parts that this site has committed to at some time."""
        by_intent: defaultdict[str, list[Outcome]] = defaultdict(list)
        for outcome in outcomes:
            by_intent[outcome.intent].append(outcome)
        for intent_id, intent in intents.items():
            verdict, mine = verdicts.get(intent_id), by_intent[intent_id]
            if intent.entry is not None and verdict is not None:
                is_over = intent_id not in under_way
                self.participant.doing.remember(intent, verdict, mine, is_over)
                if is_over and mine:
                    self._ended[intent_id] = max(one.at for one in mine)
            elif intent_id in under_way and verdict is not None and self.concerns(intent, verdict):
                done = {one.resource for one in mine if one.site == self._site and one.state in GOOD}
                self.participant.engagements.done_before[intent_id] = done
                is_earlier = verdict.decision == "defer"
                earlier = tuple(one for one in mine if is_earlier or one.revision < verdict.revision)
                self.coordinator.following.earlier[intent_id] = earlier
                self.coordinator.following.expected |= set() if is_earlier else {intent_id}
        self.coordinator.backlog.recover(verdicts, intents, by_intent)

    def tell_ended(self, moment: Moment) -> list[Effect]:
        """What ended while no resolver was here, or as the last one was killed, was perhaps told to nobody.

        Only what ended just now: of what is older the entry site has asked, and the letter waits to be read.
        """
        ended, self._ended = self._ended, {}
        since = moment.wall - timedelta(seconds=2 * NUDGE_S)
        found = [self.participant.engagements.find(intent_id) for intent_id, at in ended.items() if at >= since]
        return [self.participant.doing.report_all(one) for one in found if one is not None and one.state == "over"]

    def resume(self, one: Unfinished, moment: Moment) -> list[Effect]:
        """Go on with what several sites have committed to."""
        if one.intent.entry is None and one.verdict.decision == "defer":
            self._docket.deferred[one.intent.id] = Waiting.on(one.intent, one.verdict, None)
            return self.coordinator.waking.wake(one.intent.id, moment)
        if one.intent.entry is not None:
            return [*self.participant.doing.resume(one, moment), *self._without_entry(one, moment)]
        self.coordinator.following.expected.discard(one.intent.id)
        if one.verdict.undoes is not None:
            return self.back.resume(one, moment)
        if not self._gone.isdisjoint(claim.site for claim in one.verdict.evidence):
            # Those that are left say what they have done of it, and are asked anew.
            asked = self.coordinator.following.ask_what_was_done(one.verdict, one.outcomes)
            return [*asked, *self.coordinator.begin(one.intent, moment)]
        parts = self.coordinator.reading.parts_again(one.intent, one.verdict, moment)
        own = parts.get(self._site)
        if not self.coordinator.reading.is_known(one.verdict):
            return []  # a site that took part is not known any more: what is left of it is for people
        if own is None and any(step.site == self._site for step in one.verdict.plan):
            asked = self.coordinator.following.ask_what_was_done(one.verdict, one.outcomes)
            return [*asked, *self.coordinator.begin(one.intent, moment)]  # what was fetched is fetched again
        following = self.coordinator.following  # every site is told again, which repeats nothing
        told = following.commit(one.intent, one.verdict, parts, (0, 0), moment.monotonic_s)
        told += following.resume(one.intent.id, one.outcomes)
        return [*self.participant.doing.resume_own(one, own, moment), *told] if own is not None else told

    def _without_entry(self, one: Unfinished, moment: Moment) -> list[Effect]:
        """Nobody will say any more how far the others are: what has not begun does not begin."""
        entry = one.intent.entry
        if entry is None or entry not in self._gone:
            return []
        names = {"sender": entry, "receiver": self._site, "intent": one.intent.id}
        return self.participant.doing.heard(
            Tell(revision=one.verdict.revision, outcomes=(), stop=True, **names), moment
        )
