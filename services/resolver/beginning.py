"""Before a resolver serves: a snapshot, what happened since, and what the streams remember of intents.

snapshot ──▶ graph, cursor          VERDICTS, OUTCOMES, … ──▶ intents          EVENTS after the cursor ──▶ graph
                                                                                       └──▶ where to read on

A snapshot is used when EVENTS still holds the very message at its cursor: then all that followed is there, too, or the
chain of hashes shows the gap. Without one the graph is empty, and everything is listed again.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec
import structlog

from schemas import subjects
from schemas.alerts import Alert
from schemas.envelope import Message, MessageError
from schemas.events import batch_hash
from schemas.intents import Intent
from schemas.kinds import Surface
from schemas.outcomes import Outcome
from schemas.ties import DRIFT_FACT, RULES_FACT, SCOPE_FACT
from schemas.verdicts import Verdict
from services.chassis.bus.port import Bus, Received
from services.chassis.errors import TransientError
from services.resolver.gleaning import Gleaning, Messages
from services.resolver.graph.restoring import ChunkError, Restoring
from services.resolver.graph.store import Graph
from services.resolver.machine import Machine
from services.resolver.outgoing import Outgoing
from services.resolver.signals import BatchSeen, Effect, Moment, SweepOn
from services.resolver.snapshots import End, Found, Head, Snapshots

NOTHING: Final = "the stream does not hold what followed"
TOGETHER_MAX: Final = 64  # subjects of one question
Stored = TypeVar("Stored", bound=Message)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Begun:
    """Where to read on in EVENTS, what was read last of OUTCOMES, and what came of the events that were replayed.

    cursor_seq   the message of EVENTS at the cursor; 0 when nothing is known     kept   the cursor of the snapshot
    """

    event_seq: int = 1
    cursor_seq: int = 0
    kept: tuple[int, int] = (0, 0)
    outcome_seq: int = 0
    effects: list[Effect] = field(default_factory=list)


class Beginning:
    """The start of one site's resolver."""

    def __init__(self, bus: Bus, machine: Machine, out: Outgoing, snapshots: Snapshots | None) -> None:
        self._bus, self._machine, self._out, self._snapshots = bus, machine, out, snapshots
        self._site = machine.site
        self._events = subjects.event(machine.site)

    async def run(self, moment: Moment) -> Begun:
        """Everything that is known without asking anybody. `moment`: as all of it is taken for."""
        begun = Begun()
        found = await self._restored()
        await self._recover(begun, None if found is None else found.head)
        if found is not None:
            await self._replay(begun, found.head, found.end, moment)
            return begun
        last = await self._bus.last("EVENTS", self._events)
        if last is not None:  # older ones are worth nothing to an empty graph: all is listed
            begun.event_seq = last.stream_seq + 1
        return begun

    # ── a snapshot ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _restored(self) -> Found | None:
        """The newest snapshot that can be used; the graph and the evidence are as it says."""
        candidates = self._snapshots.read() if self._snapshots is not None else iter(())
        while (found := await asyncio.to_thread(next, candidates, None)) is not None:
            reason = "" if await self._continues(found.head) else NOTHING
            graph = Graph(self._site)
            try:
                if not reason:
                    await _filled(graph, found)
            except (ChunkError, msgspec.MsgspecError) as error:
                reason = f"not understood: {error}"
            if not reason:
                await self._take_over(graph, found.head)
                return found
            log.warning("snapshot refused", site=self._site, seq=found.head.standing.seq, reason=reason)
        return None

    async def _continues(self, head: Head) -> bool:
        async for one in self._bus.scan("EVENTS", self._events, start_seq=head.stream_seq, limit=1):
            return one.stream_seq == head.stream_seq and batch_hash(one.payload) == head.standing.chain
        return False

    async def _take_over(self, graph: Graph, head: Head) -> None:
        surface = Surface(head.standing.surface)
        graph.surface = surface
        self._machine.graph.become(graph)
        self._machine.evidence.go_on(head.standing)
        self._machine.desk.hearing.serve(surface)
        for carrying in graph.bearing(RULES_FACT):
            for state in carrying:
                self._machine.desk.ruling.note(state.resource, state.facts)
            await asyncio.sleep(0)
        self._machine.desk.ruling.read_by = head.read_by
        self._machine.desk.ruling.begin(self._machine.desk.hearing)
        log.info("snapshot restored", site=self._site, resources=graph.resource_count, seq=head.standing.seq)

    async def _replay(self, begun: Begun, head: Head, end: End, moment: Moment) -> None:
        """Events since; at one moment, so that nothing is alerted about that a later event puts right."""
        evidence, last, batches = self._machine.evidence, head.stream_seq, 0
        begun.cursor_seq, begun.kept = last, (evidence.epoch, evidence.seq)
        async for one in self._bus.scan("EVENTS", self._events, start_seq=last + 1):
            last, batches, before = one.stream_seq, batches + 1, (evidence.epoch, evidence.seq)
            try:
                begun.effects += self._machine.step(BatchSeen(one.payload), moment)
                while evidence.swept:
                    begun.effects += self._machine.step(SweepOn(), moment)
                    await asyncio.sleep(0)
            except MessageError as error:
                await self._out.bury("EVENTS", one, str(error))
            if before != (evidence.epoch, evidence.seq):
                begun.cursor_seq = last
            await asyncio.sleep(0)
        begun.event_seq = last + 1
        if (evidence.epoch, evidence.seq) < (end.epoch, end.seq):
            evidence.distrust("the stream lost events that a snapshot holds")
        for drifting in self._machine.graph.bearing(DRIFT_FACT):  # nobody tells of it again while it stays so
            for state in drifting:
                self._machine.desk.drifts.suspect(state, f"put {evidence.epoch}:{evidence.seq}", moment.monotonic_s)
            await asyncio.sleep(0)
        for parts in self._machine.graph.bearing(SCOPE_FACT):
            for state in parts:
                self._machine.vigil.shares.observe(state)
            await asyncio.sleep(0)
        log.info("replayed since the snapshot", site=self._site, batches=batches, seq=evidence.seq)

    # ── the streams ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _recover(self, begun: Begun, head: Head | None) -> None:
        """What is not over whole, and the last word on everything else."""
        gleaning = await self._gleaned(begun, head)
        needed = gleaning.needed()
        messages = [gleaning.of(name) for name in needed]
        messages += [await self._again(name) for name in gleaning.lacking(needed)]
        verdicts = [one for some, _ in messages for one in self._understood("VERDICTS", Verdict, some)]
        of_outcomes = sorted(one for _, some in messages for one in some)
        outcomes = [*self._understood("OUTCOMES", Outcome, (payload for _, payload in of_outcomes))]
        parts = [subjects.part(self._site, name) for name in needed if name in gleaning.parts]
        intents = {one.id: one async for one in self._last("PARTS", parts)}
        entered = [subjects.intent(self._site, name) for name in needed]
        intents |= {one.id: one async for one in self._last("INTENTS", entered)}
        alerts = [*self._understood("ALERTS", Alert, gleaning.raised.values())]
        self._machine.docket.decided.shelve_all(gleaning.in_force(), gleaning.others())
        self._machine.recover(verdicts, outcomes, intents, alerts, gleaning.recent)
        await self._out.begin()
        log.info("recovered from the streams", site=self._site, intents=len(gleaning.standing), whole=len(needed))

    async def _gleaned(self, begun: Begun, head: Head | None) -> Gleaning:
        parts = [subjects.last_name(one.subject) async for one in self._stored("PARTS")]
        gleaning = Gleaning(parts, head.held if head is not None else ())
        async for one in self._stored("VERDICTS"):
            with _left_out("VERDICTS"):
                gleaning.verdict(one.payload)
        async for one in self._stored("OUTCOMES"):
            begun.outcome_seq = one.stream_seq
            with _left_out("OUTCOMES"):
                is_recent = head is not None and one.stream_seq > head.outcome_seq
                gleaning.outcome(one.payload, one.stream_seq, is_recent=is_recent)
        async for one in self._stored("ALERTS"):
            with _left_out("ALERTS"):
                gleaning.alert(one.payload)
        return gleaning

    async def _again(self, intent_id: str) -> Messages:
        """What the streams hold of one intent."""
        verdicts, outcomes = subjects.verdict(self._site, "*", intent_id), subjects.outcome(self._site, intent_id, "*")
        return (
            [one.payload async for one in self._bus.scan("VERDICTS", verdicts)],
            [(one.stream_seq, one.payload) async for one in self._bus.scan("OUTCOMES", outcomes)],
        )

    async def _last(self, stream: subjects.StreamName, asked: Sequence[str]) -> AsyncIterator[Intent]:
        """What stands on each of these subjects, in their order."""
        for start in range(0, len(asked), TOGETHER_MAX):
            some = asked[start : start + TOGETHER_MAX]
            try:
                found = await self._bus.last_of_each(stream, some)
            except TransientError:  # too large for one answer, or from a server that is behind
                found = {one: last for one in some if (last := await self._bus.last(stream, one)) is not None}
            for one in self._understood(stream, Intent, (found[one].payload for one in some if one in found)):
                yield one

    def _stored(self, stream: subjects.StreamName) -> AsyncIterator[Received]:
        return self._bus.scan(stream, subjects.filters(stream, self._site))

    def _understood(
        self, stream: subjects.StreamName, model: type[Stored], payloads: Iterable[bytes]
    ) -> Iterator[Stored]:
        for payload in payloads:
            with _left_out(stream):
                yield model.from_json(payload)


@contextmanager
def _left_out(stream: subjects.StreamName) -> Iterator[None]:
    """What is not understood was buried, or is by its reader."""
    try:
        yield
    except MessageError as error:
        log.warning("left out at the start", stream=stream, reason=str(error))


async def _filled(graph: Graph, found: Found) -> None:
    """Millions of objects are made and none is garbage: the collector would look for some again and again."""
    restoring = Restoring(graph.parts, found.end.numbers)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in restoring.begin():
            await asyncio.sleep(0)
        for chunk in found.chunks:
            restoring.take(chunk)
            await asyncio.sleep(0)
        for _ in restoring.finish():
            await asyncio.sleep(0)
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
    graph.resource_count = restoring.resource_count
