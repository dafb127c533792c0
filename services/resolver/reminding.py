"""Alerts that stand are said again each day: their stream forgets what is older than a week. Pure.

    raised ──▶ a day ──▶ raised again, `again_at` ──▶ … ──▶ healed: silence

Who listens hears the same id and the same `at` as before. A lost update (A506) is history, not a state, and ages away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Final

from schemas.alerts import Alert
from services.resolver.signals import Effect, Moment, SendAlert

AGAIN_AFTER: Final = timedelta(days=1)
CHECK_S: Final = 60.0
TOGETHER_MAX: Final = 128  # that are said in one step
HISTORY: Final = ("A506",)


class Reminders:
    """Of one site's alerts, whichever room raised them."""

    def __init__(self) -> None:
        self._standing: dict[str, Alert] = {}
        self._next_check_s = 0.0

    def recover(self, alerts: Iterable[Alert]) -> None:
        """What was raised before a restart and has not healed."""
        for alert in alerts:
            self._note(alert)

    def heed(self, effects: list[Effect], moment: Moment) -> list[Effect]:
        """The same, and what is to be said again."""
        for one in effects:
            if isinstance(one, SendAlert):
                self._note(one.alert)
        if moment.monotonic_s < self._next_check_s:
            return effects
        again = [*self._again(moment)]
        if len(again) < TOGETHER_MAX:
            self._next_check_s = moment.monotonic_s + CHECK_S
        return [*effects, *map(SendAlert, again)] if again else effects

    def _note(self, alert: Alert) -> None:
        self._standing.pop(alert.id, None)
        if alert.state == "raised" and alert.code not in HISTORY:
            self._standing[alert.id] = alert

    def _again(self, moment: Moment) -> Iterator[Alert]:
        before = moment.wall - AGAIN_AFTER
        told = (one for one in self._standing.values() if not before < one.last_said() <= moment.wall)  # or clocks step
        for alert in [*islice(told, TOGETHER_MAX)]:
            said = alert.model_copy(update={"again_at": moment.wall})
            self._note(said)
            yield said
