"""A claim is waited for until it is bound, unless its class binds it only when a pod uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.executor.kubernetes.adapter import KubernetesTarget
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.executor_proxy import FaultyProxy
from tests.flow.test_executor_cluster import FreePermit, target
from tests.unit.executor.builders import operation

__all__ = ["engine", "real_kubeconfig", "target"]

CLASSES = "/apis/storage.k8s.io/v1/storageclasses"


@pytest.fixture
async def proxy(engine: Engine, tmp_path: Path) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(engine.kubeconfig, tmp_path / "proxied") as made:
        yield made


@pytest.fixture
async def storage_class(request: pytest.FixtureRequest, engine: Engine) -> AsyncIterator[str]:
    name = f"{engine.namespace}-{request.param}".lower()
    body = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "example.com/nobody",
        "volumeBindingMode": request.param,
    }
    await engine.client.apply(f"{CLASSES}/{name}", {"fieldManager": "test", "force": "true"}, body)
    yield name
    await engine.client.delete(f"{CLASSES}/{name}", {"kind": "DeleteOptions"})


def claim(namespace: str, storage_class: str) -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    metadata = {"name": "data", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("storage_class", "state"),
    [("WaitForFirstConsumer", "current"), ("Immediate", "progressing")],
    indirect=["storage_class"],
)
async def test_a_claim_that_waits_for_its_first_use_is_where_it_should_be(
    engine: Engine, target: KubernetesTarget, storage_class: str, state: str
) -> None:
    """Waited for, it would never be ready, and after five minutes it would be taken away again."""
    wanted = operation("create", claim(engine.namespace, storage_class), absent=True)
    made = await target.apply(wanted, FreePermit())
    assert (await target.progress(wanted, made.uid)).state == state
