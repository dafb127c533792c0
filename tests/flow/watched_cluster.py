"""A cluster, a watcher and a replica, joined by a bus in memory; and the few API calls that change the cluster."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from schemas.identity import KindId, SiteName, resource_id
from services.chassis.bus.port import Bus
from services.chassis.kubernetes.connection import Connection, connect
from services.watcher.kubernetes.circumstances import Circumstances, LoopTiming
from services.watcher.kubernetes.cluster import DiscoveryTiming, KubernetesSource
from services.watcher.kubernetes.discovery import discover
from services.watcher.kubernetes.shaping import Shaping
from services.watcher.kubernetes.transport import Timing, Transport
from services.watcher.service import Watcher
from tests.kit.extractors import extractor_for
from tests.kit.waiting import lasting
from tests.unit.watcher.replica import Replica, following

LYON = SiteName("lyon")
QUICK = LoopTiming(silence_s=1.0, backoff_min_s=0.001, backoff_max_s=0.05, settled_s=0.5, forbidden_retry_s=0.1)
QUICK_DISCOVERY = DiscoveryTiming(debounce_s=0.02, follow_ups_s=(0.2, 0.5, 2.0), broken_s=0.1, backoff_max_s=0.1)
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
CORE = "/api/v1/namespaces"


class Api:
    """The API as a user of it sees it."""

    def __init__(self, connection: Connection, session: aiohttp.ClientSession) -> None:
        self._connection = connection
        self._session = session

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """A call that succeeds, or an AssertionError with the server's words."""
        headers = {**await self._connection.headers(), **more.pop("headers", {})}
        url = self._connection.base_url + path
        async with self._session.request(method, url, json=body, headers=headers, **more) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            assert response.status < 300, f"{method} {path}: {response.status} {answer.get('message')}"
            return answer

    async def until_made(self, path: str, body: Any) -> None:
        """Make an object as soon as the server takes it: definitions go and come with some delay."""
        async with asyncio.timeout(30):
            while True:
                try:
                    await self.call("POST", path, body)
                    return
                except (AssertionError, ValueError):  # a path that nobody serves yet is answered in plain text
                    await lasting(0.05)

    async def namespace(self, name: str) -> None:
        """Make a namespace."""
        await self.call("POST", CORE, {"metadata": {"name": name}})

    async def create(self, plural: str, namespace: str, name: str, **content: Any) -> dict[str, Any]:
        """Make an object of the core group."""
        return await self.call("POST", f"{CORE}/{namespace}/{plural}", {"metadata": {"name": name}, **content})

    async def change(self, plural: str, namespace: str, name: str, patch: dict[str, Any]) -> None:
        """Merge a patch into an object of the core group."""
        await self.call("PATCH", f"{CORE}/{namespace}/{plural}/{name}", patch, headers=MERGE_PATCH)

    async def delete(self, plural: str, namespace: str, name: str) -> None:
        """Delete an object of the core group."""
        await self.call("DELETE", f"{CORE}/{namespace}/{plural}/{name}")

    async def everything(self) -> dict[str, tuple[str, str]]:
        """resource → (uid, version) of all that a watcher should know."""
        transport = Transport(self._connection)
        found = await discover(transport)
        known = {}
        for entry in found.served(excluded()):
            if entry.watched:
                resource = found.kinds[entry.kind][0]
                for item in (await self.call("GET", resource.path))["items"]:
                    meta = item["metadata"]
                    name = resource_id(resource.group, resource.kind, meta.get("namespace", ""), meta["name"])
                    known[str(name)] = (meta["uid"], meta["resourceVersion"])
        await transport.close()
        return known


def excluded() -> frozenset[KindId]:
    """What the source leaves out unless told otherwise."""
    from services.watcher.kubernetes.cluster import EXCLUDED

    return EXCLUDED


@asynccontextmanager
async def api_of(kubeconfig: Path) -> AsyncIterator[Api]:
    """A user of the cluster."""
    connection = await connect(kubeconfig)
    connector = aiohttp.TCPConnector(ssl=connection.ssl_context or False)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Api(connection, session)


@asynccontextmanager
async def watching(
    kubeconfig: Path,
    bus: Bus,
    *,
    timing: LoopTiming = QUICK,
    watch_list: bool = True,
    discovery: DiscoveryTiming = QUICK_DISCOVERY,
) -> AsyncIterator[Watcher]:
    """A watcher of the cluster; killed at the end of the context."""
    transport = Transport(await connect(kubeconfig), Timing(silence_s=timing.silence_s))
    around = Circumstances(
        transport, Shaping(extractor_for), random.Random(1), time.monotonic, timing, watch_list=watch_list
    )
    source = KubernetesSource(around, timing=discovery)
    watcher = Watcher(LYON, source, bus, clock=time.monotonic, randomness=random.Random(1), heartbeat_s=0.05)
    ready = asyncio.Event()
    task = asyncio.create_task(watcher.run(ready))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    waiting.cancel()
    try:
        yield watcher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_equal(replica: Replica, api: Api) -> None:
    """Wait until the replica is fresh and equals the API server's store."""
    async with asyncio.timeout(30):
        while True:
            await replica.until_fresh()
            if replica.versions == await api.everything():
                return


__all__ = ["LYON", "QUICK", "QUICK_DISCOVERY", "Api", "api_of", "following", "until_equal", "watching"]
