"""Bus → machine → bus: read, step, carry out, then ack.

Signals are taken one at a time (stepping.py); a verdict is stored (fenced) before any operation leaves; questions to
other services run beside it and come back as signals. All can be killed anywhere: what the streams hold is enough.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence, Set
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from schemas import subjects
from schemas.envelope import MessageError
from schemas.events import decode_heartbeat
from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.peers import PeerMessage
from services.chassis import metrics
from services.chassis.bus.port import Bus, Delivery, Reader, Received
from services.chassis.bus.streams import ensure_streams, make_missing
from services.chassis.errors import TransientError
from services.chassis.lifecycle import begin
from services.chassis.peering.liaison import Liaison
from services.resolver.answers import Answers
from services.resolver.auditing import Auditing
from services.resolver.beginning import Beginning
from services.resolver.carrying import Carrying
from services.resolver.fetching import Fetching
from services.resolver.figures import figures
from services.resolver.inquiries import Inquiries
from services.resolver.machine import Machine
from services.resolver.outgoing import STORE_RETRY_S, Outgoing, ensure_ours, events_reader
from services.resolver.preserving import EVERY_S, Preserving
from services.resolver.signals import (
    BatchSeen,
    BeatSeen,
    IntentSeen,
    Moment,
    OutcomeSeen,
    PeerBeat,
    PeerSeen,
    Signal,
    StoreVerdict,
    SweepOn,
    Tick,
)
from services.resolver.snapshots import Snapshots
from services.resolver.stepping import Stepping
from services.resolver.turns import Turns, side_by_side

TICK_S: Final = 0.25
FETCH_WAIT_S: Final = 5.0
EVENTS_FETCH_MAX: Final = 4  # of 256 events; what was fetched ahead lies before the next intent in the connection
INTENTS_FETCH_MAX: Final = 256
INTENT_ACK_WAIT_S: Final = 10.0  # what a killed resolver had read comes again after it; twice the rehearsal's bound
DELIVERIES_MAX: Final = 5  # of an intent that ends the resolver each time: it must not end it for ever

log = structlog.get_logger(__name__)


def system_moment() -> Moment:
    """Now, on this machine's clocks."""
    return Moment(time.monotonic(), datetime.now(UTC))


