"""A Kubernetes API server as a Source: discovery, and one loop per kind.

Discovery is repeated when a definition changes (CRD, APIService), when a kind turns out to be gone, and now and then.
Changes are waited out for a moment (an operator installs fifty definitions at once), and looked at again a few times
after, because the API server's own discovery follows its definitions with some delay. Kinds that vanish do so only at
the word of one that calls itself ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Final

import structlog

from schemas.events import ResourceState, ServedKind
from schemas.identity import KindId
from schemas.kinds import Surface
from schemas.relations.carried import KIND as CONFIG_MAP
from services.chassis.backoff import Backoff
from services.chassis.errors import TransientError
from services.watcher.kubernetes.circumstances import Circumstances
from services.watcher.kubernetes.discovery import Discovered, discover
from services.watcher.kubernetes.kind_loop import KindLoop
from services.watcher.kubernetes.rights import RIGHTS
from services.watcher.kubernetes.ruling import Ruling
from services.watcher.kubernetes.transport import ApiError, Transport
from services.watcher.source import Gone, Health, Observation, Seen, Wants

DEFINITIONS: Final = frozenset({"apiextensions.k8s.io/CustomResourceDefinition", "apiregistration.k8s.io/APIService"})
EXCLUDED: Final = frozenset({KindId("Event"), KindId("events.k8s.io/Event"), KindId("coordination.k8s.io/Lease")})

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DiscoveryTiming:
    """When to discover again, seconds. Tests make them small."""

    debounce_s: float = 0.5
    follow_ups_s: tuple[float, ...] = (2.0, 5.0, 15.0)
    broken_s: float = 15.0
    period_s: float = 600.0
    backoff_min_s: float = 0.1
    backoff_max_s: float = 30.0


class KubernetesSource:
    """Implements services.watcher.source.Source."""

    def __init__(
        self,
        around: Circumstances,
        excluded: frozenset[KindId] = EXCLUDED,
        timing: DiscoveryTiming | None = None,
        ruling: Ruling | None = None,
    ) -> None:
        self._ruling = ruling
        self._around = around
        self._excluded = excluded
        self._timing = timing or DiscoveryTiming()
        self._discovered = Discovered({})
        self._outdated: frozenset[KindId] = frozenset()
        self._due = asyncio.Event()
        self._follow_ups: list[float] = []

    async def surfaces(self) -> AsyncGenerator[tuple[ServedKind, ...], None]:
        """The served kinds now, then whenever they change."""
        backoff = Backoff(self._timing.backoff_min_s, self._timing.backoff_max_s, self._around.randomness)
        last: tuple[ServedKind, ...] | None = None
        while True:
            try:
                if self._ruling is not None:
                    await self._ruling.begin(self._around.transport)
                self._discovered = await self._look()
            except TransientError as error:
                log.warning("the API server does not say what it serves", reason=str(error))
                await asyncio.sleep(backoff.next(error.retry_after_s))
                continue
            backoff.reset()
            served = self._discovered.served(self._excluded)
            if served != last:
                last = served
                self._outdated = self._around.shaping.use(Surface(served))
                yield served
            await self._until_due()

    async def _look(self) -> Discovered:
        """What is served now. Raises TransientError when nothing can be said, or not be believed.

        An API server that starts answers for some seconds without the kinds of definitions, and as if that were all; it
        does not call itself ready meanwhile. So nothing is taken for all there is, or for gone, before it does.
        """
        transport, known = self._around.transport, self._discovered
        found = await discover(transport, known)
        if known.kinds and known.kinds.keys() <= found.kinds.keys():
            return found
        await _ensure_ready(transport)
        return await discover(transport, known)

    def outdated(self) -> frozenset[KindId]:
        """Kinds whose resources read differently on the last surface."""
        return self._outdated

    def unclear(self) -> dict[str, str]:
        """Groups that do not answer, with the reason."""
        return {name.rpartition("/")[0]: reason for name, reason in self._discovered.broken.items()}

    async def observe(self, served: ServedKind, wants: Wants) -> AsyncGenerator[Observation, None]:
        """Observe one kind from a new listing on."""
        resources = self._discovered.kinds.get(served.kind)
        if resources is None:
            yield Health("gone", "it is not served any more")
            await asyncio.Event().wait()  # until the service has taken the surface in and ends this
            return
        ruling = self._ruling if served.kind == CONFIG_MAP else None
        if ruling is not None:
            wants = ruling.wanting(wants)
        loop = KindLoop(resources[0], wants, self._around, self._rediscover)
        defines, permits = served.kind in DEFINITIONS, served.kind in RIGHTS
        async with aclosing(loop.observe()) as observations:
            async for observation in observations:
                if (defines or permits) and isinstance(observation, (ResourceState, Seen, Gone)):
                    self._rediscover() if defines else self._around.rights.note_change()
                for one in (observation,) if ruling is None else await ruling.take(observation):
                    yield one

    async def pulse(self) -> None:
        """Any answer counts: one that refuses or is overloaded is there."""
        with suppress(ApiError):
            await self._around.transport.get("/version")

    async def close(self) -> None:
        """Release connections."""
        await self._around.transport.close()

    def _rediscover(self) -> None:
        self._due.set()

    async def _until_due(self) -> None:
        wait_s = self._timing.broken_s if self._discovered.broken else self._timing.period_s
        if self._follow_ups:
            wait_s = self._follow_ups.pop(0)
        try:
            async with asyncio.timeout(wait_s):
                await self._due.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._timing.debounce_s)
        self._due.clear()
        self._follow_ups = list(self._timing.follow_ups_s)


async def _ensure_ready(transport: Transport) -> None:
    """Raises TransientError when the API server says that it is not. One that does not say is believed.

    To be asked after something that was allowed: while it starts it refuses everybody everything.
    """
    try:
        await transport.get("/readyz")
    except ApiError as error:
        if error.status >= 500 or error.status == 429:
            raise TransientError(f"it is not ready ({error})", error.retry_after_s) from error
