"""Sites that are said to be gone for good, and are heard → one alert for each, and that they are silent again. Pure.

Nothing is decided with them, and nothing of what they have is touched; that there is something is what somebody should
know (docs/adr/0039-gone-for-good.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Final

from schemas.alerts import Alert
from schemas.identity import SiteName
from services.resolver.refusals import QUIET_S
from services.resolver.signals import Moment

CODE: Final = "A511"


class Returning:
    """At one site. `gone`: for good, as it was told."""

    def __init__(self, site: SiteName, gone: Set[SiteName]) -> None:
        self._site, self._gone = site, gone
        self._heard_s: dict[SiteName, float] = {}
        self._raised: dict[SiteName, Alert] = {}

    def recover(self, alerts: Iterable[Alert]) -> None:
        """What was raised before a restart."""
        for alert in (one for one in alerts if one.code == CODE):
            for name in alert.sites:
                if alert.state == "raised":
                    self._raised[name] = alert
                else:
                    self._raised.pop(name, None)

    def hear(self, name: SiteName, now_s: float) -> None:
        """It asks whether we are there, or says something."""
        self._heard_s[name] = now_s

    def due(self, moment: Moment) -> Iterator[Alert]:
        """Alerts, raised and healed."""
        for name in [one for one in self._heard_s if one not in self._raised]:
            self._raised[name] = self._alert(name, moment)
            yield self._raised[name]
        for name, alert in [*self._raised.items()]:
            last_s = self._heard_s.setdefault(name, moment.monotonic_s)
            why = f"{name} was not heard for {QUIET_S / 60:.0f} minutes"
            if name not in self._gone:
                why = f"{name} is not said to be gone any more"
            elif moment.monotonic_s - last_s < QUIET_S:
                continue
            del self._raised[name], self._heard_s[name]
            yield alert.model_copy(update={"state": "healed", "message": why, "at": moment.wall})

    def _alert(self, name: SiteName, moment: Moment) -> Alert:
        return Alert(
            id=f"{self._site}:{CODE}:{name}",
            code=CODE,
            state="raised",
            site=self._site,
            message=f"{name} is heard, and gone for good as {self._site} was told (CHEOPS_GONE): it is not answered",
            sites=(name,),
            at=moment.wall,
        )
