"""The labelled cases with several sites, live: three sites of embedded API servers, each with services of its own.

Each is entered at the first site that it names; the verdict is a preview, so no case sees what another one did, and
cases with the same objects follow each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from cheops.mesh import connect
from cheops.sandbox.embedded import EmbeddedProcess
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from tests.accuracy.verdicts.cases import Case, differences, load_cases
from tests.accuracy.verdicts.stage import Body, Stage, Standing, in_order, judged
from tests.contract.api.client import Api

SITES = [SiteName(name) for name in ("lyon", "oslo", "nice")]


def given(case: Case, site: SiteName) -> list[Body]:
    return [one.body for one in case.sites.get(site, ())]


CASES = [case for case in load_cases() if not case.offline_only and not case.flaws and (len(case.sites) > 1)]
CASES.sort(key=lambda case: [in_order(given(case, site)) for site in SITES])


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    made = Testbed(tmp_path_factory.mktemp("labelled"), SITES)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.fixture(scope="module")
def standing() -> dict[SiteName, Standing]:
    return {site: Standing() for site in SITES}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_live_sites_give_the_same_answer(bed: Testbed, standing: dict[SiteName, Standing], case: Case) -> None:
    async with aiohttp.ClientSession() as session, connect(bed.context) as mesh, asyncio.TaskGroup() as setting_up:
        for site in SITES:
            cluster = bed.sites[site].cluster
            assert isinstance(cluster, EmbeddedProcess)
            stage = Stage(Api(session, cluster.server_url, None, ""), mesh, site, given(case, site))
            setting_up.create_task(standing[site].make(stage))
    async with connect(bed.context) as mesh:
        verdict = await judged(mesh, case)
    assert not differences(case.expect, verdict), case.row


def test_most_cases_of_several_sites_are_shown_live() -> None:
    assert len(CASES) >= 40, "a case that only runs offline says why"
