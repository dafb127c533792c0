"""The three sites, started once for all faults; each fault finds them whole and leaves them so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from cheops.sandbox.controlplane import ControlPlaneMissingError
from cheops.sandbox.testbed import Testbed
from tests.e2e.faults.world import ENGINE, LYON, NICE, OSLO, Sites, sites_of
from tests.kit.bed import LAST_LINES, made_whole
from tests.kit.controlplane import give_up


@pytest.fixture(scope="package")
def three_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """Belongs to no event loop."""
    try:
        directory = tmp_path_factory.mktemp("faults")
        made = Testbed(directory, [LYON, OSLO, NICE], engine=ENGINE, layout="apart")
    except ControlPlaneMissingError as error:
        give_up(error)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.fixture
async def sites(three_sites: Testbed) -> AsyncIterator[Sites]:
    """Whole; on a failure the services' last words are shown."""
    async with sites_of(three_sites) as made:
        await made_whole(three_sites)
        await made.whole()
        yield made
    for site in three_sites.sites.values():
        for child in site.services.values():
            print(f"── {child.name}\n{child.log_tail(LAST_LINES)}")
