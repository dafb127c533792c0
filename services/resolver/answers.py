"""Questions to the resolver, answered from memory: preview, graph, why, missing, names, status; and `cancel`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from importlib.metadata import version
from typing import Final, Literal

from schemas import subjects
from schemas.envelope import MessageError
from schemas.identity import IdentityError, KindId, ResourceId
from schemas.intents import BOUND_DEFAULT_S, Intent
from schemas.queries import (
    CancelRequest,
    GraphQuery,
    MissingQuery,
    NamesAnswer,
    NamesQuery,
    Refusal,
    Rehearsal,
    RehearsalAnswer,
    SiteStatus,
    StatusQuery,
    WhyQuery,
)
from schemas.verdicts import Evidence
from services.chassis.bus.port import Bus, Received
from services.resolver.graph import walk
from services.resolver.machine import Machine
from services.resolver.signals import CancelSeen, Moment

SERVICE: Final = "resolver"
Rehearse = Callable[[Rehearsal], Awaitable[RehearsalAnswer | None]]
Cancel = Callable[[CancelSeen], Awaitable[None]]


class Answers:
    """The resolver's request-reply side. Reads the machine between two steps; only `cancel` is a step itself."""

    def __init__(
        self, machine: Machine, bus: Bus, now: Callable[[], Moment], rehearse: Rehearse, cancel: Cancel
    ) -> None:
        self._machine = machine
        self._bus = bus
        self._now = now
        self._rehearse = rehearse
        self._give_up = cancel
        self._started_at: datetime = now().wall

    async def run(self, ready: asyncio.Event | None = None) -> None:
        """Serve until cancelled."""
        handlers = {
            "preview": self._preview,
            "graph": self._graph,
            "why": self._why,
            "missing": self._missing,
            "names": self._names,
            "status": self._status,
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
            if ready is not None:
                ready.set()
            await asyncio.Event().wait()

    async def _preview(self, payload: bytes) -> bytes:
        intent = Intent.from_json(payload)
        rehearsal = self._machine.rehearsal(intent, self._now())
        answer = await self._rehearse(rehearsal) if rehearsal else None
        return self._machine.preview(intent, self._now(), answer).to_json()

    async def _graph(self, payload: bytes) -> bytes:
        query = GraphQuery.from_json(payload)
        resource = self._resolve(query.resource, query.namespace)
        kinds = frozenset(self._machine.evidence.surface.kind(name) for name in query.kinds)
        return walk.neighbourhood(
            self._machine.view(),
            resource,
            direction=query.direction,
            depth=query.depth,
            kinds=kinds,
            phases=frozenset(query.phases),
            limit=query.limit,
            evidence=self._evidence(),
        ).to_json()

    async def _why(self, payload: bytes) -> bytes:
        query = WhyQuery.from_json(payload)
        source = self._resolve(query.source, query.namespace)
        target = self._resolve(query.target, query.namespace)
        return walk.why(self._machine.view(), source, target, evidence=self._evidence()).to_json()

    async def _missing(self, payload: bytes) -> bytes:
        query = MissingQuery.from_json(payload)
        return walk.missing(
            self._machine.view(),
            query.namespace or None,
            optional=query.optional,
            limit=query.limit,
            evidence=self._evidence(),
            sources=self._machine.graph.identities(query.namespace or None),
        ).to_json()

    async def _names(self, payload: bytes) -> bytes:
        query = NamesQuery.from_json(payload)
        surface, graph = self._machine.evidence.surface, self._machine.graph
        if not query.kind:
            called = {one.singular for kind in graph.kinds() if (one := surface.find(kind)) is not None}
            return NamesAnswer(site=self._machine.site, kinds=tuple(sorted(called))).to_json()
        kind = surface.kind(query.kind)
        served = surface.find(kind)
        namespace = (query.namespace or "default") if served is None or served.namespaced else None
        members = (one for one in graph.members(kind, namespace) if one.rpartition("/")[2].startswith(query.prefix))
        found = sorted(members)
        return NamesAnswer(
            site=self._machine.site, resources=tuple(found[: query.limit]), more=max(0, len(found) - query.limit)
        ).to_json()

    async def _cancel(self, payload: bytes) -> bytes:
        request = CancelRequest.from_json(payload)
        if request.intent not in self._machine.docket.deferred:
            known = self._machine.docket.known(request.intent)
            state = f"its verdict is {known.decision}" if known else "no verdict on it is known"
            return Refusal(code="D010", message=f"intent {request.intent} does not wait: {state}").to_json()
        await self._give_up(CancelSeen(request.intent, request.requester))
        verdict = self._machine.docket.known(request.intent)
        assert verdict is not None, "a deferred intent has a verdict"
        return verdict.to_json()

    async def _status(self, payload: bytes) -> bytes:
        StatusQuery.from_json(payload)
        machine, evidence = self._machine, self._machine.evidence
        claim = self._evidence()
        return SiteStatus(
            site=machine.site,
            version=version("cheops"),
            evidence=claim,
            state=_state(claim.fresh, evidence.heard_at_s is not None, evidence.synced),
            blind={KindId(kind): _why_blind(blind.reason, blind.message) for kind, blind in evidence.blind.items()},
            lag=max(0, evidence.published_seq - evidence.seq),
            resources=machine.graph.resource_count,
            edges=machine.graph.edge_count,
            missing=machine.graph.missing_count,
            in_flight=len(machine.docket.active),
            deferred=len(machine.docket.deferred),
            resyncs=evidence.resyncs,
            started_at=self._started_at,
        ).to_json()

    def _evidence(self) -> Evidence:
        return self._machine.evidence.claim(BOUND_DEFAULT_S, self._now().monotonic_s)

    def _resolve(self, text: str, namespace: str) -> ResourceId:
        return self._machine.evidence.surface.resolve(text, namespace)


def _state(fresh: bool, heard: bool, synced: bool) -> Literal["fresh", "silent", "stale", "syncing"]:
    if fresh:
        return "fresh"
    if not heard:
        return "silent"
    return "stale" if synced else "syncing"


def _why_blind(reason: str, message: str) -> str:
    return f"{reason}: {message}" if message else reason


def _refusing(handler: Callable[[bytes], Awaitable[bytes]]) -> Callable[[Received], Awaitable[bytes]]:
    """A question that cannot be answered gets a sentence, not silence."""

    async def answer(received: Received) -> bytes:
        try:
            return await handler(received.payload)
        except (MessageError, IdentityError) as error:
            return Refusal(code="D010", message=str(error)).to_json()

    return answer
