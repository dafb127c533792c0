"""What is too large for a server to store is said, in an outcome that is not: no intent waits for ever."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cheops.sandbox.natsserver import NatsServer
from schemas.verdicts import Action
from services.chassis.bus import nats
from services.chassis.bus.port import Bus
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.executor_proxy import FaultyProxy
from tests.flow.test_executor_service import executor, final, nothing_pending, proxy, send
from tests.flow.test_executor_undoing import keeping
from tests.unit.executor.builders import config_map, operation, resource_of

__all__ = ["engine", "proxy", "real_kubeconfig"]

MIB = 1024 * 1024  # what a nats-server takes that nobody has told otherwise


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    async with NatsServer(tmp_path / "nats", "lyon", sync="2m", more={"max_payload": MIB}) as server:
        connected = await nats.connect(server.url, name="test")
        yield connected
        await connected.close()


@pytest.mark.parametrize("action", ["read", "update"])
async def test_what_the_server_does_not_store_ends_with_an_outcome_that_says_so(
    engine: Engine, bus: Bus, proxy: FaultyProxy, action: Action
) -> None:
    large = config_map(engine.namespace, noise=secrets.token_urlsafe(740_000))
    live = await engine.write("configmaps", large)
    resource, uid = resource_of(live), live["metadata"]["uid"]
    wanted = (
        operation("read", resource=resource, uid=uid)
        if action == "read"
        else keeping("update", config_map(engine.namespace, colour="green"), uid=uid)
    )
    async with executor(bus, proxy):
        await send(bus, wanted)
        ended = await final(bus, wanted)
        await nothing_pending(bus)
    assert (ended.state, ended.changed) == ("failed", False)
    assert "message of" in ended.message
    found = await engine.get("configmaps", "settings")
    assert found is not None
    assert "colour" not in found["data"]
