"""A kind that goes while its objects are being deleted: each operation ends, and none takes silence for an answer."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.chassis.bus.memory import MemoryBus
from services.chassis.errors import TransientError
from services.executor.kubernetes.adapter import KubernetesTarget
from services.executor.kubernetes.errors import ApiError
from services.executor.target import Effect
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.executor_proxy import FaultyProxy, refuse
from tests.flow.test_executor_cluster import FreePermit, target
from tests.flow.test_executor_service import LIMITS, executor, final, outcomes, send, until
from tests.kit.manifests import definition
from tests.unit.executor.builders import config_map, operation, resource_of

__all__ = ["engine", "real_kubeconfig", "target"]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
HELD = "example.com/hold"
UNSERVED = refuse(404, "404 page not found")


@pytest.fixture
async def proxy(engine: Engine, tmp_path: Path) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(engine.kubeconfig, tmp_path / "proxied") as made:
        yield made


class Widgets:
    """A kind of its own for the test, and one object of it that a finalizer holds."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.group = engine, f"g{secrets.token_hex(4)}.example.com"
        metadata = {"name": "one", "namespace": engine.namespace, "finalizers": [HELD]}
        self.manifest = {"apiVersion": f"{self.group}/v1", "kind": "Widget", "metadata": metadata}
        self.path = engine.path("widgets", "one", f"/apis/{self.group}/v1")

    async def define(self) -> None:
        body = definition(self.group, "Widget", "widgets")
        path = f"{DEFINITIONS}/{body['metadata']['name']}"
        await self.engine.client.apply(path, {"fieldManager": "test", "force": "true"}, body)

    async def made_by(self, target: KubernetesTarget) -> Effect:
        """Once it is served."""
        await self.define()

        async def applied() -> Effect | None:
            try:
                return await target.apply(operation("apply", self.manifest, absent=True), FreePermit())
            except TransientError:
                return None

        made: Effect = await until(applied)
        return made

    async def undefine(self) -> None:
        """Whoever takes the kind away waits for its objects: the finalizer goes, the object, and then the kind."""
        await self.engine.client.delete(f"{DEFINITIONS}/widgets.{self.group}", {"kind": "DeleteOptions"})
        live = await self.engine.client.get(self.path)
        live["metadata"]["finalizers"] = []
        await self.engine.client._request("PUT", self.path, {}, live, "application/json")
        await until(self._is_unserved)

    async def _is_unserved(self) -> bool:
        try:
            await self.engine.client.get(self.path)
        except ApiError as error:
            return error.is_unserved_path
        return False


async def test_a_deletion_is_over_when_its_kind_has_gone_with_the_object(
    engine: Engine, target: KubernetesTarget
) -> None:
    widgets = Widgets(engine)
    made = await widgets.made_by(target)
    gone = operation("delete", resource=resource_of(widgets.manifest), uid=made.uid)
    assert (await target.delete(gone, FreePermit())).state == "applied"
    await widgets.undefine()
    assert (await target.progress(gone, made.uid)).state == "gone"
    again = await target.delete(gone, FreePermit(open=True))
    assert (again.state, again.changed) == ("done", True)


async def test_an_api_server_that_serves_no_custom_resource_yet_is_no_sign_that_one_is_gone(
    engine: Engine, proxy: FaultyProxy, target: KubernetesTarget
) -> None:
    """So does kube-apiserver for a while after its start; the definition is there."""
    widgets = Widgets(engine)
    made = await widgets.made_by(target)
    gone = operation("delete", resource=resource_of(widgets.manifest), uid=made.uid)
    for seen_before in (False, True):
        proxy.reads.append(UNSERVED)
        assert (await target.progress(gone, made.uid)).state == "unserved", seen_before
        proxy.reads.append(UNSERVED)
        with pytest.raises(TransientError):
            await target.delete(gone, FreePermit())
        assert (await target.progress(gone, made.uid)).state == "current", "which shows its definition, too"


async def test_a_kind_that_has_no_definition_is_not_gone_when_nobody_serves_it(
    engine: Engine, proxy: FaultyProxy, target: KubernetesTarget
) -> None:
    """Behind an aggregated API, or at a version that an upgrade took away: its objects are there."""
    name = f"one-{secrets.token_hex(4)}"
    metadata = {"name": name, "namespace": engine.namespace}
    manifest = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": []}
    made = await target.apply(operation("apply", manifest, absent=True), FreePermit())
    gone = operation("delete", resource=resource_of(manifest), uid=made.uid)
    assert (await target.progress(gone, made.uid)).state == "current"
    proxy.reads.append(UNSERVED)
    assert (await target.progress(gone, made.uid)).state == "unserved"
    proxy.reads.append(UNSERVED)
    with pytest.raises(TransientError):
        await target.delete(gone, FreePermit())


async def test_what_is_followed_ends_though_nobody_serves_its_kind_any_more(engine: Engine, proxy: FaultyProxy) -> None:
    bus = MemoryBus()
    manifest: dict[str, Any] = config_map(engine.namespace)
    manifest["metadata"]["finalizers"] = [HELD]
    live = await engine.write("configmaps", manifest)
    uid = live["metadata"]["uid"]
    wanted = operation("delete", resource=resource_of(live), uid=uid, ready_timeout_s=0.1)
    async with executor(bus, proxy, replace(LIMITS, unserved_max_s=0.1)):
        await send(bus, wanted)
        await until(lambda: _applied(bus))
        proxy.reads += [UNSERVED] * 1_000
        ended = await final(bus, wanted)
    assert ended.state == "failed"
    assert ended.message.startswith("not gone within 0.1 s of its last progress: unserved")


async def _applied(bus: MemoryBus) -> bool:
    return any(one.state == "applied" for one in await outcomes(bus))
