"""What a resolver asks of others while it goes on: a dry run, a new listing, what all sites would say."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from schemas import subjects
from schemas.envelope import MessageError
from schemas.events import ResourceState
from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from schemas.peers import Found, Lookup
from schemas.queries import GraphAnswer, GraphQuery, Refusal, ResyncAnswer, SilentSite
from schemas.rehearsals import Rehearsal, RehearsalAnswer
from schemas.verdicts import Verdict
from services.chassis.bus.port import Bus
from services.chassis.errors import TooLargeError, TransientError
from services.resolver.fetching import Fetching
from services.resolver.hearing import Elsewhere
from services.resolver.machine import Machine
from services.resolver.plain import answered_at_once
from services.resolver.signals import (
    AskPeers,
    AskRehearsal,
    AskResync,
    AskSupply,
    Moment,
    PeersFound,
    PreviewSeen,
    Rehearsed,
    ResyncAnswered,
    Signal,
)

REHEARSAL_TIMEOUT_S: Final = 5.0
RESYNC_TIMEOUT_S: Final = 2.0
LOOKUP_TIMEOUT_S: Final = 1.0
GATHER_TIMEOUT_S: Final = 5.0
PREVIEW_TIMEOUT_S: Final = 14.0  # who asks waits 15 s

Step = Callable[[Signal], Awaitable[None]]

log = structlog.get_logger(__name__)


class Inquiries:
    """One resolver's; each answer comes back to the machine as a signal."""

    def __init__(
        self,
        site: SiteName,
        bus: Bus,
        machine: Machine,
        now: Callable[[], Moment],
        step: Step,
        fetching: Fetching,
    ) -> None:
        self.fetching = fetching
        self._site = site
        self._bus = bus
        self._machine = machine
        self._now = now
        self._step = step
        self._previews: dict[str, asyncio.Future[Verdict]] = {}

    def at_once(self, payload: bytes) -> bytes | None:
        """The answer to a plain question (plain.py); None when it is another."""
        return answered_at_once(self._machine.desk, payload, self._now())

    def known(self, intent: Intent) -> Verdict | None:
        """A preview that needs nobody else's word; None when it does, see `ask_all`."""
        if intent.manifests or self._machine.together.coordinator.reading.concerns(intent):
            return None
        now = self._now()
        verdict = self._machine.preview(intent, now)
        return None if self._machine.desk.to_look_up(verdict, now) else verdict

    async def ask_all(self, intent: Intent) -> Verdict:
        """A preview: of this site, or of all sites in the intent's scope. Raises MessageError when none comes."""
        if not self._machine.together.coordinator.reading.concerns(intent):
            intake = self._machine.take_in(intent, self._now())
            rehearsal = self._machine.rehearsal(intake)
            answer = await self._rehearse(rehearsal) if rehearsal else None
            intake = intake if answer is None else intake.rehearsed(answer)
            verdict = self._machine.preview(intent, self._now(), intake)
            lacking = self._machine.desk.to_look_up(verdict, self._now())
            if not lacking:
                return verdict
            elsewhere = await self._look_up(lacking)
            if not elsewhere:
                return self._machine.preview(intent, self._now(), intake, elsewhere)
        asking = self._previews[intent.id] = asyncio.get_running_loop().create_future()
        try:
            await self._step(PreviewSeen(intent.model_copy(update={"preview": True})))
            return await asyncio.wait_for(asking, PREVIEW_TIMEOUT_S)
        except TimeoutError:
            raise MessageError(f"intent {intent.id}: no verdict of all sites within {PREVIEW_TIMEOUT_S:g} s") from None
        finally:
            self._previews.pop(intent.id, None)

    def tell(self, verdict: Verdict) -> None:
        """The answer to a preview."""
        asking = self._previews.pop(verdict.intent, None)
        if asking is not None and not asking.done():
            asking.set_result(verdict)

    async def ask(self, effect: AskRehearsal | AskResync | AskPeers | AskSupply) -> None:
        """What the machine wants to know."""
        match effect:
            case AskRehearsal():
                await self._step(Rehearsed(effect.intent, await self._rehearse(effect.rehearsal)))
            case AskPeers():
                await self._step(PeersFound(effect.intent, await self._look_up(effect.resources)))
            case AskSupply():
                await self._step(await self.fetching.supply(effect))
            case AskResync():
                await self._ask_resync(effect)

    async def _rehearse(self, rehearsal: Rehearsal) -> RehearsalAnswer | None:
        """The API server's word through the executor; None when it cannot be had in time."""
        subject = subjects.api("executor", self._site, "rehearse")
        try:
            reply = await self._bus.request(subject, rehearsal.to_json(), REHEARSAL_TIMEOUT_S)
            return _checked(RehearsalAnswer.from_json(reply.payload))
        except (TransientError, TooLargeError, MessageError) as error:
            log.warning("the executor did not rehearse", site=self._site, error=str(error))
            return None

    async def _look_up(self, resources: tuple[ResourceId, ...]) -> Elsewhere:
        near = self._machine.desk.neighbours.near(self._now().monotonic_s)
        answers = await asyncio.gather(*(self._look_up_at(peer, resources) for peer in near))
        found: dict[ResourceId, tuple[SiteName, ...]] = {}
        for peer, have in zip(near, answers, strict=True):
            for resource in have:
                found[resource] = (*found.get(resource, ()), peer)
        return found

    async def _look_up_at(self, peer: SiteName, resources: tuple[ResourceId, ...]) -> tuple[ResourceId, ...]:
        """What a peer has of these; nothing when it does not say so in time."""
        subject = subjects.peer(peer, self._site, "lookup", uuid.uuid4().hex)
        try:
            lookup = Lookup(sender=self._site, receiver=peer, resources=resources)
            reply = await self._bus.request(subject, lookup.to_json(), LOOKUP_TIMEOUT_S)
            found = Found.from_json(reply.payload)
        except (TransientError, MessageError) as error:
            log.warning("a peer did not say what it has", site=self._site, peer=peer, error=str(error))
            return ()
        return tuple(one for one in found.resources if one in resources) if found.site == peer else ()

    async def gather(self, query: GraphQuery) -> tuple[tuple[GraphAnswer, ...], tuple[SilentSite, ...]]:
        """The same question to every other site; who does not answer is named."""
        neighbours, now_s = self._machine.desk.neighbours, self._now().monotonic_s
        peers = sorted(neighbours.known)
        words = await asyncio.gather(*(self._graph_of(peer, query, neighbours.age_s(peer, now_s)) for peer in peers))
        answers = tuple(one for one in words if isinstance(one, GraphAnswer))
        return answers, tuple(one for one in words if isinstance(one, SilentSite))

    async def _graph_of(self, peer: SiteName, query: GraphQuery, age_s: float | None) -> GraphAnswer | SilentSite:
        if not self._machine.desk.neighbours.reachable(peer, self._now().monotonic_s):
            return SilentSite(site=peer, why="never heard" if age_s is None else f"last heard {age_s:.0f} s ago")
        subject = subjects.peer(peer, self._site, "tree", uuid.uuid4().hex)
        try:
            reply = await self._bus.request(subject, query.to_json(), GATHER_TIMEOUT_S)
            answer = GraphAnswer.from_json(reply.payload)
        except TransientError as error:
            return SilentSite(site=peer, why=f"no answer within {GATHER_TIMEOUT_S:g} s ({error})")
        except MessageError:
            return SilentSite(site=peer, why=_refused(reply.payload))
        return answer if answer.site == peer else SilentSite(site=peer, why=f"it answered as {answer.site[:80]!r}")

    async def _ask_resync(self, effect: AskResync) -> None:
        """Of the watcher, which lists again."""
        subject = subjects.api("watcher", self._site, "resync")
        log.info("asking the watcher to list again", site=self._site, reason=effect.request.reason)
        try:
            reply = await self._bus.request(subject, effect.request.to_json(), RESYNC_TIMEOUT_S)
            answer = ResyncAnswer.from_json(reply.payload)
        except (TransientError, MessageError) as error:
            log.warning("the watcher did not answer", site=self._site, error=str(error))
            return
        await self._step(ResyncAnswered(answer))


def _checked(answer: RehearsalAnswer) -> RehearsalAnswer:
    """Its states are states, of what they are said to be. Raises MessageError: another version may write others."""
    for one in answer.results:
        try:
            state = msgspec.convert(one.after, ResourceState) if one.after else None
        except msgspec.ValidationError as error:
            raise MessageError(f"results: {one.resource[:80]!r}: after: {error}") from error
        if state is not None and state.resource != one.resource:
            raise MessageError(f"results: {one.resource[:80]!r}: after: is of {state.resource[:80]!r}")
    return answer


def _refused(payload: bytes) -> str:
    try:
        return Refusal.from_json(payload).message
    except MessageError as error:
        return f"its answer is none ({error})"
