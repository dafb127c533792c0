"""What every part of a resolver's machine works on: the site's graph, its evidence, what is in flight, its intents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from schemas.identity import SiteName
from services.resolver.docket import Docket, Stamp
from services.resolver.evidence import SiteEvidence
from services.resolver.graph.store import Graph
from services.resolver.graph.view import View
from services.resolver.hearing import Hearing
from services.resolver.holds import Holds
from services.resolver.signals import Moment

BOUND_FOR_WAKING_S: Final = 10.0  # deferred intents are looked at again when this freshness comes or goes


@dataclass(frozen=True, slots=True)
class Desk:
    """One site's tables."""

    site: SiteName
    graph: Graph
    evidence: SiteEvidence
    hearing: Hearing
    holds: Holds = field(default_factory=Holds)
    docket: Docket = field(default_factory=Docket)

    def view(self, own: str = "") -> View:
        """The site under everything that was allowed and is not visible yet; `own`: the intent that asks."""
        return self.holds.view(self.graph, own)

    def stamp(self, moment: Moment) -> Stamp:
        """The world as it is now, for who waits for a change of it."""
        claim = self.evidence.claim(BOUND_FOR_WAKING_S, moment.monotonic_s)
        return claim.fresh, claim.blind, self.holds.generation
