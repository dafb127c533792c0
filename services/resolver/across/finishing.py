"""The verdict on the whole of an intent of several sites: stored, then done, deferred, or taken back. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.ties import first_stamp
from schemas.verdicts import Verdict
from services.resolver.across.following import Following
from services.resolver.across.healing import as_healing
from services.resolver.across.pending import Backlog, without_gone
from services.resolver.across.retries import Retries
from services.resolver.across.round import Round
from services.resolver.across.wanted import Wanted
from services.resolver.desk import Desk
from services.resolver.docket import Waiting
from services.resolver.signals import Effect, Moment, StoreVerdict, TellPreview
from services.resolver.undoing import Undoing


@dataclass(slots=True)
class Finishing:
    """Of one entry site. `ages`: of intents that are not decided for good: the number of their first round."""

    desk: Desk
    undoing: Undoing
    rounds: dict[str, Round]
    retries: Retries
    following: Following
    backlog: Backlog
    ages: dict[str, int] = field(default_factory=dict)
    wanted: Wanted = field(init=False)

    def __post_init__(self) -> None:
        self.wanted = Wanted(self.desk, self._may_be_undone)

    def _may_be_undone(self, intent_id: str) -> bool:
        """Whether it is under way at several sites, or waits to be taken back there."""
        return self.following.is_open(intent_id) or intent_id in self.undoing.waiting

    def finish(
        self,
        intent: Intent,
        verdict: Verdict,
        moment: Moment,
        asked: Round | None = None,
        sites: tuple[SiteName, ...] = (),
    ) -> list[Effect]:
        """The verdict on the whole is stored, and done."""
        self.rounds.pop(intent.id, None)
        verdict = as_healing(verdict, intent, self.desk) if intent.heal else verdict
        verdict = self._by_our_clock(verdict, moment)
        if intent.preview:
            self._forget(intent.id)
            return [TellPreview(verdict)]
        verdict, docket = self.following.with_done(verdict), self.desk.docket
        waiting = docket.deferred.get(intent.id)
        if waiting is not None and verdict.decision == "defer" and waiting.says(verdict):
            docket.deferred[intent.id] = replace(waiting, stamp=None)
            return []
        since = (
            self.ages.get(intent.id, 0)
            if waiting is not None or verdict.decision == "defer"
            else docket.since(intent.id)
        )
        verdict = verdict.model_copy(update={"revision": docket.revision(intent.id), "since": since})
        docket.record(verdict)
        effects: list[Effect] = [StoreVerdict(verdict)]
        self.backlog.keep(intent, verdict.reasons if verdict.decision == "allow" else (), moment.monotonic_s)
        if verdict.decision == "defer":
            docket.deferred[intent.id] = Waiting.on(intent, verdict, None)
            return effects
        self._forget(intent.id)
        if verdict.decision == "allow" and asked is not None:
            parts = {name: asked.parts[name] for name in sites}
            return effects + self.following.commit(
                intent, verdict, parts, (asked.number, asked.age), moment.monotonic_s, asked.only
            )
        self.following.forget(intent.id)
        if verdict.decision == "deny" and self.undoing.is_due(intent, verdict):
            effects += self.undoing.begin(intent, moment)
        return effects

    def _by_our_clock(self, verdict: Verdict, moment: Moment) -> Verdict:
        """What became one of the answers of several sites is decided here and now, whatever the clocks of those say."""
        lasts = verdict.valid_until - verdict.decided_at
        mine = {"decided_at": moment.wall, "decided_by": self.desk.hearing.decided_by}
        return verdict.model_copy(update={**mine, "valid_until": moment.wall + lasts})

    def waits_since(self, intent: Intent, there: Sequence[tuple[int, str]]) -> int:
        """The stamp of a deferred intent that changes something: of its first round; 0 for any other.

        Of one that was deferred before all was known, after a restart: later than what is `there` (stamp, by whom) and
        was decided before it at this site.
        """
        waiting = self.desk.docket.deferred.get(intent.id)
        if waiting is None or intent.heal or intent.verb == "read":
            return 0
        held = waiting.whole()[1]
        if held.since or intent.id in self.ages:
            return self.ages.setdefault(intent.id, held.since)
        since, known = held.decided_at, self.desk.docket.known
        decided = ((stamp, known(by)) for stamp, by in there if by != intent.id)
        before = (stamp + 1 for stamp, verdict in decided if verdict is None or verdict.decided_at <= since)
        return self.age(intent.id, max(first_stamp(since), *before, 0))

    def age(self, intent_id: str, new: int) -> int:
        """When it was entered, as far as that is remembered; else this, which is kept when what is there is known."""
        if intent_id not in self.ages and not self.desk.evidence.synced:
            return new
        return self.ages.setdefault(intent_id, new)

    def close_for_gone(self, moment: Moment) -> list[Effect]:
        """What is done but for sites that are gone for good is done."""
        gone, effects = self.desk.neighbours.gone, list[Effect]()
        if not gone or not self.desk.evidence.synced:
            return effects
        for one in [row for row in self.backlog.rows.values() if not gone.isdisjoint(row.sites)]:
            in_force = self.desk.docket.known(one.intent.id)
            if in_force is not None and one.intent.id not in self.rounds and not self.following.knows(one.intent.id):
                effects += self.finish(one.intent, without_gone(in_force, gone), moment)
                self.backlog.note(one.intent.id, one.done)
        return effects

    def _forget(self, intent_id: str) -> None:
        """It is decided for good."""
        self.ages.pop(intent_id, None)
        self.retries.forget(intent_id)
