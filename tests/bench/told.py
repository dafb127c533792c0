"""A source for the real watcher that lists a fleet's states from memory: reading an API server is not measured here."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncGenerator

from msgspec import structs

from schemas.events import ResourceState, ServedKind
from schemas.identity import KindId, kind_of
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from services.watcher.source import Health, Listed, Listing, Observation, Seen, Wants
from tests.bench.fleet import Fleet


class ToldFleet:
    """Keeps the port `services.watcher.source.Source`; nothing changes before `change`."""

    def __init__(self, size: int) -> None:
        self._surface = builtin_surface()
        self._changed = asyncio.Condition()
        self._rounds: list[tuple[int, int]] = []
        extractor = Extractor(load_catalogue(), self._surface)
        self.states: dict[KindId, list[ResourceState]] = defaultdict(list)
        for body in Fleet(size).bodies():
            state = extractor.state(body)
            self.states[kind_of(state.resource)].append(state)

    @property
    def size(self) -> int:
        """How many resources it has."""
        return sum(map(len, self.states.values()))

    async def surfaces(self) -> AsyncGenerator[tuple[ServedKind, ...], None]:
        """Once."""
        yield tuple(self._surface.served.values())
        await asyncio.Event().wait()

    async def change(self, part: int = 0, parts: int = 1) -> None:
        """Every resource is at another version; with `parts`, every so manieth of each kind."""
        async with self._changed:
            self._rounds.append((part, parts))
            self._changed.notify_all()

    async def observe(self, served: ServedKind, wants: Wants) -> AsyncGenerator[Observation, None]:
        """A listing, and then every change."""
        yield Listing()
        for state in self.states.get(served.kind, ()):
            known = (state.resource, state.uid, state.resource_version)
            yield state if wants(*known) else Seen(*known)
        yield Listed()
        yield Health("observed")
        for round_ in itertools.count(1):
            async with self._changed:
                await self._changed.wait_for(lambda wanted=round_: len(self._rounds) >= wanted)
            part, parts = self._rounds[round_ - 1]
            for state in self.states.get(served.kind, [])[part::parts]:
                yield structs.replace(state, resource_version=f"{state.resource_version}{round_}")

    def outdated(self) -> frozenset[KindId]:
        """None."""
        return frozenset()

    def unclear(self) -> dict[str, str]:
        """None."""
        return {}

    async def pulse(self) -> None:
        """Always there."""

    async def close(self) -> None:
        """Nothing to release."""
