"""Every test here runs on the embedded API server and, where control planes are built, on the real one."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest

from cheops.sandbox.apiserver import EmbeddedCluster
from cheops.sandbox.controlplane import ControlPlane
from tests.contract.api.client import Api

_numbers = itertools.count()


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.controlplane)])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def plane(engine: str, request: pytest.FixtureRequest) -> ControlPlane | None:
    """The real one, started where no event loop runs; None for the embedded engine."""
    if engine == "embedded":
        return None
    found: ControlPlane = request.getfixturevalue("control_planes")("lyon")
    return found


@pytest.fixture
async def api(plane: ControlPlane | None) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        if plane is not None:
            trust = ssl.create_default_context(cafile=str(plane.ca_file))
            yield Api(session, plane.server_url, trust, plane.token)
            return
        async with EmbeddedCluster("lyon") as cluster:
            yield Api(session, cluster.server_url, None, "")


@pytest.fixture
async def namespace(api: Api) -> AsyncIterator[str]:
    """A fresh one, in which pods may be made; the real server's is shared by all tests."""
    name = f"contract-{next(_numbers)}"
    created = await api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    assert created.status == 201, created.text
    await api.until(f"/api/v1/namespaces/{name}/serviceaccounts", "default", lambda found: found is not None)
    await api.until(f"/api/v1/namespaces/{name}/configmaps", "kube-root-ca.crt", lambda found: found is not None)
    yield name
    await api.delete(f"/api/v1/namespaces/{name}")
