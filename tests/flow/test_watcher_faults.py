"""A whole embedded API server that misbehaves, and what a replica believes of it: faults 3, 5, 7 and the HTTP ones."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from cheops.sandbox.apiserver import EmbeddedCluster
from cheops.sandbox.apiserver.kinds import CollectionKey
from schemas.identity import KindId
from services.chassis.bus.memory import MemoryBus
from tests.flow.watched_cluster import LYON, QUICK, Api, api_of, following, until_equal, watching
from tests.kit.waiting import lasting
from tests.unit.watcher.replica import Replica

MAP, SECRET = KindId("ConfigMap"), KindId("Secret")


@pytest.fixture
async def cluster() -> AsyncIterator[EmbeddedCluster]:
    async with EmbeddedCluster("lyon", bookmark_interval_s=0.1) as made:
        yield made


@pytest.fixture
def kubeconfig(cluster: EmbeddedCluster, tmp_path: Path) -> Path:
    cluster.write_kubeconfig(tmp_path / "kubeconfig")
    return tmp_path / "kubeconfig"


@pytest.fixture
async def api(kubeconfig: Path) -> AsyncIterator[Api]:
    async with api_of(kubeconfig) as made:
        await made.namespace("shop")
        await made.create("configmaps", "shop", "settings", data={"a": "1"})
        await made.create("secrets", "shop", "db", stringData={"password": "x"})
        yield made


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.mark.parametrize("way", ["event", "status"])
async def test_expired_versions_cost_a_listing_and_only_differences_travel(
    cluster: EmbeddedCluster, kubeconfig: Path, api: Api, bus: MemoryBus, way: str
) -> None:
    async with watching(kubeconfig, bus), following(LYON, bus) as replica:
        await until_equal(replica, api)
        replica.operations.clear()
        refusal = cluster.faults.refuse(410, resource="configmaps", verb="watch", times=1)
        if way == "event":
            cluster.faults.lift(refusal)
            cluster.faults.expire_watches("configmaps")
        else:
            cluster.faults.drop_watches("configmaps")
        await api.delete("configmaps", "shop", "settings")
        await api.create("configmaps", "shop", "more", data={"b": "2"})
        await until_equal(replica, api)
        assert {one for one in replica.operations if "ConfigMap/shop" in one} == {
            "delete ConfigMap/shop/settings",
            "put ConfigMap/shop/more",
        }


async def test_history_that_was_compacted_while_connections_were_cut_is_listed_again(
    cluster: EmbeddedCluster, kubeconfig: Path, api: Api, bus: MemoryBus
) -> None:
    async with watching(kubeconfig, bus), following(LYON, bus) as replica:
        await until_equal(replica, api)
        cluster.faults.drop_watches()
        await api.create("configmaps", "shop", "more", data={"b": "2"})
        await api.delete("secrets", "shop", "db")
        cluster.faults.forget_history()
        await until_equal(replica, api)
        assert "ConfigMap/shop/more" in replica.resources
        assert "Secret/shop/db" not in replica.resources


async def test_a_cluster_restored_from_a_backup_is_believed_after_a_listing(
    cluster: EmbeddedCluster, kubeconfig: Path, api: Api, bus: MemoryBus
) -> None:
    async with watching(kubeconfig, bus), following(LYON, bus) as replica:
        await until_equal(replica, api)
        backup = cluster.store.version
        await api.create("configmaps", "shop", "later", data={"b": "2"})
        await api.change("configmaps", "shop", "settings", {"data": {"a": "2"}})
        await api.delete("secrets", "shop", "db")
        await until_equal(replica, api)
        cluster.faults.go_back(backup)
        await replica.until(lambda: "ConfigMap/shop/later" not in replica.resources)
        await until_equal(replica, api)
        assert "Secret/shop/db" in replica.resources


async def test_a_silent_watch_is_reported_and_ends_when_the_server_speaks(
    cluster: EmbeddedCluster, kubeconfig: Path, api: Api, bus: MemoryBus
) -> None:
    timing = replace(QUICK, silence_s=0.4)
    async with watching(kubeconfig, bus, timing=timing), following(LYON, bus) as replica:
        await until_equal(replica, api)
        with cluster.faults.silence("configmaps"):
            await api.create("configmaps", "shop", "unheard")
            await replica.until(lambda: MAP in replica.evidence.blind)
            assert replica.evidence.blind[MAP].reason == "stalled"
            assert not replica.fresh
        await until_equal(replica, api)
        assert "ConfigMap/shop/unheard" in replica.resources


async def test_a_forbidden_kind_is_unknown_and_the_others_go_on(
    cluster: EmbeddedCluster, kubeconfig: Path, api: Api, bus: MemoryBus
) -> None:
    cluster.faults.refuse(403, resource="secrets")
    async with watching(kubeconfig, bus), following(LYON, bus) as replica:
        await replica.until(lambda: set(replica.evidence.blind) == {SECRET} and replica.evidence.synced)
        assert replica.evidence.blind[SECRET].reason == "forbidden"
        assert "ConfigMap/shop/settings" in replica.resources
        cluster.faults.lift_all()
        await until_equal(replica, api)
        assert "Secret/shop/db" in replica.resources


async def test_a_right_that_is_taken_away_leaves_the_kind_blind_until_it_is_given_back(
    cluster: EmbeddedCluster, kubeconfig: Path, api: Api, bus: MemoryBus
) -> None:
    async with watching(kubeconfig, bus), following(LYON, bus) as replica:
        await until_equal(replica, api)
        refusal = cluster.faults.refuse(403, resource="secrets")
        cluster.faults.end_watches("secrets")
        await replica.until(lambda: SECRET in replica.evidence.blind)
        cluster.faults.lift(refusal)
        await api.delete("secrets", "shop", "db")
        await until_equal(replica, api)
        assert not replica.evidence.blind
        assert "Secret/shop/db" not in replica.resources


@pytest.mark.parametrize("code", [429, 500, 503, 504])
async def test_an_overloaded_server_is_asked_again_until_it_answers(
    cluster: EmbeddedCluster, kubeconfig: Path, api: Api, bus: MemoryBus, code: int
) -> None:
    cluster.faults.refuse(code, verb="list", times=30)
    cluster.faults.refuse(code, verb="watch", times=60)
    async with watching(kubeconfig, bus), following(LYON, bus) as replica:
        await replica.until_fresh()
        assert "Secret/shop/db" in replica.resources


async def test_garbage_inside_a_watch_is_answered_by_listing_that_kind_again(
    cluster: EmbeddedCluster, kubeconfig: Path, api: Api, bus: MemoryBus
) -> None:
    timing = replace(QUICK, line_bytes_max=20_000)
    async with watching(kubeconfig, bus, timing=timing), following(LYON, bus) as replica:
        await until_equal(replica, api)
        cluster.faults.say("configmaps", b"{]\n")
        cluster.faults.say("secrets", b"x" * 50_000 + b"\n")
        await api.create("configmaps", "shop", "after", data={"b": "2"})
        await api.delete("secrets", "shop", "db")
        await replica.until(lambda: "Secret/shop/db" not in replica.resources)
        await until_equal(replica, api)
        assert "ConfigMap/shop/after" in replica.resources


@pytest.mark.parametrize("watch_list", [True, False])
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_fails_after_the_end_of_the_faults_a_replica_equals_the_store(
    cluster: EmbeddedCluster, kubeconfig: Path, api: Api, bus: MemoryBus, seed: int, watch_list: bool
) -> None:
    chance = random.Random(seed)
    async with following(LYON, bus) as replica:
        for _ in range(2):  # the first watcher is killed in the middle
            async with watching(kubeconfig, bus, watch_list=watch_list):
                for _ in range(40):
                    await misfortune(chance, cluster, api, replica)
        cluster.faults.lift_all()
        async with watching(kubeconfig, bus, watch_list=watch_list) as watcher:
            await replica.until(lambda: replica.evidence.epoch == watcher.publisher.batcher.epoch)
            await until_equal(replica, api)
            assert not replica.evidence.blind


async def misfortune(chance: random.Random, cluster: EmbeddedCluster, api: Api, replica: Replica) -> None:
    """One step of a bad day."""
    plural, name = chance.choice(("configmaps", "secrets")), chance.choice("abcd")
    exists = cluster.store.get(CollectionKey("", plural), "shop", name) is not None
    faults = cluster.faults
    match chance.randrange(12):
        case 0 | 1 | 2 if not exists:
            await api.create(plural, "shop", name)
        case 0 | 1 | 2:
            await api.change(plural, "shop", name, {"metadata": {"labels": {"n": str(chance.randrange(10**6))}}})
        case 3 | 4 if exists:
            await api.delete(plural, "shop", name)
        case 5:
            faults.drop_watches(plural)
        case 6:
            faults.expire_watches(plural)
        case 7:
            faults.refuse(
                chance.choice((410, 429, 500)), resource=plural, verb=chance.choice(("list", "watch")), times=2
            )
        case 8:
            faults.end_watches()
        case 9:
            faults.forget_history()
            faults.drop_watches(plural)
        case 10:
            faults.say(plural, b"garbage\n")
        case 11:
            await lasting(0.01 * chance.random())
