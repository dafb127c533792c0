"""The watcher on a real nats-server: what is stored, fenced and survived there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cheops.sandbox.apiserver import EmbeddedCluster
from cheops.sandbox.natsserver import NatsServer
from schemas import subjects
from schemas.batches import decode_batch
from schemas.events import batch_hash
from services.chassis.bus import nats
from services.chassis.bus.port import Bus
from services.chassis.bus.streams import ensure_streams
from tests.flow.watched_cluster import LYON, Api, api_of, following, until_equal, watching
from tests.kit.waiting import eventually


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with NatsServer(tmp_path / "nats", sync="2m") as made:
        yield made


@pytest.fixture
async def bus(server: NatsServer) -> AsyncIterator[Bus]:
    made = await nats.connect(server.url, name="test")
    await ensure_streams(made)
    yield made
    await made.close()


@pytest.fixture
async def kubeconfig(tmp_path: Path) -> AsyncIterator[Path]:
    async with EmbeddedCluster("lyon", bookmark_interval_s=0.2) as cluster:
        cluster.write_kubeconfig(tmp_path / "kubeconfig")
        yield tmp_path / "kubeconfig"


@pytest.fixture
async def api(kubeconfig: Path) -> AsyncIterator[Api]:
    async with api_of(kubeconfig) as made:
        await made.namespace("shop")
        yield made


async def test_a_replica_equals_the_cluster_and_the_stream_is_one_chain(kubeconfig: Path, api: Api, bus: Bus) -> None:
    async with watching(kubeconfig, bus), following(LYON, bus) as replica:
        await until_equal(replica, api)
        for number in range(100):
            await api.create("configmaps", "shop", f"map-{number}")
        await until_equal(replica, api)
    await assert_one_chain(bus)


async def assert_one_chain(bus: Bus) -> None:
    """Nothing is missing, doubled or out of order in the stream."""
    digest, seq = "", 1
    async for received in bus.scan("EVENTS", subjects.event(LYON)):
        batch = decode_batch(received.payload)
        assert (batch.seq, batch.prev_hash) == (seq, digest)
        digest, seq = batch_hash(received.payload), seq + len(batch.events)


async def until_connected(bus: Bus) -> None:
    """Wait until the client has found its server again."""
    await eventually(lambda: bus.connected, "the client does not find its server again", 20, pause_s=0.02)


async def test_a_server_killed_in_a_burst_loses_nothing(
    server: NatsServer, kubeconfig: Path, api: Api, bus: Bus
) -> None:
    async with watching(kubeconfig, bus) as watcher:
        async with following(LYON, bus) as replica:
            await until_equal(replica, api)
        for number in range(300):
            await api.create("configmaps", "shop", f"map-{number}")
            if number == 50:
                server.kill()
            if number == 250:
                await server.restart()
        await until_connected(bus)
        async with following(LYON, bus) as replica:
            await replica.until(lambda: "ConfigMap/shop/map-299" in replica.resources)
        assert watcher.publisher.retries > 0
    await assert_one_chain(bus)


async def test_a_restarted_watcher_goes_on_in_the_next_epoch_of_the_stream(
    kubeconfig: Path, api: Api, bus: Bus
) -> None:
    async with following(LYON, bus) as replica:
        for epoch in (1, 2, 3):
            async with watching(kubeconfig, bus):
                await api.create("configmaps", "shop", f"map-{epoch}")
                await replica.until(lambda epoch=epoch: replica.evidence.epoch == epoch)  # type: ignore[misc]
                await until_equal(replica, api)
                assert f"ConfigMap/shop/map-{epoch}" in replica.resources
