"""A thousand sites in one process: the machines of real resolvers, a virtual network with a latency for each pair.

Time is virtual and goes from event to event. What a site does by itself takes no virtual time: its executor acts and
its watcher tells at once. Letters are written out and read again. Which peers a site hears is told to it when it needs
to know, in the place of a heartbeat every second from each to each.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from schemas.events import Heartbeat, ResourceEvent
from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.operations import Operation
from schemas.outcomes import Outcome
from schemas.peers import PeerMessage, what_of
from schemas.queries import ResyncAnswer
from schemas.relations.extract import Extractor
from schemas.relations.loader import Catalogue
from schemas.relations.surface import builtin_surface
from schemas.verdicts import Verdict
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.signals import (
    AskRehearsal,
    BatchSeen,
    BeatSeen,
    Effect,
    IntentSeen,
    Moment,
    OutcomeSeen,
    PeerBeat,
    PeerSeen,
    Rehearsed,
    ResyncAnswered,
    SendOperation,
    SendPeer,
    Signal,
    StoreVerdict,
    Tick,
)
from services.watcher.telling.batching import Batcher

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
BEGIN_S: Final = 1_000.0
LATENCY_MIN_S, LATENCY_MAX_S = 0.005, 0.050  # one way
HEARD_FOR_S: Final = 3.0
GOOD_FOR_S: Final = 4.0  # an answer to a ping
WRITTEN_VERSION: Final = "99000000"  # later than everything that the fleet holds


@dataclass(slots=True)
class Story:
    """What became of one intent.

    round_trip_s      to the site in its scope that is farthest away
    remote_effect_s   when the last of its operations left
    """

    entry: SiteName
    round_trip_s: float
    entered_s: float
    verdict_s: float = 0.0
    decision: str = ""
    remote_effect_s: float = 0.0
    letters: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    cpu_s: float = 0.0


class Site:
    """One resolver's machine and its watcher's numbering."""

    def __init__(self, name: SiteName, names: Sequence[SiteName], catalogue: Catalogue) -> None:
        self.name = name
        self.machine = Machine(name, catalogue, Policy(), f"resolver/{name}", names)
        self.batcher = Batcher(name, 1)
        self.heard_s: dict[SiteName, float] = {}

    def told(self, events: Sequence[ResourceEvent]) -> list[BatchSeen]:
        """Batches of the site's watcher."""
        found = []
        for event in events:
            self.batcher.add(event)
            if self.batcher.full:
                found += self._taken()
        return found + self._taken()

    def _taken(self) -> list[BatchSeen]:
        found = []
        while (batch := self.batcher.take()) is not None:
            found.append(BatchSeen(batch.payload))
            self.batcher.acknowledge(batch)
        return found


