"""The same labelled cases on a live site: embedded API server, watcher, resolver, executor, a real nats-server.

The manifests were applied by us before, the verdict is a preview. Cases about flawed evidence and what
an API server does not let one create say why they stay offline; those with several sites are in test_live_sites.py.
A preview changes nothing, so cases with the same objects follow each other and find them there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from cheops.mesh import Mesh, connect
from cheops.sandbox.embedded import EmbeddedProcess
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from schemas.verdicts import Verdict
from tests.accuracy.verdicts.cases import Case, differences, load_cases
from tests.accuracy.verdicts.stage import WAIT_S, Body, Stage, Standing, in_order, judged
from tests.contract.api.client import Api
from tests.kit.waiting import eventually

LYON = SiteName("lyon")


def given(case: Case) -> list[Body]:
    return [one.body for one in case.sites[LYON]]


CASES = [case for case in load_cases() if not case.offline_only and not case.flaws and [*case.sites] == [LYON]]
CASES.sort(key=lambda case: in_order(given(case)))


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    made = Testbed(tmp_path_factory.mktemp("labelled"), [LYON])
    asyncio.run(made.start())
    yield made
    asyncio.run(made.stop())


@pytest.fixture(scope="module")
def standing() -> Standing:
    return Standing()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_a_live_site_gives_the_same_answer(bed: Testbed, standing: Standing, case: Case) -> None:
    cluster = bed.sites[LYON].cluster
    assert isinstance(cluster, EmbeddedProcess)
    async with aiohttp.ClientSession() as session, connect(bed.context) as mesh:
        await standing.make(Stage(Api(session, cluster.server_url, None, ""), mesh, LYON, given(case)))
        verdict = await _answered(mesh, case)
    assert not differences(case.expect, verdict), case.row


async def _answered(mesh: Mesh, case: Case) -> Verdict:
    """A kind whose definition has just come is not observed for a moment more: what only that defers is asked again."""
    verdict = await judged(mesh, case)

    async def decided() -> bool:
        nonlocal verdict
        verdict = await judged(mesh, case)
        return verdict.decision == case.expect.decision

    if verdict.decision == "defer" != case.expect.decision:
        await eventually(decided, lambda: f"{case.row}: {verdict.summary}", WAIT_S, pause_s=0.1)
    return verdict


def test_most_cases_are_shown_live() -> None:
    assert len(CASES) >= 90, "a case that only runs offline says why"
