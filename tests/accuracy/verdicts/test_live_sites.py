"""The labelled cases with several sites, live: three sites of embedded API servers, each with services of its own.

Each is entered at the first site that it names; the verdict is a preview, so no case sees what another one did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from cheops.mesh import connect
from cheops.sandbox.embedded import EmbeddedProcess
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from tests.accuracy.verdicts.cases import Case, differences, load_cases
from tests.accuracy.verdicts.stage import Stage, judged
from tests.contract.api.client import Api

CASES = [case for case in load_cases() if not case.offline_only and not case.flaws and (len(case.sites) > 1)]
SITES = [SiteName(name) for name in ("lyon", "oslo", "nice")]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    made = Testbed(tmp_path_factory.mktemp("labelled"), SITES)
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_live_sites_give_the_same_answer(bed: Testbed, case: Case) -> None:
    async with AsyncExitStack() as held:
        session = await held.enter_async_context(aiohttp.ClientSession())
        mesh = await held.enter_async_context(connect(bed.context))
        for name, documents in case.sites.items():
            cluster = bed.sites[SiteName(name)].cluster
            assert isinstance(cluster, EmbeddedProcess)
            api = Api(session, cluster.server_url, None, "")
            stage = Stage(api, mesh, SiteName(name), [one.body for one in documents])
            held.push_async_callback(stage.tear_down)
            await stage.set_up()
        verdict = await judged(mesh, case)
    assert not differences(case.expect, verdict), case.row


def test_most_cases_of_several_sites_are_shown_live() -> None:
    assert len(CASES) >= 40, "a case that only runs offline says why"
