"""What a watcher tells of a cluster, on the embedded and on a real API server: the same tests."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from cheops.sandbox.apiserver import EmbeddedCluster
from cheops.sandbox.controlplane import ControlPlane
from schemas.identity import KindId, ResourceId
from services.chassis.bus.memory import MemoryBus
from tests.flow.watched_cluster import LYON, QUICK, QUICK_DISCOVERY, Api, api_of, following, until_equal, watching

CANARY = "canary-4f1d2c"
ENCODED = base64.b64encode(f"{CANARY}-1".encode()).decode()
PATIENT = replace(QUICK, silence_s=75.0)  # a real server is silent for up to a minute
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.controlplane)])
def real(request: pytest.FixtureRequest) -> Path | None:
    """The kubeconfig of a real control plane, or None; it starts outside of any event loop."""
    return request.getfixturevalue("lyon").kubeconfig if request.param == "real" else None


@pytest.fixture
async def kubeconfig(real: Path | None, tmp_path: Path) -> AsyncIterator[Path]:
    if real is not None:
        yield real
        return
    async with EmbeddedCluster("lyon", bookmark_interval_s=0.2) as cluster:
        cluster.write_kubeconfig(tmp_path / "kubeconfig")
        yield tmp_path / "kubeconfig"


@pytest.fixture
async def api(kubeconfig: Path) -> AsyncIterator[Api]:
    async with api_of(kubeconfig) as made:
        yield made


@pytest.fixture
async def shop(api: Api) -> str:
    """A namespace of this test alone."""
    name = f"shop-{uuid.uuid4().hex[:8]}"
    await api.namespace(name)
    return name


@pytest.mark.parametrize("watch_list", [True, False])
async def test_a_replica_equals_the_cluster_from_the_start_and_through_changes(
    kubeconfig: Path, api: Api, shop: str, bus: MemoryBus, watch_list: bool
) -> None:
    await api.create("configmaps", shop, "settings", data={"a": "1"})
    async with watching(kubeconfig, bus, timing=PATIENT, watch_list=watch_list), following(LYON, bus) as replica:
        await until_equal(replica, api)
        await api.create("secrets", shop, "db", data={"password": "eA=="})
        await api.change("configmaps", shop, "settings", {"data": {"a": "2", "b": "3"}})
        await replica.until(lambda: f"Secret/{shop}/db" in replica.resources)
        await api.delete("secrets", shop, "db")
        await api.create("secrets", shop, "db", data={"other": "eA=="})
        await until_equal(replica, api)
        assert replica.evidence.resyncs == 1


async def test_more_objects_than_a_page_holds_are_all_told(
    kubeconfig: Path, api: Api, shop: str, bus: MemoryBus
) -> None:
    for number in range(520):
        await api.create("configmaps", shop, f"map-{number}")
    async with watching(kubeconfig, bus, timing=PATIENT, watch_list=False), following(LYON, bus) as replica:
        await replica.until_fresh()
        assert len([name for name in replica.of("ConfigMap") if f"/{shop}/map-" in name]) == 520


async def test_a_restarted_watcher_confirms_by_digest_what_did_not_change(
    kubeconfig: Path, api: Api, shop: str, bus: MemoryBus
) -> None:
    await api.create("configmaps", shop, "settings")
    async with following(LYON, bus) as replica:
        async with watching(kubeconfig, bus, timing=PATIENT):
            await until_equal(replica, api)
        await api.delete("configmaps", shop, "settings")
        replica.operations.clear()
        async with watching(kubeconfig, bus, timing=PATIENT):
            await replica.until(lambda: replica.evidence.epoch == 2)
            await until_equal(replica, api)
    confirmed = [one for one in replica.operations if one.startswith("sync_same")]
    assert "sync_start ConfigMap" in replica.operations
    assert "sync_same Namespace" in confirmed
    assert not [one for one in replica.operations if one.startswith("put Namespace/")]


async def test_a_definition_brings_a_kind_and_takes_it_away_again(
    kubeconfig: Path, api: Api, shop: str, bus: MemoryBus
) -> None:
    group = f"{shop}.example.com"
    widget = KindId(f"{group}/Widget")
    async with watching(kubeconfig, bus, timing=PATIENT), following(LYON, bus) as replica:
        await until_equal(replica, api)
        await api.call("POST", CRDS, definition(group))
        await replica.until(lambda: widget in replica.evidence.surface.served)
        body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
        await api.call("POST", f"/apis/{group}/v1/namespaces/{shop}/widgets", body)
        await replica.until(lambda: f"{widget}/{shop}/w" in replica.resources)
        assert replica.evidence.resyncs == 1, "nobody had to ask for it"
        await api.call("DELETE", f"{CRDS}/widgets.{group}")
        await replica.until(lambda: widget not in replica.evidence.surface.served)
        await until_equal(replica, api)
        assert not replica.of(widget)


async def test_a_definition_that_is_made_anew_with_another_scope_and_plural_is_followed(
    kubeconfig: Path, api: Api, shop: str, bus: MemoryBus
) -> None:
    group = f"{shop}.example.com"
    widget = KindId(f"{group}/Widget")
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
    async with watching(kubeconfig, bus, timing=PATIENT), following(LYON, bus) as replica:
        await until_equal(replica, api)
        await api.call("POST", CRDS, definition(group))
        await replica.until(lambda: widget in replica.evidence.surface.served)
        await api.call("POST", f"/apis/{group}/v1/namespaces/{shop}/widgets", body)
        await replica.until(lambda: f"{widget}/{shop}/w" in replica.resources)
        for plural, scope in (("widgets", "Cluster"), ("wydgets", "Cluster")):
            served = replica.evidence.surface.served[widget]
            await api.call("DELETE", f"{CRDS}/{served.plural}.{group}")
            await api.until_made(CRDS, definition(group, plural, scope))
            await api.until_made(f"/apis/{group}/v1/{plural}", body)
            await replica.until(lambda: f"{widget}/w" in replica.resources)
            await until_equal(replica, api)
            found = replica.evidence.surface.served[widget]
            assert (found.plural, found.namespaced) == (plural, False)


@pytest.mark.controlplane
async def test_while_an_api_server_starts_again_no_object_of_a_definition_is_taken_for_gone(
    lyon: ControlPlane, bus: MemoryBus
) -> None:
    always = replace(QUICK_DISCOVERY, period_s=0.01)  # it looks in the seconds in which definitions are not known yet
    group = f"restart-{uuid.uuid4().hex[:8]}.example.com"
    widget = KindId(f"{group}/Widget")
    body = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
    async with api_of(lyon.kubeconfig) as api:
        await api.call("POST", CRDS, definition(group))
        await api.until_made(f"/apis/{group}/v1/namespaces/default/widgets", body)
    async with watching(lyon.kubeconfig, bus, timing=PATIENT, discovery=always), following(LYON, bus) as replica:
        await replica.until(lambda: f"{widget}/default/w" in replica.resources and replica.fresh)
        await lyon.restart_apiserver()
        await replica.until_fresh()
        assert f"delete {widget}/default/w" not in replica.operations
        assert f"{widget}/default/w" in replica.resources


def definition(group: str, plural: str = "widgets", scope: str = "Namespaced") -> dict[str, object]:
    """A CRD with one kind."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


