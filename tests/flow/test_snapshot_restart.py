"""A real resolver process is killed and started again: it goes on from its snapshot, and its watcher lists nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cheops.drafts import Intent
from cheops.mesh import connect
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from services.resolver.snapshots import CURRENT
from tests.kit.waiting import eventually

LYON = SiteName("lyon")
WAIT_S = 60.0


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Testbed]:
    async with Testbed(tmp_path, ["lyon"], layout="apart") as made:
        yield made


def manifest(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


async def test_a_killed_resolver_goes_on_from_its_snapshot_and_from_what_happened_since(bed: Testbed) -> None:
    file = bed.directory / LYON / "graph" / CURRENT
    resolver = bed.sites[LYON].services["resolver"]
    await eventually(file.exists, "no snapshot is written", WAIT_S)
    async with asyncio.timeout(WAIT_S), connect(bed.context) as mesh:
        made = await mesh.enter(Intent.apply([manifest("since")]), site="lyon")
        assert [one.verdict.decision async for one in mesh.follow(made)][-1] == "allow"
        resolver.kill()
        await bed.start_services(LYON)
        fresh = (await bed.wait_fresh(WAIT_S))[LYON]
        assert fresh.resyncs == 0
        assert "snapshot restored" in resolver.log_tail(200)
        gone = Intent.delete("configmap/since", namespace="default", preview=True)
        answer = await mesh.submit(gone, site="lyon")
        assert answer.decision == "allow", "what happened since the snapshot is known"
