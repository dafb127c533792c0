"""What happens to one site leaves the other one alone. O9, local-first."""

from __future__ import annotations

import pytest

from cheops.drafts import Intent
from cheops.sandbox.controlplane import ControlPlane
from tests.e2e.conftest import LYON, OSLO, World
from tests.kit.kubelet import api_of
from tests.kit.oracle import until_equal

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]


async def test_a_site_decides_and_acts_while_its_neighbours_services_are_dead(world: World) -> None:
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "alone"}}
    plane = world.bed.sites[OSLO].cluster
    assert isinstance(plane, ControlPlane)
    for name in ("watcher", "resolver", "executor"):
        world.service(name).kill()
    try:
        async with api_of(plane) as oslo:
            for draft, last in (
                (Intent.create([made], namespace="default"), "ready"),
                (Intent.delete("configmap/alone", namespace="default"), "done"),
            ):
                ended = await world.follow(draft, site=OSLO)
                assert ended[-1].outcome is not None
                assert (ended[-1].outcome.site, ended[-1].outcome.state) == (OSLO, last)
            await until_equal(world.mesh, oslo, OSLO)
    finally:
        await world.bed.start_services(LYON)
    await world.converged()
