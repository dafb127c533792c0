"""Two watchers as processes for one site: the second refuses; one that hangs is replaced and leaves when it wakes."""

from __future__ import annotations

import signal

import pytest

from cheops.sandbox.process import ChildProcess
from tests.e2e.conftest import LYON, WAIT_S, World
from tests.kit.waiting import eventually

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(300)]


async def test_a_second_watcher_of_a_site_refuses_to_start_and_says_why(world: World) -> None:
    first = world.service("watcher")
    epoch = (await world.bed.wait_fresh(WAIT_S))[LYON].evidence.epoch
    try:
        await world.bed.start_service(LYON, "watcher")
        second = world.service("watcher")
        assert await _exit_code(second) == 1
        assert "site lyon is watched already" in second.log_tail()
        assert first.running
        await world.converged()
        assert (await world.bed.wait_fresh(WAIT_S))[LYON].evidence.epoch == epoch
    finally:
        world.service("watcher").kill()
        world.site.services["watcher"] = first


async def test_a_watcher_that_hangs_is_replaced_and_leaves_when_it_wakes(world: World) -> None:
    namespace = await world.namespace("hung")
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    first = world.service("watcher")
    first.send_signal(signal.SIGSTOP)
    try:
        await world.bed.start_service(LYON, "watcher")
        await world.api.post(path, {"metadata": {"name": "unseen-by-the-first"}})
        await world.known(f"ConfigMap/{namespace}/unseen-by-the-first")
        assert "it is replaced" in world.service("watcher").log_tail(2_000)
        first.send_signal(signal.SIGCONT)
        await world.api.post(path, {"metadata": {"name": "seen-by-both"}})
        assert await _exit_code(first) == 1
        assert "another watcher publishes for site lyon" in first.log_tail(2_000)
        await world.known(f"ConfigMap/{namespace}/seen-by-both")
        assert world.service("watcher").running
        await world.converged()
    finally:
        first.kill()


async def _exit_code(child: ChildProcess) -> int | None:
    await eventually(lambda: not child.running, f"{child.name} runs still", WAIT_S)
    return child.returncode
