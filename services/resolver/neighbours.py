"""The other sites as this one hears them: when, how far away, which version. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from schemas.identity import SiteName


@dataclass(slots=True)
class Neighbours:
    """Who is known, when each was last heard and until when that stands, in seconds of our own monotonic clock.

    gone   a person has said that these are gone for good (docs/adr/0039-gone-for-good.md): they are not known
    """

    known: set[SiteName] = field(default_factory=set)
    gone: set[SiteName] = field(default_factory=set)
    heard_s: dict[SiteName, float] = field(default_factory=dict)
    until_s: dict[SiteName, float] = field(default_factory=dict)
    round_trip_s: dict[SiteName, float] = field(default_factory=dict)
    _by_name: list[SiteName] = field(default_factory=list)  # `known`, sorted once: each intent over sites asks for it

    def give_up(self, sites: Iterable[SiteName]) -> None:
        """These are gone for good."""
        self.gone.update(sites)
        self.known -= self.gone

    def hear(self, site: SiteName, now_s: float, round_trip_s: float, good_for_s: float) -> bool:
        """It answered; True when it was silent before."""
        was_silent = not self.reachable(site, now_s)
        self.known.add(site)
        self.heard_s[site], self.until_s[site] = now_s, now_s + good_for_s
        self.round_trip_s[site] = round_trip_s
        return was_silent

    def reachable(self, site: SiteName, now_s: float) -> bool:
        """Whether it is worth asking: a site that answers no ping would only time out."""
        return now_s <= self.until_s.get(site, float("-inf"))

    def near(self, now_s: float) -> list[SiteName]:
        """Who can be asked now, by name."""
        return sorted(one for one in self.known if self.reachable(one, now_s))

    def age_s(self, site: SiteName, now_s: float) -> float | None:
        """How long ago it was heard; None for never."""
        heard_s = self.heard_s.get(site)
        return None if heard_s is None else max(0.0, now_s - heard_s)

    def all_but(self, site: SiteName) -> Collection[SiteName]:
        """Every other site, by name."""
        if len(self._by_name) != len(self.known):
            self._by_name = sorted(self.known)
        return [name for name in self._by_name if name != site] if site in self.known else self._by_name
