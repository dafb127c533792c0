"""Who depends on one object: our graph, against `kubectl get` of all kinds of a real API server and a walk over owners.

That is how tools without a graph answer it. 20,000 ConfigMaps, each owned by one of a hundred; both tell the same.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from cheops.sandbox.controlplane import ControlPlane
from cheops.sandbox.plane.assets import FOR_PEOPLE, require
from schemas.events import ResourceEvent
from schemas.identity import ResourceId
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from services.chassis.kubernetes.connection import connect
from services.executor.kubernetes.client import KubernetesClient
from services.resolver.graph.store import Graph
from tests.bench.history import SITE
from tests.bench.measuring import Row

OBJECTS: Final = 20_000
OWNERS: Final = 100
AT_ONE_TIME: Final = 32
LISTINGS: Final = 3
ASKED: Final = 200
GOAL_MS: Final = 1.0
Body = dict[str, Any]


def run(size: int, file: Path) -> list[Row]:
    """`size` says nothing here."""
    return asyncio.run(_run(file.with_suffix(".lineage")))


async def _run(folder: Path) -> list[Row]:
    plane = ControlPlane(SITE, folder)
    await plane.start()
    try:
        client = KubernetesClient(await connect(plane.kubeconfig))
        owners = await _made(client, [_body(f"owner-{number}") for number in range(OWNERS)])
        await _made(client, [_body(f"one-{number}", owners[number % OWNERS]) for number in range(OBJECTS - OWNERS)])
        await client.close()
        return await _compared(plane.kubeconfig)
    finally:
        await plane.stop()


def _body(name: str, owner: Body | None = None) -> Body:
    metadata: Body = {"name": name, "namespace": "default"}
    if owner is not None:
        named = {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "ConfigMap", **named}]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"settings": "x" * 200}}


async def _made(client: KubernetesClient, bodies: list[Body]) -> list[Body]:
    free = asyncio.Semaphore(AT_ONE_TIME)

    async def make(body: Body) -> Body:
        path = f"/api/v1/namespaces/default/configmaps/{body['metadata']['name']}"
        async with free:
            return await client.apply(path, {"fieldManager": "bench"}, body)

    return list(await asyncio.gather(*map(make, bodies)))


async def _compared(kubeconfig: Path) -> list[Row]:
    kubectl = str(require(FOR_PEOPLE) / "kubectl")
    asked_s: list[float] = []
    found: set[str] = set()
    items: list[Body] = []
    kinds = (await _said(kubectl, kubeconfig, "api-resources", "--verbs=list", "-o", "name")).split()
    for _ in range(LISTINGS):
        start_s = time.perf_counter()
        items = json.loads(await _said(kubectl, kubeconfig, "get", ",".join(kinds), "-A", "-o", "json"))["items"]
        found = _dependents(items, "owner-7")
        asked_s.append(time.perf_counter() - start_s)
    ours_s: list[float] = []
    graph = _graph(items)
    for number in range(ASKED):
        start_s = time.perf_counter()
        graph.dependents(ResourceId(f"ConfigMap/default/owner-{number % OWNERS}"))
        ours_s.append(time.perf_counter() - start_s)
    ours = {edge.source for edge in graph.dependents(ResourceId("ConfigMap/default/owner-7")).edges}
    assert {one.rpartition("/")[2] for one in ours} == found, "both say the same"
    return [
        Row("objects of the API server", len(items), ""),
        Row("kubectl get of all kinds, and a walk", statistics.median(asked_s), "s"),
        Row("our graph, all two hundred", 1e3 * statistics.median(ours_s), "ms", GOAL_MS),
    ]


async def _said(program: str, kubeconfig: Path, *arguments: str) -> str:
    child = await asyncio.create_subprocess_exec(
        program, "--kubeconfig", str(kubeconfig), *arguments, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()
    assert child.returncode == 0, arguments
    return said.decode()


def _dependents(items: list[Body], name: str) -> set[str]:
    """By owners, as far as they go."""
    owned: defaultdict[str, list[Body]] = defaultdict(list)
    for one in items:
        for owner in one["metadata"].get("ownerReferences", ()):
            owned[owner["uid"]].append(one)
    left = [one["metadata"]["uid"] for one in items if one["metadata"]["name"] == name]
    found: set[str] = set()
    while left:
        for one in owned[left.pop()]:
            found.add(one["metadata"]["name"])
            left.append(one["metadata"]["uid"])
    return found


def _graph(items: list[Body]) -> Graph:
    graph, extractor = Graph(SITE), Extractor(load_catalogue(), builtin_surface())
    for one in items:
        if one["kind"] == "ConfigMap":
            graph.apply(ResourceEvent("put", extractor.state(one)))
    return graph
