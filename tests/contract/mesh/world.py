"""Three sites and what joins them, on real nats-servers, and the users of their roles."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from cheops.sandbox.servers import Servers, Via, directly
from cheops.topology.folder import MeshFolder
from schemas import subjects
from schemas.identity import SiteName
from services.chassis.bus import nats
from services.chassis.bus.identity import identity_of
from services.chassis.bus.nats import NatsBus
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import TransientError
from tests.kit.waiting import eventually

LYON, OSLO, NICE = SiteName("lyon"), SiteName("oslo"), SiteName("nice")
SITES = (LYON, OSLO, NICE)
WAIT_S = 60.0
PUBLISH_TIMEOUT_S = 1.0


@asynccontextmanager
async def mesh(directory: Path, *, routers: int = 2, via: Via = directly) -> AsyncIterator[Servers]:
    """All three, with links up when it is entered."""
    folder = MeshFolder(directory / "mesh")
    folder.init(list(SITES), routers, {})
    async with Servers(folder, via=via, sync="2m") as servers:
        yield servers


@asynccontextmanager
async def user(servers: Servers, site: SiteName, role: str) -> AsyncIterator[NatsBus]:
    """A connection to a site's own server with the key of a role."""
    identity = identity_of(servers.folder.keys_of(site), site, role)
    bus = await nats.connect(servers.sites[site].url, name=f"{role}-{site}", wait=False, identity=identity)
    try:
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def resolvers(servers: Servers, *sites: SiteName) -> AsyncIterator[dict[SiteName, NatsBus]]:
    """Connected as resolvers, with their sites' streams made, each hearing every other."""
    made: dict[SiteName, NatsBus] = {}
    for site in sites or SITES:
        identity = identity_of(servers.folder.keys_of(site), site, "resolver")
        made[site] = await nats.connect(servers.sites[site].url, name=f"resolver-{site}", identity=identity)
        await ensure_streams(made[site], site)
    try:
        for sender, bus in made.items():
            for receiver in made.keys() - {sender}:
                await until_told(bus, sender, receiver)
        yield made
    finally:
        for bus in made.values():
            await bus.close()


async def tell(
    bus: NatsBus, sender: SiteName, receiver: SiteName, name: str = "hello", timeout_s: float = PUBLISH_TIMEOUT_S
) -> int:
    """Publish into the receiver's INBOX, across whatever is between; the number that it got there."""
    subject = subjects.peer(receiver, sender, "ask", name)
    return await bus.publish(subject, b"{}", message_id=f"{sender}-{receiver}-{name}", timeout_s=timeout_s)


async def until_told(bus: NatsBus, sender: SiteName, receiver: SiteName, name: str = "hello") -> float:
    """Try until it is stored; how long that took."""
    return await until(lambda: told(bus, sender, receiver, name))


async def told(bus: NatsBus, sender: SiteName, receiver: SiteName, name: str = "hello") -> bool:
    """Was it stored within PUBLISH_TIMEOUT_S?"""
    try:
        await tell(bus, sender, receiver, name)
    except TransientError:
        return False
    return True


async def until(done: Callable[[], Awaitable[bool]]) -> float:
    """Ask until it is so, for at most WAIT_S; how long that took, in seconds."""
    started_s = time.monotonic()
    await eventually(done, wait_s=WAIT_S, pause_s=0.02)
    return time.monotonic() - started_s


async def inbox_of(bus: NatsBus, site: SiteName) -> list[str]:
    """The subjects that its INBOX holds, in order."""
    stream = subjects.inbox_stream(site)
    return [one.subject async for one in bus.scan(stream, subjects.peer_family(site, SiteName("*")))]
