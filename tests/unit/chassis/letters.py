"""Letters, couriers and inboxes in short words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from typing import Any

from schemas import subjects
from schemas.identity import SiteName
from services.chassis.peering.courier import Courier, Limits
from services.chassis.peering.letter import Letter
from services.chassis.peering.parcel import unpack
from tests.kit.linked import Links
from tests.kit.virtual_time import run_virtually
from tests.kit.waiting import eventually

LYON, OSLO, NICE = SiteName("lyon"), SiteName("oslo"), SiteName("nice")
BEGAN = datetime(2030, 1, 1, tzinfo=UTC)


def letter(number: int, to: SiteName = OSLO, what: str = "decide", body: bytes = b"") -> Letter:
    """From lyon, numbered."""
    return Letter(LYON, to, what, f"i-{number}", body or b"%d" % number, f"{to}.{number}")


@asynccontextmanager
async def carrying(bus: Any, limits: Limits | None = None, seed: int = 0) -> AsyncIterator[Courier]:
    """Lyon's courier at work; when the context ends its process dies."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    made = Courier(
        LYON,
        bus,
        limits=limits,
        now_s=loop.time,
        wall=lambda: BEGAN + timedelta(seconds=loop.time()),
        randomness=random.Random(seed),
    )
    running = asyncio.ensure_future(made.run(ready))
    try:
        opened = asyncio.ensure_future(ready.wait())
        await asyncio.wait({running, opened}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if running.done():
            running.result()
        yield made
    finally:
        running.cancel()
        await asyncio.wait({running})


@asynccontextmanager
async def unpacking(links: Links) -> AsyncIterator[None]:
    """Every other site's resolver takes parcels."""
    async with AsyncExitStack() as stack:
        for site in links.buses.keys() - {LYON}:
            take = partial(unpack, links.buses[site], site)
            subject = subjects.peer_filter(site, "parcel")
            await stack.enter_async_context(links.buses[site].serve(subject, take, name="resolver"))
        yield


async def arrived(links: Links, site: SiteName) -> list[bytes]:
    """What the site's server has."""
    stored = links.buses[site].scan(subjects.inbox_stream(site), subjects.filters("INBOX", site))
    return [one.payload async for one in stored]


async def until_arrived(links: Links, site: SiteName, count: int) -> list[bytes]:
    """When so many have arrived; the time of the loop is virtual."""

    async def enough() -> list[bytes]:
        found = await arrived(links, site)
        return found if len(found) >= count else []

    found: list[bytes] = await eventually(enough, f"{count} letters never arrive at {site}", 3_600, pause_s=0.01)
    return found


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on a loop with virtual time."""

    @wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        run_virtually(test(*arguments, **named))

    return run
