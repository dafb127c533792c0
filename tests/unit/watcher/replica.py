"""A receiver as naive as can be: it replays batches into a dict, and asks again whenever it doubts.

What it believes of cursors and freshness is the resolver's own evidence; the rest is twenty lines that can be checked
by reading. If a replica equals the API server's store, nothing was lost, doubled or left over on the way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from schemas import subjects
from schemas.batches import decode_batch
from schemas.events import ResourceEvent, ResourceState, batch_hash, decode_heartbeat, kind_digest
from schemas.identity import KindId, ResourceId, SiteName, kind_of
from schemas.kinds import Surface
from schemas.queries import ResyncAnswer, ResyncRequest
from services.chassis.bus.port import Bus
from services.chassis.errors import TransientError
from services.resolver.evidence import SiteEvidence

PATIENCE_S = 20.0


class Replica:
    """One site, as told by its watcher."""

    def __init__(self, site: SiteName, bus: Bus) -> None:
        self.site = site
        self.evidence = SiteEvidence(site)
        self.resources: dict[ResourceId, ResourceState] = {}
        self.payloads: list[bytes] = []
        self.operations: list[str] = []
        self._unnamed: dict[KindId, set[ResourceId]] = {}
        self._bus = bus
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beats())
            tasks.create_task(self._events())
            tasks.create_task(self._doubts())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds after something was taken in."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            raise AssertionError(
                f"not within {PATIENCE_S} s; blind: {dict(self.evidence.blind)}, unconfirmed:"
                f" {self.evidence.unconfirmed()}, cursor: {self.evidence.epoch}.{self.evidence.seq} of"
                f" {self.evidence.published_seq}, resources: {sorted(self.resources)}, last: {self.operations[-8:]}"
            ) from None

    async def until_fresh(self) -> None:
        """Wait until every kind is confirmed, none is blind, and nothing is on its way."""
        await self.until(lambda: self.fresh)

    @property
    def fresh(self) -> bool:
        """Everything is known as it is."""
        evidence = self.evidence
        return evidence.synced and not evidence.blind and evidence.seq >= evidence.published_seq

    @property
    def versions(self) -> dict[str, tuple[str, str]]:
        """resource → (uid, version)."""
        return {name: (state.uid, state.resource_version) for name, state in self.resources.items()}

    def of(self, kind: str) -> dict[str, ResourceState]:
        """The resources of one kind by identity."""
        return {name: state for name, state in self.resources.items() if kind_of(name) == kind}

    def digests(self) -> dict[KindId, str]:
        """What a resync request carries."""
        members: dict[KindId, list[tuple[str, str]]] = {}
        for state in self.resources.values():
            members.setdefault(kind_of(state.resource), []).append((state.uid, state.resource_version))
        return {kind: kind_digest(pairs) for kind, pairs in members.items()}

    async def ask(self, reason: str, digests: dict[KindId, str] | None = None) -> ResyncAnswer:
        """Ask for a resync."""
        request = ResyncRequest(
            site=self.site,
            reason=reason,
            epoch_seen=self.evidence.epoch,
            kinds=self.digests() if digests is None else digests,
        )
        reply = await self._bus.request(subjects.api("watcher", self.site, "resync"), request.to_json(), 2.0)
        return ResyncAnswer.from_json(reply.payload)

    # ── taking in ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _beats(self) -> None:
        async with self._bus.subscribe(subjects.heartbeat(self.site)) as beats:
            async for received in beats:
                self.payloads.append(received.payload)
                self.evidence.beat(decode_heartbeat(received.payload), time.monotonic())
                await self._tell()

    async def _events(self) -> None:
        reader = await self._bus.reader("EVENTS", "replica", subjects.event(self.site), ack="all")
        try:
            while True:
                deliveries = await reader.fetch(64, 1.0)
                for delivery in deliveries:
                    self._take(delivery.message.payload)
                    await self._tell()
                if deliveries:
                    await reader.ack_all(deliveries[-1])
        finally:
            await reader.close()

    async def _doubts(self) -> None:
        while True:
            await self.until_or_tick()
            now_s = time.monotonic()
            reason = self.evidence.wants_resync(now_s)
            if reason and self.evidence.heard_at_s is not None:
                self.evidence.asked(now_s)
                with suppress(TransientError):  # nobody serves right now: evidence wants it again
                    answer = await self.ask(reason)
                    self.evidence.answered(answer.epoch, answer.seq, time.monotonic())

    async def until_or_tick(self) -> None:
        """Something was taken in, or time has passed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1), self._changed:
                await self._changed.wait()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _take(self, payload: bytes) -> None:
        self.payloads.append(payload)
        batch = decode_batch(payload)
        accepted = self.evidence.advance(batch, batch_hash(payload))
        for seq, event in enumerate(accepted.events, accepted.first_seq):
            self.operations.append(
                f"{event.op} {event.kind or event.resource or (event.state and event.state.resource)}"
            )
            self._apply(event)
            self.evidence.mark(event.op, event.kind, seq)
        self.evidence.settle()

    def _apply(self, event: ResourceEvent) -> None:
        if event.op == "put":
            assert event.state is not None
            self.resources[event.state.resource] = event.state
            self._unnamed.get(kind_of(event.state.resource), set()).discard(event.state.resource)
        elif event.op == "delete":
            known = self.resources.get(event.resource)
            if known is not None and known.uid == event.uid:
                del self.resources[event.resource]
        elif event.op == "surface":
            self.evidence.surface = Surface(event.surface)
        elif event.op == "sync_start":
            self._unnamed[event.kind] = {name for name in self.resources if kind_of(name) == event.kind}
        elif event.op == "sync_end":
            for name in self._unnamed.pop(event.kind, set()):
                self.resources.pop(name, None)


@asynccontextmanager
async def following(site: SiteName, bus: Bus) -> AsyncIterator[Replica]:
    """A replica that runs while the context lasts."""
    replica = Replica(site, bus)
    task = asyncio.create_task(replica.run())
    try:
        yield replica
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
