"""API servers for the executor's tests: the embedded one and, where it is built, the real one."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cheops.sandbox.apiserver import EmbeddedCluster
from services.chassis.kubernetes.connection import connect
from services.executor.kubernetes.client import KubernetesClient, Timing
from services.executor.kubernetes.errors import ApiError


class Engine:
    """One API server with a namespace of its own for the test, and somebody else who writes there, too."""

    def __init__(self, kubeconfig: Path, namespace: str, client: KubernetesClient, cluster: Any = None) -> None:
        self.kubeconfig, self.namespace, self.client, self.cluster = kubeconfig, namespace, client, cluster

    async def get(self, plural: str, name: str, root: str = "/api/v1") -> dict[str, Any] | None:
        """The object as it is stored."""
        try:
            return await self.client.get(self.path(plural, name, root))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def write(self, plural: str, manifest: dict[str, Any], manager: str = "somebody") -> dict[str, Any]:
        """Another manager's forced apply."""
        root = "/api/v1" if manifest["apiVersion"] == "v1" else f"/apis/{manifest['apiVersion']}"
        path = self.path(plural, manifest["metadata"]["name"], root)
        return await self.client.apply(path, {"fieldManager": manager, "force": "true"}, manifest)

    async def update(self, plural: str, body: dict[str, Any], root: str = "/api/v1") -> dict[str, Any]:
        """Another manager's plain update of the whole; what it changes is that manager's."""
        path = self.path(plural, body["metadata"]["name"], root)
        body["metadata"].pop("resourceVersion", None)  # whatever a controller wrote meanwhile
        return await self.client._request("PUT", path, {"fieldManager": "kubectl-edit"}, body, "application/json")

    async def remove(self, plural: str, name: str, root: str = "/api/v1") -> None:
        """Somebody deletes it."""
        await self.client.delete(self.path(plural, name, root), {"apiVersion": "v1", "kind": "DeleteOptions"})

    def path(self, plural: str, name: str, root: str = "/api/v1") -> str:
        """Where it is, in the test's namespace."""
        return f"{root}/namespaces/{self.namespace}/{plural}/{name}"


@pytest.fixture(params=["embedded", pytest.param("kube", marks=pytest.mark.controlplane)])
def real_kubeconfig(request: pytest.FixtureRequest) -> Path | None:
    """Of a real control plane, which skips where it is not built; None for the embedded one."""
    return Path(request.getfixturevalue("lyon").kubeconfig) if request.param == "kube" else None


@pytest.fixture
async def engine(real_kubeconfig: Path | None, tmp_path: Path) -> AsyncIterator[Engine]:
    """The same tests on both."""
    if real_kubeconfig is not None:
        async for one in _opened(real_kubeconfig, None):
            yield one
        return
    async with EmbeddedCluster("lyon", controllers=False) as cluster:
        cluster.write_kubeconfig(tmp_path / "kubeconfig")
        async for one in _opened(tmp_path / "kubeconfig", cluster):
            yield one


async def _opened(kubeconfig: Path, cluster: Any) -> AsyncIterator[Engine]:
    client = KubernetesClient(await connect(kubeconfig), Timing(connect_s=5, server_s=10, answer_s=20))
    namespace = f"executor-{secrets.token_hex(4)}"  # a real control plane serves a whole session
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await client.apply(f"/api/v1/namespaces/{namespace}", {"fieldManager": "test", "force": "true"}, manifest)
    yield Engine(kubeconfig, namespace, client, cluster)
    await client.close()
