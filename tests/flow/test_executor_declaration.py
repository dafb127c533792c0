"""What is tied to other sites carries what was declared of it, as each API server says it; and others change it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any
from unittest import mock

import pytest

from schemas.envelope import MessageError
from schemas.identity import ResourceId
from schemas.operations import Operation
from schemas.ties import DECLARATION, REPLICA_SET
from services.chassis.errors import TransientError
from services.chassis.kubernetes.connection import connect
from services.chassis.kubernetes.declaration import declared_manifest, drift_of
from services.executor.kubernetes import adapter
from services.executor.kubernetes.adapter import KubernetesTarget
from services.executor.kubernetes.client import KubernetesClient
from services.executor.target import Effect
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.test_executor_cluster import FreePermit, KeysOnly
from tests.unit.executor.builders import config_map, deployment, operation, secret

__all__ = ["engine", "real_kubeconfig"]
APPS = "/apis/apps/v1"
WAIT_S = 30.0


@pytest.fixture
async def target(engine: Engine) -> AsyncIterator[KubernetesTarget]:
    made = KubernetesTarget(KubernetesClient(await connect(engine.kubeconfig)), KeysOnly)
    yield made
    await made.close()


def tied(manifest: dict[str, Any]) -> dict[str, Any]:
    manifest["metadata"]["labels"] = {**manifest["metadata"].get("labels", {}), REPLICA_SET: "a-set"}
    return manifest


async def redelivered(target: KubernetesTarget, wanted: Operation) -> Effect:
    """As the bus gives it again while others are faster: a controller writes the status of what was just made."""
    async with asyncio.timeout(WAIT_S):
        while True:
            with suppress(TransientError):
                return await target.apply(wanted, FreePermit())


async def edited(engine: Engine, plural: str, name: str, root: str, *path: str, value: Any) -> dict[str, Any]:
    """A plain update by somebody, as `kubectl edit` does it: what it changes is theirs. None: it goes."""
    live = await engine.get(plural, name, root)
    assert live is not None
    parent = live
    for step in path[:-1]:
        parent = parent[int(step)] if isinstance(parent, list) else parent.setdefault(step, {})
    parent.pop(path[-1], None)
    if value is not None:
        parent[path[-1]] = value
    return await engine.update(plural, live, root)


async def test_an_export_that_no_message_holds_is_refused_before_all_of_it_is_read(
    engine: Engine, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand objects were read side by side, and all kept, to find that no answer can hold them."""
    monkeypatch.setattr(adapter, "TAKEN_AT_ONCE_MAX", 2)
    monkeypatch.setattr(adapter, "TAKEN_BYTES_MAX", 2_000)
    wanted = {ResourceId(f"ConfigMap/{engine.namespace}/wide-{number}"): "v1" for number in range(6)}
    for number in range(6):
        await engine.write("configmaps", config_map(engine.namespace, f"wide-{number}", colour="x" * 700))
    one, *_ = wanted
    assert set(await target.take({one: "v1"})) == {one}
    asked = mock.AsyncMock(wraps=target._take)
    with mock.patch.object(target, "_take", asked), pytest.raises(MessageError, match="more than 2000 bytes"):
        await target.take(wanted)
    assert asked.await_count == 4


async def test_what_is_tied_carries_what_was_declared_as_the_server_says_it(
    engine: Engine, target: KubernetesTarget
) -> None:
    manifest = tied(deployment(engine.namespace, replicas=2))
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container |= {"resources": {"requests": {"cpu": "0.5"}}, "ports": [{"containerPort": 80}]}
    assert (await target.apply(operation("apply", manifest), FreePermit())).changed
    live = await engine.get("deployments", "web", APPS)
    assert live is not None
    assert drift_of(live) == ""
    declared = declared_manifest(live)
    assert declared is not None
    kept = declared["spec"]["template"]["spec"]["containers"][0]
    said = live["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert kept["resources"] == said, "a real server makes 500m of a person's 0.5"
    assert "terminationMessagePath" not in kept, "a default is not declared"
    again = await redelivered(target, operation("apply", manifest, step="s2"))
    assert (again.state in ("ready", "applied"), again.changed) == (True, False), "the same is no work"


async def test_what_is_tied_to_nothing_carries_nothing(engine: Engine, target: KubernetesTarget) -> None:
    await target.apply(operation("apply", config_map(engine.namespace)), FreePermit())
    live = await engine.get("configmaps", "settings")
    assert live is not None
    assert DECLARATION not in live["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("spec", "replicas"), 5, "spec.replicas is 5 (declared 2)"),
        (("spec", "template", "spec", "containers", "0", "image"), "other", "containers[name=main].image differs"),
        (("metadata", "labels", REPLICA_SET), None, "metadata.labels is gone"),
        (("spec", "strategy"), {"type": "Recreate"}, ""),
        (("metadata", "labels", "team"), "blue", ""),
        (("spec", "paused"), True, ""),
        (("spec", "template", "spec", "containers", "0", "command"), ["/bin/true"], ""),
    ],
)
async def test_only_what_was_declared_is_compared(
    engine: Engine, target: KubernetesTarget, path: tuple[str, ...], value: Any, said: str
) -> None:
    await target.apply(operation("apply", tied(deployment(engine.namespace, replicas=2))), FreePermit())
    found = drift_of(await edited(engine, "deployments", "web", APPS, *path, value=value))
    assert found.endswith(said) if said else found == "", found


async def test_a_value_of_a_secret_is_kept_by_nobody_and_its_change_is_seen(
    engine: Engine, target: KubernetesTarget
) -> None:
    await target.apply(operation("apply", tied(secret(engine.namespace, crt="canary", key="other"))), FreePermit())
    live = await engine.get("secrets", "token")
    assert live is not None
    assert (drift_of(live), declared_manifest(live)) != ("", None)
    declared = declared_manifest(live)
    assert declared is not None
    assert declared["data"] == {"crt": None, "key": None}, "without a key to seal them, values are left out"
    await edited(engine, "secrets", "token", "/api/v1", "data", "crt", value="bWluZQ==")
    assert drift_of(await edited(engine, "secrets", "token", "/api/v1", "data", "key", value=None)) == (
        "data.crt differs; data.key is gone"
    )
