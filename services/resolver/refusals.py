"""Keys that the site's bus refuses → one alert, and that it is quiet again. Pure.

The server puts out whoever holds a key that was revoked, and takes nothing from him; that he goes on trying is what
somebody should know. Whoever has no key at all (a scanner of ports) is nobody's: only names that were refused count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from schemas.alerts import Alert
from schemas.identity import SiteName
from services.resolver.signals import Moment

CODE: Final = "A510"
QUIET_S: Final = 600.0  # after which nobody tries any more
KEY_LEN: Final = 12  # of a public key in a sentence; enough to find it in mesh.json
NAME_LEN: Final = 40


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """A connection that the bus refused. `key`: what was shown, or ""; `name` is what the client calls itself."""

    key: str
    name: str
    host: str


class Refusals:
    """Of one site's bus. One alert, however many keys and however often: who floods the server floods nobody else."""

    def __init__(self, site: SiteName) -> None:
        self._site = site
        self._new: KeyRefused | None = None
        self._last_s: float | None = None
        self._raised: Alert | None = None

    def recover(self, alerts: Iterable[Alert]) -> None:
        """What was raised before a restart; it is quiet from the first look on."""
        for alert in alerts:
            if alert.code == CODE:
                self._raised = alert if alert.state == "raised" else None

    def note(self, refused: KeyRefused, now_s: float) -> None:
        """The server has refused somebody who showed a key."""
        if refused.key:
            self._new, self._last_s = refused, now_s

    def due(self, moment: Moment) -> Iterator[Alert]:
        """The alert, raised or healed."""
        if self._last_s is None:
            self._last_s = moment.monotonic_s
        if self._raised is None and self._new is not None:
            self._raised = self._alert(self._new, moment)
            yield self._raised
        elif self._raised is not None and moment.monotonic_s - self._last_s >= QUIET_S:
            healed, self._raised = self._raised, None
            message = f"nobody has tried a refused key on the bus of {self._site} for {QUIET_S / 60:.0f} minutes"
            yield healed.model_copy(update={"state": "healed", "message": message, "at": moment.wall})
        self._new = None

    def _alert(self, refused: KeyRefused, moment: Moment) -> Alert:
        key = refused.key if len(refused.key) <= KEY_LEN else f"{refused.key[:KEY_LEN]}…"
        return Alert(
            id=f"{self._site}:{CODE}",
            code=CODE,
            state="raised",
            site=self._site,
            message=f"the bus of {self._site} refuses the key {key} of {refused.name[:NAME_LEN]!r} at {refused.host}",
            cause=refused.key,
            at=moment.wall,
        )
