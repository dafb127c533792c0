"""A namespace with as many Pods as the size says, all mounting one ConfigMap: its dependents, and selectors in it."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Final

from schemas.events import LabelSelector, Reference, ResourceEvent, ResourceState, Selector
from schemas.identity import KindId, ResourceId
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.surface import builtin_surface
from services.resolver.graph.store import Graph
from tests.bench.fleet import FARM_REPLICAS, HUB, Fleet
from tests.bench.history import SITE
from tests.bench.measuring import Row, cpu_s

ROUNDS: Final = 50
GOAL_MS: Final = 5.0


def run(size: int, file: Path) -> list[Row]:
    """Dependents of the hub and of the namespace; a Service whose selector moves from one workload to the next."""
    extractor = Extractor(load_catalogue(), builtin_surface())
    graph = Graph(SITE)
    pods: list[ResourceId] = []
    for body in Fleet(size).farm(size):
        state = extractor.state(body)
        graph.apply(ResourceEvent("put", state))
        if body["kind"] == "Pod":
            pods.append(state.resource)
    graph.apply(ResourceEvent("put", _service(0)))
    found = graph.dependents(HUB)
    assert found.count >= size, "every Pod mounts it"
    assert len(found.edges) <= 1_000, "bounded"
    hub = [cpu_s(lambda: graph.dependents(HUB)) for _ in range(ROUNDS)]
    namespace = [cpu_s(lambda: graph.dependents(ResourceId("Namespace/farm"))) for _ in range(ROUNDS)]
    moves = [_move(graph, place) for place in range(1, ROUNDS)]
    selected = [cpu_s(lambda pod=pod: graph.dependents(pod)) for pod in pods[:: len(pods) // ROUNDS]]
    churn = [_churn(graph, extractor, place) for place in range(ROUNDS)]
    return [
        Row("dependents of the hub, first 1,000 and count", 1e3 * statistics.median(hub), "ms", GOAL_MS),
        Row("dependents of the namespace, same", 1e3 * statistics.median(namespace), "ms", GOAL_MS),
        Row("a selector changes, and what it selects now", 1e3 * statistics.median(moves), "ms", GOAL_MS),
        Row("who selects a Pod", 1e3 * statistics.median(selected), "ms", GOAL_MS),
        Row("a Pod of the hub goes and comes", 1e3 * statistics.median(churn), "ms", GOAL_MS),
    ]


def _service(place: int) -> ResourceState:
    labels = LabelSelector({"tier": "farm", "app": f"worker-{place:05d}"})
    selector = Selector(KindId("Pod"), ("farm",), labels)
    reference = Reference("service.selector", "spec.selector", "reliance", "L", selector=selector)
    return ResourceState(ResourceId("Service/farm/moving"), resource_version=str(place), references=(reference,))


def _move(graph: Graph, place: int) -> float:
    state = _service(place)
    reference = state.references[0]
    counts: list[int] = []

    def act() -> None:
        graph.apply(ResourceEvent("put", state))
        counts.append(graph.targets(state.resource, reference).count)

    taken_s = cpu_s(act)
    assert counts == [FARM_REPLICAS + 2], "its Pods, their ReplicaSet and Deployment"
    return taken_s


def _churn(graph: Graph, extractor: Extractor, place: int) -> float:
    pod = next(one for one in Fleet(1, seed=place).farm(1) if one["kind"] == "Pod")
    state = extractor.state(pod)

    def act() -> None:
        graph.apply(ResourceEvent("put", state))
        graph.apply(ResourceEvent("delete", resource=state.resource))

    return cpu_s(act)
