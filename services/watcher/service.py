"""Cluster → bus: take an epoch, follow the surface, follow every kind, say every second how well that goes.

    source.surfaces() ─▶ start and stop kinds ─▶ source.observe(kind) ─▶ follower ─▶ publisher ─▶ EVENTS
    api.watcher.<site>.resync ─▶ ask every follower ─▶ sync_same, or observe again and announce

Facts of a kind come from one task, and the ledger changes together with the queue, so whatever is cancelled or killed
between the API server and the bus is found again by the next listing or the next epoch.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from contextlib import aclosing

import structlog

from schemas import subjects
from schemas.envelope import MessageError
from schemas.events import ResourceEvent, ResourceState, ServedKind, encode
from schemas.identity import KindId, SiteName, split_kind
from schemas.queries import Refusal, ResyncAnswer, ResyncRequest
from services.chassis import metrics
from services.chassis.bus.port import Bus, Received
from services.chassis.errors import CheopsError, TransientError
from services.watcher.figures import figures
from services.watcher.health import WatchHealth
from services.watcher.heart import HEARTBEAT_S, PULSE_S, Heart
from services.watcher.publisher import TURN_MAX, Publisher
from services.watcher.seat import status_subject, take_seat
from services.watcher.source import Health, Listed, Observation, Source, Unreadable
from services.watcher.telling.batching import OversizedFactError
from services.watcher.telling.following import EMPTY, KindFollower

log = structlog.get_logger(__name__)


class Watcher:
    """The watcher of one site. `run` once. `read_by`: the edition of the rules by which its source reads."""

    def __init__(
        self,
        site: SiteName,
        source: Source,
        bus: Bus,
        *,
        clock: Callable[[], float],
        randomness: random.Random,
        read_by: str = "",
        heartbeat_s: float = HEARTBEAT_S,
        pulse_s: float = PULSE_S,
    ) -> None:
        self.site = site
        self.health = WatchHealth()
        self.followers: dict[KindId, KindFollower] = {}
        self.publisher: Publisher
        self.heart: Heart
        self._source = source
        self._bus = bus
        self._clock = clock
        self._random = randomness
        self._read_by = read_by
        self._heartbeat_s = heartbeat_s
        self._pulse_s = pulse_s
        self._surface: tuple[ServedKind, ...] | None = None
        self._doubt: dict[KindId, str] | None = None  # a resync asked for before anything was known
        self._running: dict[KindId, asyncio.Task[None]] = {}
        self._waiting: set[KindId] = set()
        self._due = asyncio.Event()
        self._tasks: asyncio.TaskGroup

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Watch until cancelled. Raises WatchedAlreadyError, or ReplacedError when another watcher took over."""
        self.publisher = await take_seat(self._bus, self.site, self._random)
        self.heart = Heart(
            self.publisher, self._source, self._bus, self.health, self._clock, self._heartbeat_s, self._pulse_s
        )
        log.info("watching", site=self.site, epoch=self.publisher.batcher.epoch)
        present = self._bus.serve(status_subject(self.site), self._status, name="watcher")
        serving = self._bus.serve(subjects.api("watcher", self.site, "resync"), self._resync, name="watcher")
        showing = metrics.showing(metrics.Figures(("site",), lambda: figures(self.heart, self.publisher.batcher)))
        try:
            with showing:
                async with present, serving, asyncio.TaskGroup() as tasks:
                    self._tasks = tasks
                    tasks.create_task(self.publisher.run())
                    tasks.create_task(self.heart.beat())
                    tasks.create_task(self.heart.feel_pulse())
                    tasks.create_task(self._follow_surfaces())
                    tasks.create_task(self._supervise())
                    if ready is not None:
                        ready.set()
        except BaseExceptionGroup as group:
            raise _first(group) from group
        finally:
            await self._source.close()

    # ── the surface ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _follow_surfaces(self) -> None:
        async with aclosing(self._source.surfaces()) as surfaces:
            async for served in surfaces:
                await self._take_surface(served)

    async def _take_surface(self, served: tuple[ServedKind, ...]) -> None:
        watched = {entry.kind: entry for entry in served if entry.watched}
        for kind in sorted(self.followers.keys() - watched.keys()):
            await self._stop(kind)
        # From here on nothing is awaited: a resync must find all followers of the surface that it is told, or none.
        first, self._surface = self._surface is None, served
        self._tell(ResourceEvent("surface", surface=served, read_by=self._read_by))
        outdated = self._source.outdated()
        for kind, entry in watched.items():
            known = self.followers.get(kind)
            if known is None:
                self._begin(entry, announce=not first)
                continue
            again = _place(known.served) != _place(entry) or kind in outdated
            known.served, known.reread = entry, known.reread or kind in outdated
            if again:  # until it has been, what is known of it was read by what was served before
                self._note(kind, Health("syncing"))
                self._observe(known)
        if first and self._doubt is not None:
            self._tell(*self._sweep(self._doubt))
        log.info("the surface is known", site=self.site, kinds=len(served), watched=len(watched))

    def _begin(self, served: ServedKind, *, announce: bool) -> None:
        follower = self.followers[served.kind] = KindFollower(served, announce=announce)
        if not announce and self._doubt is not None:
            follower.ask(self._doubt.get(served.kind, EMPTY))
        self._note(served.kind, Health("syncing"))
        self._observe(follower)

    async def _stop(self, kind: KindId) -> None:
        """The kind is not served (or not watched) any more: its resources are gone with it."""
        follower, task = self.followers.pop(kind), self._running.pop(kind, None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        await self.publisher.send(follower.dissolve())
        self.health.forget(kind)

    # ── one kind ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _observe(self, follower: KindFollower) -> None:
        """Have a kind observed (again) from now on."""
        self._waiting.add(follower.served.kind)
        self._due.set()

    async def _supervise(self) -> None:
        """Start what waits. Here alone, because a question may come when the other tasks are ending already."""
        while True:
            await self._due.wait()
            self._due.clear()
            for kind in sorted(self._waiting & self.followers.keys()):
                self._start(kind)
            self._waiting.clear()

    def _start(self, kind: KindId) -> None:
        """What observed the kind before ends first."""
        before = self._running.get(kind)
        if before is not None:
            before.cancel()
        following = self._follow(self.followers[kind], before)
        self._running[kind] = self._tasks.create_task(following, name=f"follow {kind}")

    async def _follow(self, follower: KindFollower, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        while True:
            taken = 0
            async with aclosing(self._source.observe(follower.served, follower.wants)) as observations:
                async for observation in observations:
                    await self._take(follower, observation)
                    taken += 1
                    if taken % TURN_MAX == 0:  # a listing that is there already awaits nothing by itself
                        await asyncio.sleep(0)
                    if isinstance(observation, Listed) and follower.needs_listing:
                        follower.announce()
                        break

    async def _take(self, follower: KindFollower, observation: Observation) -> None:
        kind = follower.served.kind
        if isinstance(observation, Health):
            self._note(kind, observation)
            return
        try:
            await self.publisher.send(follower.take(observation))
        except OversizedFactError as error:
            assert isinstance(observation, ResourceState), "nothing else grows with the size of a resource"
            observation = Unreadable(observation.resource, observation.uid, str(error))
            follower.refuse(observation)
        if isinstance(observation, Unreadable):
            log.error("a resource cannot be told", resource=observation.resource, reason=observation.reason)
        example = _example(follower)
        if self.health.note_unreadable(kind, example):
            self.heart.hurry(blinded=bool(example))

    def _note(self, kind: KindId, health: Health) -> None:
        if self.health.note(kind, health, self._clock()):
            self.heart.hurry(blinded=health.reason != "observed")

    # ── questions ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _status(self, _: Received) -> bytes:
        """Whoever wants to watch this site hears that it is watched."""
        return encode(self.heart.heartbeat())

    async def _resync(self, received: Received) -> bytes:
        try:
            request = ResyncRequest.from_json(received.payload)
        except MessageError as error:
            return Refusal(code="400", message=str(error)).to_json()
        if request.site != self.site:
            return Refusal(code="404", message=f"this is the watcher of {self.site}").to_json()
        if self.publisher.batcher.overfull:
            return Refusal(code="503", message="the bus takes no events: what was asked before waits for it").to_json()
        try:
            # A later epoch than ours is that of whoever replaced us while we hung, unless the stream was lost.
            if request.epoch_seen > self.publisher.batcher.epoch and await self.publisher.is_replaced():
                return Refusal(code="409", message=f"another watcher publishes for {self.site}").to_json()
        except TransientError as error:
            return Refusal(code="503", message=f"the bus does not say who publishes: {error}").to_json()
        return self._answer(request).to_json()

    def _answer(self, request: ResyncRequest) -> ResyncAnswer:
        """Answer at once; what the resolver lacks follows in the stream. Bounded by the number of kinds."""
        batcher = self.publisher.batcher
        if request.epoch_seen > batcher.epoch:
            self.publisher.begin_epoch(request.epoch_seen + 1)
        position, differing = batcher.numbered, 0
        log.info("asked to list again", site=self.site, reason=request.reason, epoch_seen=request.epoch_seen)
        if self._surface is None:
            self._doubt = dict(request.kinds)
        else:
            self._tell(ResourceEvent("surface", surface=self._surface, read_by=self._read_by))
            self._tell(*self._sweep(request.kinds))
            differing = sum(self._question(follower, request.kinds) for follower in self.followers.values())
        return ResyncAnswer(site=self.site, epoch=batcher.epoch, seq=position, differing=differing)

    def _question(self, follower: KindFollower, digests: dict[KindId, str]) -> bool:
        follower.ask(digests.get(follower.served.kind, EMPTY))
        self._tell(*follower.answer())
        if not follower.needs_listing:
            return False
        follower.announce()
        self._observe(follower)
        return True

    def _sweep(self, digests: Iterable[KindId]) -> Iterable[ResourceEvent]:
        """Kinds that the resolver remembers and the site does not serve: nothing of them exists."""
        for kind in sorted(digests):
            if kind not in self.followers and split_kind(kind)[0] not in self._source.unclear():
                yield ResourceEvent("sync_start", kind=kind)
                yield ResourceEvent("sync_end", kind=kind)

    def _tell(self, *events: ResourceEvent) -> None:
        for event in events:
            self.publisher.add(event)


def _place(served: ServedKind) -> tuple[str, str, bool]:
    """Where its objects are listed, and how they are named: another definition of the kind may say otherwise."""
    return served.versions[0], served.plural, served.namespaced


def _example(follower: KindFollower) -> str:
    for resource, reason in follower.unreadable.items():
        return f"{len(follower.unreadable)} cannot be read, for instance {resource}: {reason}"
    return ""


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The reason why the tasks ended: one of ours before anything else."""
    errors: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        error = pending.pop()
        if isinstance(error, BaseExceptionGroup):
            pending += error.exceptions
        else:
            errors.append(error)
    return next((error for error in errors if isinstance(error, CheopsError)), errors[0])
