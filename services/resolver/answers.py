"""Questions to the resolver, answered from memory: how things hang together, how the site is, what would be decided."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from itertools import islice
from typing import Final, Literal

import msgspec

from schemas import subjects
from schemas.envelope import MessageError
from schemas.identity import IdentityError, KindId, ResourceId
from schemas.intents import BOUND_DEFAULT_S, Intent
from schemas.peers import Found, Lookup
from schemas.queries import (
    CancelRequest,
    GatheredAnswer,
    GraphQuery,
    MissingQuery,
    NamesQuery,
    OrderQuery,
    Refusal,
    SiteLinks,
    SiteStatus,
    StatesAnswer,
    StatesQuery,
    StatusQuery,
    WhyQuery,
)
from schemas.release import release
from schemas.verdicts import Evidence
from services.chassis import metrics
from services.chassis.bus.port import Bus, Handler, Received
from services.resolver import questions
from services.resolver.evidence import SiteEvidence
from services.resolver.graph.view import View
from services.resolver.inquiries import Inquiries
from services.resolver.machine import Machine
from services.resolver.signals import CancelSeen, Moment

SERVICE: Final = "resolver"
UNREADABLE: Final = "D010"  # the question
NOT_FOUND: Final = "404"  # what it is about
REFUSED: Final = (MessageError, IdentityError, questions.NoNamespaceError)
NAMES_SLICE: Final = 4_096  # names that are looked at between two turns of everybody else: some milliseconds
Links = Callable[[], Awaitable[SiteLinks]]
Cancel = Callable[[CancelSeen], Awaitable[None]]


class Answers:
    """The resolver's request-reply side. Reads the machine between two steps; only `cancel` is a step itself."""

    def __init__(
        self,
        machine: Machine,
        bus: Bus,
        now: Callable[[], Moment],
        inquiries: Inquiries,
        cancel: Cancel,
        links: Links,
        unstored: Callable[[], str],
    ) -> None:
        self._machine = machine
        self._bus = bus
        self._now = now
        self._inquiries = inquiries
        self._give_up = cancel
        self._links = links
        self._unstored = unstored
        self._started_at: datetime = now().wall
        self._previews_s = metrics.PREVIEW_S.labels(machine.site)

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Serve until cancelled."""
        handlers: dict[str, Callable[[bytes], Awaitable[bytes] | bytes]] = {
            "preview": self._preview,
            "graph": self._graph,
            "gather": self._gather,
            "why": self._why,
            "missing": self._missing,
            "names": self._names,
            "order": self._order,
            "status": self._status,
            "sites": self._sites,
            "states": self._states,
            "cancel": self._cancel,
        }
        async with AsyncExitStack() as stack:
            for verb, handler in handlers.items():
                subject = subjects.api(SERVICE, self._machine.site, verb)
                await stack.enter_async_context(self._bus.serve(subject, _refusing(handler), name=SERVICE))
            everywhere = subjects.api(SERVICE, subjects.EVERY_SITE, "status")
            await stack.enter_async_context(
                self._bus.serve(everywhere, _refusing(self._status), name=f"{SERVICE}-{self._machine.site}")
            )
            between = subjects.peer_filter(self._machine.site, "sites")
            await stack.enter_async_context(self._bus.serve(between, _refusing(self._status), name=SERVICE))
            peers: dict[str, Callable[[bytes], Awaitable[bytes] | bytes]] = {
                "lookup": self._lookup,
                "tree": self._graph,
                "fetch": self._inquiries.fetching.answer,
            }
            for what, peer_handler in peers.items():
                asked = subjects.peer_filter(self._machine.site, what)
                await stack.enter_async_context(self._bus.serve(asked, _refusing(peer_handler), name=SERVICE))
            if ready is not None:
                ready.set()
            await asyncio.Event().wait()

    def _preview(self, payload: bytes) -> bytes | Awaitable[bytes]:
        begun_s = time.perf_counter()
        found = self._inquiries.at_once(payload)
        if found is None:
            intent = Intent.from_json(payload)
            verdict = self._inquiries.known(intent)
            if verdict is None:
                return self._asked(intent, begun_s)
            found = verdict.to_json()
        return self._answered(found, begun_s)

    async def _asked(self, intent: Intent, begun_s: float) -> bytes:
        return self._answered((await self._inquiries.ask_all(intent)).to_json(), begun_s)

    def _answered(self, answer: bytes, begun_s: float) -> bytes:
        self._previews_s.observe(time.perf_counter() - begun_s)
        return answer

    def _graph(self, payload: bytes) -> bytes:
        return questions.graph(self._view(), GraphQuery.from_json(payload), self._evidence()).to_json()

    async def _gather(self, payload: bytes) -> bytes:
        query = GraphQuery.from_json(payload)
        own = questions.graph(self._view(), query, self._evidence())
        answers, silent = await self._inquiries.gather(query)
        return GatheredAnswer(site=self._machine.site, answers=(own, *answers), silent=silent).to_json()

    def _why(self, payload: bytes) -> bytes:
        return questions.why(self._view(), WhyQuery.from_json(payload), self._evidence()).to_json()

    async def _missing(self, payload: bytes) -> bytes:
        query = MissingQuery.from_json(payload)
        for answer in questions.missing(self._view(), self._machine.graph, query, self._evidence()):
            if answer is not None:
                return answer.to_json()
            await asyncio.sleep(0)
        raise AssertionError("an answer comes last")

    def _names(self, payload: bytes) -> bytes:
        return questions.names(self._machine.graph, NamesQuery.from_json(payload)).to_json()

    def _order(self, payload: bytes) -> bytes:
        return questions.order(self._view(), OrderQuery.from_json(payload), self._evidence()).to_json()

    def _view(self) -> View:
        return self._machine.view()

    async def _cancel(self, payload: bytes) -> bytes:
        request = CancelRequest.from_json(payload)
        if request.intent not in self._machine.docket.deferred:
            known = self._machine.docket.known(request.intent)
            state = f"its verdict is {known.decision}" if known else "no verdict on it is known"
            return Refusal(code=UNREADABLE, message=f"intent {request.intent} does not wait: {state}").to_json()
        await self._give_up(CancelSeen(request.intent, request.requester))
        verdict = self._machine.docket.known(request.intent)
        assert verdict is not None, "a deferred intent has a verdict"
        return verdict.to_json()

    async def _states(self, payload: bytes) -> bytes:
        query = StatesQuery.from_json(payload)
        wanted = frozenset(self._machine.evidence.surface.kind(name) for name in query.kinds)
        graph = self._machine.graph
        names = (one for kind in wanted or graph.kinds() for one in graph.members(kind) if one > query.after)
        page: list[ResourceId] = []
        while some := [*islice(names, NAMES_SLICE)]:
            page = heapq.nsmallest(query.limit + 1, {*page, *some})
            await asyncio.sleep(0)
        states = [state for one in page[: query.limit] if (state := graph.find(one)) is not None]
        return StatesAnswer(
            states=tuple(msgspec.to_builtins(state) for state in states),
            more=len(page) > query.limit,
            evidence=self._evidence(),
        ).to_json()

    async def _status(self, payload: bytes) -> bytes:
        StatusQuery.from_json(payload)
        missing = 0
        for count in self._machine.graph.missing():  # it may change meanwhile: a number to look at
            missing += count
            await asyncio.sleep(0)
        machine, evidence = self._machine, self._machine.evidence
        claim = self._evidence()
        return SiteStatus(
            site=machine.site,
            version=release(),
            evidence=claim,
            state=state_of(evidence, BOUND_DEFAULT_S, self._now().monotonic_s),
            reads_otherwise=machine.desk.ruling.reads_otherwise,
            unstored=self._unstored(),
            blind={KindId(kind): _why_blind(blind.reason, blind.message) for kind, blind in evidence.blind.items()},
            lag=max(0, evidence.published_seq - evidence.seq),
            resources=machine.graph.resource_count,
            edges=machine.graph.edge_count,
            missing=missing,
            in_flight=len(machine.docket.active),
            deferred=len(machine.docket.deferred),
            resyncs=evidence.resyncs,
            started_at=self._started_at,
            at=self._now().wall,
            executor_silent=self._inquiries.fetching.executor_silent,
            executor_ahead_s=self._inquiries.fetching.executor_ahead_s,
        ).to_json()

    def _lookup(self, payload: bytes) -> bytes:
        """Of another site: which of these are here."""
        lookup, graph = Lookup.from_json(payload), self._machine.graph
        here = tuple(one for one in lookup.resources if graph.find(one) is not None)
        return Found(site=self._machine.site, resources=here, fresh=self._evidence().fresh).to_json()

    async def _sites(self, payload: bytes) -> bytes:
        StatusQuery.from_json(payload)
        return (await self._links()).to_json()

    def _evidence(self) -> Evidence:
        return self._machine.evidence.claim(BOUND_DEFAULT_S, self._now().monotonic_s)


def state_of(evidence: SiteEvidence, bound_s: float, now_s: float) -> Literal["fresh", "silent", "stale", "syncing"]:
    """What a person calls it: a site of which some kind is still being listed is not ready, whatever is fresh of it."""
    if evidence.heard_at_s is None:
        return "silent"
    if not evidence.synced or any(blind.reason == "syncing" for blind in evidence.blind.values()):
        return "syncing"
    return "fresh" if evidence.claim(bound_s, now_s).fresh else "stale"


def _why_blind(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason


def _refusing(handler: Callable[[bytes], Awaitable[bytes] | bytes]) -> Handler:
    """A question that cannot be answered gets a sentence, not silence."""

    def answer(received: Received) -> Awaitable[bytes] | bytes:
        try:
            found = handler(received.payload)
        except REFUSED as error:
            return _refusal(error)
        return found if isinstance(found, bytes) else late(found)

    async def late(found: Awaitable[bytes]) -> bytes:
        try:
            return await found
        except REFUSED as error:
            return _refusal(error)

    return answer


def _refusal(error: Exception) -> bytes:
    code = NOT_FOUND if isinstance(error, questions.NoNamespaceError) else UNREADABLE
    return Refusal(code=code, message=str(error)).to_json()
