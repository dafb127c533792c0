"""When an intent of several sites that waits begins again. Pure.

a site is heard again ─┐
a site says `wake`     ├─▶ is it deferred, or open for that site? ─▶ begin
an answer comes late ──┤
time has passed ───────┘
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.peers import Answer, Wake
from services.resolver.across.following import Following
from services.resolver.across.order import HybridClock
from services.resolver.across.pending import Backlog, is_unheard
from services.resolver.across.retries import TRY_AGAIN_S, Retries
from services.resolver.across.round import Round
from services.resolver.desk import Desk
from services.resolver.docket import Waiting
from services.resolver.signals import Effect, Moment

TRYING_MAX_S: Final = 20.0  # of all ways together: the intent's sender waits


class Begin(Protocol):
    """Decide it, or decide it again (coordinator.py)."""

    def __call__(
        self, intent: Intent, moment: Moment, pause_s: float = TRY_AGAIN_S, only: tuple[SiteName, ...] = ()
    ) -> list[Effect]:
        """Ask the sites."""


@dataclass(slots=True)
class Waking:
    """What waits stands in the docket (deferred) and in the backlog (done but for some sites)."""

    desk: Desk
    begin: Begin
    clock: HybridClock
    rounds: dict[str, Round]
    retries: Retries
    following: Following
    backlog: Backlog

    def wake(self, intent_id: str, moment: Moment) -> list[Effect]:
        """Something may have changed: a deferred intent begins again."""
        waiting = self.desk.docket.deferred.get(intent_id)
        if waiting is None or waiting.stamp is not None or intent_id in self.rounds:
            return []
        return self.begin(waiting.intent, moment)

    def woken(self, message: Wake, moment: Moment) -> list[Effect]:
        """A site says that its answer would be another one; or that it knows a later round than the one asked."""
        asked = self.rounds.get(message.intent)
        if asked is None or message.sender not in asked.parts:
            return self.wake(message.intent, moment)
        is_ahead = message.round > asked.number and self.clock.hear(message.round, moment.wall)
        if is_ahead and moment.monotonic_s - asked.begun_s < TRYING_MAX_S:
            effects = self.begin(asked.original or asked.intent, moment, only=asked.only)
            if asked.intent.id in self.rounds:
                self.rounds[asked.intent.id].begun_s = asked.begun_s
            return effects
        asked.is_stale = asked.is_stale or message.round == asked.number
        return []

    def answered_late(self, message: Answer, moment: Moment) -> list[Effect]:
        """A site that was waited for has said something after all: it does answer now."""
        waiting = self.desk.docket.deferred.get(message.intent)
        if waiting is None or waiting.stamp is not None or message.intent in self.rounds:
            return []
        is_awaited = any(wait.site == message.sender for wait in waiting.waits_for)
        if not is_awaited or not self.retries.hurries(message.intent):
            return []
        return self.begin(waiting.intent, moment, self.retries.pause_s(message.intent))

    def came_back(self, site: SiteName, moment: Moment) -> list[Effect]:
        """A site is heard again: whatever waits for it begins again, or does as soon as the others have answered."""
        for asked in self.rounds.values():
            asked.is_stale = asked.is_stale or (site in asked.answers and is_unheard(asked.answers[site]))
        waits = [one for one in self._waiting() if any(wait.site == site for wait in one.waits_for)]
        effects = [effect for one in waits for effect in self.wake(one.id, moment)]
        return effects + self._go_on_with_open(moment, site)

    def tick(self, moment: Moment) -> list[Effect]:
        """Deferred intents that nothing has woken for a while, and what is open for a site that is heard."""
        effects: list[Effect] = []
        for waiting in self._waiting():
            if self.retries.is_due(waiting.id, moment.monotonic_s) and self._is_worth_asking(waiting, moment):
                effects += self.begin(waiting.intent, moment, self.retries.next_pause_s(waiting.id))
        return effects + self._go_on_with_open(moment)

    def _waiting(self) -> list[Waiting]:
        deferred = self.desk.docket.deferred
        return [one for one in deferred.values() if one.stamp is None and one.id not in self.rounds]

    def _is_worth_asking(self, waiting: Waiting, moment: Moment) -> bool:
        """Who waits for a site that is still not heard waits for that, unless it is gone for good."""
        sites = {one.site for one in waiting.waits_for if one.intent is None} - self.desk.neighbours.gone
        return all(self.desk.can_ask(name, moment) for name in sites) or waiting.expires_at <= moment.wall

    def _go_on_with_open(self, moment: Moment, site: SiteName | None = None) -> list[Effect]:
        """What is done but for some sites is asked of these, now that they are heard."""
        effects: list[Effect] = []
        if not self.desk.evidence.synced:
            return effects  # what is of a set is not known
        for one in self.backlog.due(moment.monotonic_s, site):
            if one.intent.id in self.rounds or self.following.knows(one.intent.id):
                one.next_s = moment.monotonic_s  # as soon as that is over
                continue
            self.following.earlier[one.intent.id] = one.done
            effects += self.begin(one.intent, moment, only=one.sites)
        return effects
