"""The programs of a site, each started as it is installed; elsewhere tests fork them (cheops/sandbox/forkserver.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cheops.drafts import Intent
from cheops.mesh import connect
from cheops.sandbox.testbed import Layout, Testbed

SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mode"}, "data": {"is": "fast"}}


@pytest.mark.parametrize("layout", ["apart", "together"])
async def test_the_programs_of_a_site_decide_and_carry_out_as_they_are_installed(
    tmp_path: Path, layout: Layout
) -> None:
    async with Testbed(tmp_path, ["lyon"], layout=layout, forked=False) as bed, connect(bed.context) as mesh:
        intent = await mesh.enter(Intent.apply([SETTINGS], namespace="default"), site="lyon")
        progress = [one async for one in mesh.follow(intent)]
    assert progress[0].verdict.decision == "allow"
    assert [one.outcome.state for one in progress if one.outcome][-1] == "ready"