class ManySites:
    """All sites, the wires between them, and one virtual clock."""

    def __init__(self, number: int, facts: Sequence[ResourceEvent], catalogue: Catalogue, seed: int = 11) -> None:
        self._random = random.Random(seed)
        self._extractor = Extractor(catalogue, builtin_surface())
        self.names = [SiteName(f"site-{place:04d}") for place in range(number)]
        self.sites = {name: Site(name, self.names, catalogue) for name in self.names}
        self.now_s = 0.0
        self.stories: dict[str, Story] = {}
        self.idle_cpu_s: defaultdict[str, float] = defaultdict(float)
        self._latency_s: dict[frozenset[SiteName], float] = {}
        self._order = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        for site in self.sites.values():
            self._begins(site, facts)

    def _begins(self, site: Site, facts: Sequence[ResourceEvent]) -> None:
        self._beat(site)
        site.machine.step(ResyncAnswered(ResyncAnswer(site=site.name, epoch=1, seq=0, differing=1)), self.moment)
        for batch in site.told(facts):
            site.machine.step(batch, self.moment)
        self._beat(site)
        assert site.machine.evidence.synced, "everything is told"

    @property
    def moment(self) -> Moment:
        """Now, at every site."""
        return Moment(BEGIN_S + self.now_s, BEGIN + timedelta(seconds=self.now_s))

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def at(self, when_s: float, act: Callable[[], None]) -> None:
        """Let something happen."""
        heapq.heappush(self._events, (when_s, next(self._order), act))

    def run(self, until_s: float) -> None:
        """Until then, or until nothing happens any more."""
        while self._events and self._events[0][0] <= until_s:
            self.now_s, _, act = heapq.heappop(self._events)
            act()
        self.now_s = until_s

    def a_second_passes(self) -> None:
        """Every watcher beats, every resolver ticks."""
        begin_s = time.thread_time()
        for site in self.sites.values():
            self._beat(site)
            self._carry_out(site, site.machine.step(Tick(), self.moment))
        self.idle_cpu_s["seconds"] += 1
        self.idle_cpu_s["cpu"] += time.thread_time() - begin_s

    def _beat(self, site: Site) -> None:
        beat = Heartbeat("heartbeat/v1", site.name, 1, site.batcher.numbered, 1, {}, self.moment.monotonic_s)
        site.machine.step(BeatSeen(beat), self.moment)

    # ── the network ─────────────────────────────────────────────────────────────────────────────────────────────────

    def latency_s(self, one: SiteName, other: SiteName) -> float:
        """One way, the same both ways, always the same."""
        pair = frozenset((one, other))
        if pair not in self._latency_s:
            self._latency_s[pair] = self._random.uniform(LATENCY_MIN_S, LATENCY_MAX_S)
        return self._latency_s[pair]

    def hears(self, one: SiteName, other: SiteName) -> None:
        """Both have lately answered each other's heartbeats."""
        for a, b in ((one, other), (other, one)):
            site = self.sites[a]
            if self.now_s - site.heard_s.get(b, float("-inf")) > HEARD_FOR_S:
                site.heard_s[b] = self.now_s
                self._carry_out(site, site.machine.step(PeerBeat(b, 2 * self.latency_s(a, b), GOOD_FOR_S), self.moment))

    def _send(self, message: PeerMessage) -> None:
        payload = message.to_json()
        story = self.stories[message.intent]
        story.letters[what_of(message)] += 1
        story.bytes += len(payload)
        model, receiver = type(message), self.sites[message.receiver]

        def arrive() -> None:
            self._step(receiver, lambda: PeerSeen(model.from_json(payload)), message.intent)

        self.at(self.now_s + self.latency_s(message.sender, message.receiver), arrive)

    # ── a site ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def enter(self, entry: SiteName, others: Sequence[SiteName], intent: Intent) -> None:
        """An intent at its entry site, now."""
        farthest_s = max(self.latency_s(entry, name) for name in others)
        self.stories[intent.id] = Story(entry, 2 * farthest_s, self.now_s)
        for name in others:
            self.hears(entry, name)
        self._step(self.sites[entry], lambda: IntentSeen(intent), intent.id)

    def _step(self, site: Site, signal: Callable[[], Signal], intent: str) -> None:
        """One step, its CPU time counted for the intent that it is about."""
        begin_s = time.thread_time()
        effects = site.machine.step(signal(), self.moment)
        self._carry_out(site, effects)
        self.stories[intent].cpu_s += time.thread_time() - begin_s

    def _carry_out(self, site: Site, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendPeer():
                    self._send(effect.message)
                case AskRehearsal():
                    self._carry_out(site, site.machine.step(Rehearsed(effect.intent, None), self.moment))
                case StoreVerdict():
                    self._noted(site, effect.verdict)
                case SendOperation():
                    self._execute(site, effect.operation)
                case _:
                    pass

    def _noted(self, site: Site, verdict: Verdict) -> None:
        story = self.stories[verdict.intent]
        if site.name == story.entry and not story.decision:
            story.verdict_s, story.decision = self.now_s, verdict.decision

    def _execute(self, site: Site, operation: Operation) -> None:
        story = self.stories[operation.intent]
        story.remote_effect_s = self.now_s
        assert operation.manifest is not None, "only writes here"
        metadata = {**operation.manifest["metadata"], "uid": operation.id, "resourceVersion": WRITTEN_VERSION}
        state = self._extractor.state({**operation.manifest, "metadata": metadata})
        outcome = Outcome.of(operation, "ready", self.moment.wall, resource_version=WRITTEN_VERSION)
        self.at(self.now_s, lambda: self._step(site, lambda: OutcomeSeen(outcome), operation.intent))
        for batch in site.told([ResourceEvent("put", state)]):
            self.at(self.now_s, lambda batch=batch: self._step(site, lambda: batch, operation.intent))
