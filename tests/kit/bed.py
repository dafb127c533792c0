"""One embedded site, its three services as processes of their own: started once for a module, whole for each test.

A test may kill what it likes of the services; it keeps to names of its own, for others have been there before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from schemas.identity import SiteName

if TYPE_CHECKING:  # every test run loads this module
    from nats.aio.client import Client

    from cheops.sandbox.testbed import Testbed
    from services.chassis.bus.nats import NatsBus

LAST_LINES = 25


@pytest.fixture(scope="module")
def embedded_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """lyon; belongs to no event loop."""
    from cheops.sandbox.testbed import Testbed

    made = Testbed(tmp_path_factory.mktemp("bed"), ["lyon"], layout="apart")
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.fixture
def standing_bed(embedded_bed: Testbed) -> Testbed:
    """A module may put another in its place."""
    return embedded_bed


@pytest.fixture
async def bed(standing_bed: Testbed) -> AsyncIterator[Testbed]:
    """The module's site, whole again; on a failure the services' last words are shown."""
    await made_whole(standing_bed)
    yield standing_bed
    for site in standing_bed.sites.values():
        for child in site.services.values():
            print(f"── {child.name}\n{child.log_tail(LAST_LINES)}")  # shown by pytest when the test has failed


async def witness(bed: Testbed, site: str = "lyon") -> NatsBus:
    """At a site's server with the administrator's key, on our own port; close it."""
    from services.chassis.bus import nats

    name = SiteName(site)
    return await nats.connect(bed.buses.server(name).url, name="witness", wait=False, identity=bed.identity(name))


async def bare_client(bed: Testbed, site: str = "lyon") -> Client:
    """The same with nothing of ours between; close it."""
    import nats

    name = SiteName(site)
    identity = bed.identity(name)
    credentials = {"nkeys_seed": str(identity.seed_file)} if identity else {}
    return await nats.connect(bed.buses.server(name).url, **credentials)


async def made_whole(bed: Testbed) -> None:
    """What a test before has killed runs again."""
    for name in bed.sites:
        await bed.start_services(name)
    await bed.wait_fresh()