class ResolverService:
    """Runs one site's machine on a bus."""

    def __init__(
        self,
        site: SiteName,
        bus: Bus,
        machine: Machine,
        now: Callable[[], Moment] = system_moment,
        peers: Iterable[SiteName] = (),
        gone: Set[SiteName] = frozenset(),
        snapshots: Snapshots | None = None,
        snapshot_every_s: float = EVERY_S,
        audit: Callable[[], Awaitable[Bus]] | None = None,
    ) -> None:
        self.site = site
        self.machine = machine
        self._bus = bus
        self._now = now
        self._turns = Turns()
        self._out = Outgoing(site, bus, now)
        self._beginning = Beginning(bus, machine, self._out, snapshots)
        self._preserving = Preserving(machine, snapshots, now, snapshot_every_s)
        self._auditing = Auditing(site, machine.vigil.refusals, now, audit)
        self._liaison = Liaison(
            site, bus, peers, self._told, self._heard, lambda: now().monotonic_s, lambda: self._fetching.own_key, gone
        )
        self._fetching = Fetching(site, bus, machine, now, self._liaison.key_of)
        self._unanswered: dict[str, Delivery] = {}
        self._has_given_up = False
        self._inquiries = Inquiries(site, bus, machine, now, self._asked_step, self._fetching)
        carrying = Carrying(machine, self._out, self._inquiries, self._liaison, now, self._begin)
        self._stepping = Stepping(machine, carrying, self._turns, now, machine.docket.decided.tidy)
        self._tasks: asyncio.TaskGroup

    # ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Recover, then serve until cancelled. Raises SteppedDownError when another resolver holds the site."""
        await ensure_streams(self._bus, self.site)
        begun = await self._beginning.run(self._now())
        self._preserving.begin(begun.cursor_seq, begun.kept, begun.outcome_seq)
        with metrics.showing(metrics.Figures(("site",), self._figures)):
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                letters = asyncio.Event()
                tasks.create_task(self._liaison.run(letters))
                await letters.wait()
                await self._stepping.say(begun.effects)
                for reading in (self._beats(), self._events(begun.event_seq), self._intents(), self._outcomes()):
                    tasks.create_task(reading)
                besides = (self._fetching.run(), self._ticks(), self._preserving.run(), self._auditing.run())
                for task in (*besides, self._answers().run(ready)):
                    tasks.create_task(task)

    def _answers(self) -> Answers:
        asked = (self._asked_step, self._liaison.asked_links, lambda: self._out.unstored)
        return Answers(self.machine, self._bus, self._now, self._inquiries, *asked)

    def _figures(self) -> Iterable[metrics.Figure]:
        silent = self._fetching.executor_silent
        now_s = self._now().monotonic_s
        return figures(self.machine, now_s, is_unstored=bool(self._out.unstored), is_executor_silent=silent)

    # ── what comes in ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _beats(self) -> None:
        async with self._bus.subscribe(subjects.heartbeat(self.site)) as beats:
            async for received in beats:
                try:
                    heartbeat = decode_heartbeat(received.payload)
                    if heartbeat.site != self.site:
                        raise MessageError(f"site: {heartbeat.site[:80]!r} (expected {self.site!r})")
                except MessageError as error:
                    await self._out.bury("EVENTS", received, str(error))
                    continue
                await self._step(BeatSeen(heartbeat))

    async def _events(self, start_seq: int) -> None:
        durable, ours = events_reader(self.site), subjects.event(self.site)
        reader = await self._bus.reader("EVENTS", durable, ours, start_seq=start_seq, ack="all")
        while True:
            doubts = self.machine.evidence.resyncs
            deliveries = await self._fetch(reader, EVENTS_FETCH_MAX)
            for delivery in deliveries:
                await self._turns.of_events()
                try:
                    await self._observe(BatchSeen(delivery.message.payload))
                    self._preserving.applied(delivery.message.stream_seq)
                    while self.machine.evidence.swept:
                        await self._turns.of_events()
                        await self._observe(SweepOn())
                except MessageError as error:
                    await self._out.bury("EVENTS", delivery.message, str(error))
            if deliveries:
                await self._out.settle(reader.ack_all(deliveries[-1]))
            if not deliveries or self.machine.evidence.resyncs != doubts:
                await ensure_ours(self.site, reader)

    async def _intents(self) -> None:
        reader = await self._bus.reader(
            "INTENTS",
            f"resolver-{self.site}",
            subjects.filters("INTENTS", self.site),
            ack_wait_s=INTENT_ACK_WAIT_S,
        )
        while True:
            deliveries = await self._fetch(reader, INTENTS_FETCH_MAX)
            with self._turns.control():
                decided: list[Delivery] = []
                for some in side_by_side(deliveries):
                    decided += await self._take_intents(some)
                await self._settle_all(decided)

    async def _take_intents(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Decide all, store their verdicts at once; those that are to be acknowledged now."""
        docket, read, signals = self.machine.docket, [], []
        for delivery in deliveries:
            intent = await self._understood(delivery)
            if intent is not None:
                read.append((delivery, intent.id))
                if delivery.message.deliveries == 1 or docket.known(intent.id) is None:
                    signals.append(IntentSeen(intent))  # else only the acknowledgement was lost
        await self._step(*signals)
        waiting = {name: delivery for delivery, name in read if self.machine.undecided(name)}
        self._unanswered |= waiting  # acknowledged when they are decided: a crash brings them back
        return [delivery for delivery, name in read if waiting.get(name) is not delivery]

    async def _understood(self, delivery: Delivery) -> Intent | None:
        """None: it is none, and that was said. What the stream knows of it, the docket knows afterwards."""
        received = delivery.message
        try:
            intent = Intent.from_json(received.payload)
            if received.deliveries > DELIVERIES_MAX and not self._has_given_up:
                self._has_given_up = True  # one in a process: those behind it came as often, and were never begun
                raise MessageError(f"delivered {received.deliveries} times and never handled: a defect of the resolver")
        except MessageError as error:
            await self._refuse(received, str(error))
            await self._out.settle(delivery.terminate(str(error)))
            return None
        if self.machine.docket.may_have_forgotten(intent.id):
            stored = await self._out.known_verdict(intent.id)
            if stored is not None:
                self.machine.docket.record(stored)
        return intent

    async def _settle_all(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:  # when the word is lost one comes again, and is known
            await self._out.settle(delivery.ack_unconfirmed())

    async def _refuse(self, received: Received, reason: str) -> None:
        """An intent that is none is kept in dead letters; when it has a name its sender gets a verdict, too."""
        await self._out.bury("INTENTS", received, reason)
        verdict = self.machine.malformed(subjects.last_name(received.subject), reason, self._now())
        if verdict is not None:
            await self._stepping.say([StoreVerdict(verdict)])

    async def _outcomes(self) -> None:
        reader = await self._bus.reader("OUTCOMES", f"resolver-{self.site}", subjects.filters("OUTCOMES", self.site))
        while True:
            deliveries = await self._fetch(reader, INTENTS_FETCH_MAX)
            with self._turns.control():
                for some in side_by_side(deliveries):
                    await self._take_outcomes(some)

    async def _take_outcomes(self, deliveries: Sequence[Delivery]) -> None:
        """Take all in, store what follows at once, acknowledge."""
        read, signals = [], []
        for delivery in deliveries:
            try:
                signals.append(OutcomeSeen(Outcome.from_json(delivery.message.payload)))
            except MessageError as error:
                await self._out.bury("OUTCOMES", delivery.message, str(error))
                await self._out.settle(delivery.terminate(str(error)))
            else:
                read.append(delivery)
        await self._step(*signals)
        if read:
            self._preserving.outcome_seq = read[-1].message.stream_seq
        await self._settle_all(read)

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            await self._step(Tick())

    async def _told(self, message: PeerMessage, received: Received) -> None:
        with self._turns.control():
            await self._step(PeerSeen(message))

    async def _heard(self, peer: SiteName, round_trip_s: float) -> None:
        await self._step(PeerBeat(peer, round_trip_s, self._liaison.contacts.good_for_s))

    async def _fetch(self, reader: Reader, limit: int) -> list[Delivery]:
        try:
            return await reader.fetch(limit, FETCH_WAIT_S)
        except TransientError as error:
            log.warning("the bus does not deliver", site=self.site, error=str(error))
            await make_missing(self._bus, self.site, error)
            await asyncio.sleep(error.retry_after_s or STORE_RETRY_S)
            return []

    # ── what goes out ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _step(self, *signals: Signal) -> None:
        await self._stepping.step(signals)
        await self._settle_decided()

    async def _observe(self, signal: BatchSeen | SweepOn) -> None:
        if await self._stepping.observe(signal):
            await self._settle_decided()

    async def _settle_decided(self) -> None:
        decided = [one for one in self._unanswered if not self.machine.undecided(one)]
        await self._settle_all([self._unanswered.pop(one) for one in decided])  # other steps go on meanwhile

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        begin(work, self._tasks)

    async def _asked_step(self, signal: Signal) -> None:
        """The same for a question: who answers those survives every error, and some have to end the service."""
        await self._tasks.create_task(self._step(signal))
