"""An application made of dictionaries that keeps the port `services.watcher.source.Source`.

It can be changed, its kinds can come and go, its watches can break, and it counts how often it was listed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator

from schemas.events import ResourceState, ServedKind
from schemas.identity import KindId, ResourceId
from services.chassis.errors import TransientError
from services.watcher.source import Gone, Health, Listed, Listing, Observation, Seen, Wants


def served(kind: str, *, watched: bool = True) -> ServedKind:
    """A kind of the shelf."""
    return ServedKind(KindId(kind), kind.lower() + "s", ("v1",), watched=watched)


class Shelf:
    """Objects by kind and name. Every change has the next version; watches begin with a listing."""

    def __init__(self, *kinds: str) -> None:
        self.objects: dict[KindId, dict[ResourceId, ResourceState]] = {KindId(kind): {} for kind in kinds}
        self.listings: Counter[str] = Counter()
        self.silent_groups: dict[str, str] = {}
        self.closed = False
        self.trouble = ""
        self.reads_otherwise: frozenset[KindId] = frozenset()
        self.lists = asyncio.Event()  # cleared: listings take until it is set again
        self.lists.set()
        self.awake = asyncio.Event()
        self.awake.set()
        self._version = 0
        self._watches: dict[KindId, set[asyncio.Queue[Observation]]] = {}
        self._shown = asyncio.Event()

    # ── changing it ─────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, kind: str, name: str, *, uid: str = "", padding: int = 0) -> ResourceState:
        """Create or change. Without `uid` it stays the same object."""
        self._version += 1
        resource = ResourceId(f"{kind}/shop/{name}")
        known = self.objects[KindId(kind)].get(resource)
        chosen = uid or (known.uid if known else f"uid-{self._version}")
        labels = {"padding": "x" * padding} if padding else {}
        state = ResourceState(resource, uid=chosen, resource_version=str(self._version), labels=labels)
        self.objects[KindId(kind)][resource] = state
        self._tell(KindId(kind), state)
        return state

    def delete(self, kind: str, name: str) -> None:
        """Delete; harmless when it does not exist."""
        self._version += 1
        resource = ResourceId(f"{kind}/shop/{name}")
        known = self.objects[KindId(kind)].pop(resource, None)
        if known is not None:
            self._tell(KindId(kind), Gone(resource, known.uid, str(self._version)))

    def serve(self, kind: str) -> None:
        """A kind appears."""
        self.objects[KindId(kind)] = {}
        self._show()

    def withdraw(self, kind: str) -> None:
        """A kind disappears with everything in it."""
        del self.objects[KindId(kind)]
        self._show()

    def say(self, kind: str, observation: Observation) -> None:
        """Put an observation into the open watches."""
        self._tell(KindId(kind), observation)

    def break_watches(self, kind: str) -> None:
        """Open watches lose what they have not read yet, and list again."""
        for queue in self._watches.get(KindId(kind), ()):
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(Listing())

    @property
    def versions(self) -> dict[str, tuple[str, str]]:
        """resource → (uid, version)."""
        states = [state for objects in self.objects.values() for state in objects.values()]
        return {state.resource: (state.uid, state.resource_version) for state in states}

    def _show(self) -> None:
        self._shown.set()

    def _tell(self, kind: KindId, observation: Observation) -> None:
        for queue in self._watches.get(kind, ()):
            queue.put_nowait(observation)

    # ── the port ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def surfaces(self) -> AsyncGenerator[tuple[ServedKind, ...], None]:
        """What it serves, whenever that changes."""
        while True:
            self._shown.clear()
            yield tuple(served(kind) for kind in sorted(self.objects))
            await self._shown.wait()

    async def observe(self, served: ServedKind, wants: Wants) -> AsyncGenerator[Observation, None]:
        """A listing, then what happens."""
        queue: asyncio.Queue[Observation] = asyncio.Queue()
        watches = self._watches.setdefault(served.kind, set())
        watches.add(queue)
        queue.put_nowait(Listing())
        try:
            while True:
                observation = await queue.get()
                if isinstance(observation, Listing):
                    yield Health("syncing")
                    self.listings[served.kind] += 1
                    await self.lists.wait()
                    while not queue.empty():
                        queue.get_nowait()  # the listing covers it
                    yield observation
                    for state in list(self.objects.get(served.kind, {}).values()):
                        identity = (state.resource, state.uid, state.resource_version)
                        yield state if wants(*identity) else Seen(*identity)
                    yield Listed()
                    yield Health("observed")
                else:
                    yield observation
        finally:
            watches.discard(queue)

    def outdated(self) -> frozenset[KindId]:
        """As the test says."""
        return self.reads_otherwise

    def unclear(self) -> dict[str, str]:
        """As the test says."""
        return self.silent_groups

    async def pulse(self) -> None:
        """Reachable, unless the test says otherwise."""
        if self.trouble:
            raise TransientError(self.trouble)
        await self.awake.wait()

    async def close(self) -> None:
        """Nothing to release."""
        self.closed = True