async def test_values_never_reach_the_bus(kubeconfig: Path, api: Api, shop: str, bus: MemoryBus) -> None:
    await api.create("secrets", shop, "before", data={"password": ENCODED})
    async with watching(kubeconfig, bus, timing=PATIENT), following(LYON, bus) as replica:
        await until_equal(replica, api)
        await api.create("secrets", shop, "db", data={"password": ENCODED}, type="Opaque")
        await api.create("configmaps", shop, "settings", data={"key": f"{CANARY}-3"})
        await api.change("secrets", shop, "db", {"data": {"more": ENCODED, "password": None}})
        await until_equal(replica, api)
        assert replica.resources[ResourceId(f"Secret/{shop}/db")].parts["key"] == ("more",)
        said = b"".join(replica.payloads)
        assert b"Secret/" in said
        assert CANARY.encode() not in said
        assert ENCODED[:18].encode() not in said


async def test_what_is_noisy_and_needed_by_nobody_is_named_and_not_watched(
    kubeconfig: Path, api: Api, bus: MemoryBus
) -> None:
    async with watching(kubeconfig, bus, timing=PATIENT), following(LYON, bus) as replica:
        await replica.until_fresh()
        served = replica.evidence.surface.served
        assert not served[KindId("Event")].watched
        assert not served[KindId("coordination.k8s.io/Lease")].watched
        assert served[KindId("Secret")].watched
        assert replica.evidence.observed == sum(entry.watched for entry in served.values())
