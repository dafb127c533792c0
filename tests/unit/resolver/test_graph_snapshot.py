"""A graph copied slice by slice while events go on, read back, and brought up to date: the graph of the events."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from schemas.events import ResourceEvent
from schemas.identity import KindId, SiteName
from schemas.relations.surface import builtin_surface
from services.resolver.graph.restoring import ChunkError, Restoring
from services.resolver.graph.snapshot import Chunk, Copying
from services.resolver.graph.store import Graph
from tests.kit.extractors import extractor_for
from tests.unit.resolver.test_graph_model import EVENTS, LOGS, NAMES, POD

SITE = SiteName("lyon")
SECRET = KindId("Secret")
NO_LISTING = [ResourceEvent("sync_same", kind=POD), ResourceEvent("sync_same", kind=SECRET)]


def built(log: list[ResourceEvent]) -> Graph:
    graph = Graph(SITE)
    for event in log:
        graph.apply(event)
    return graph


def copied(graph: Graph, numbers: int, during: Iterator[ResourceEvent]) -> tuple[list[bytes], int]:
    """Chunks as they are written; one event between each two."""
    made = []
    for chunk in Copying(graph).chunks(numbers):
        made.append(msgspec.msgpack.encode(chunk))
        for event in during:
            graph.apply(event)
            break
    return made, len(graph.parts.names)


def restored(chunks: list[bytes], count: int) -> Graph:
    graph = Graph(SITE)
    restoring = Restoring(graph.parts, count)
    for _ in restoring.begin():
        pass
    for chunk in chunks:
        restoring.take(msgspec.msgpack.decode(chunk, type=Chunk))
    for _ in restoring.finish():
        pass
    graph.resource_count = restoring.resource_count
    return graph


def everything(graph: Graph) -> dict[str, object]:
    """Every answer that a graph of these names gives."""
    states = {state.resource: state for state in graph.resources()}
    dependents = {}
    for name in NAMES:
        found = graph.dependents(name)
        edges = sorted((edge.source, msgspec.json.encode(edge.reference)) for edge in found.edges)
        dependents[name] = edges, found.count, found.by_kind
    selected = [
        (name, msgspec.json.encode(reference), sorted(found.present), found.count)
        for name, state in sorted(states.items())
        for reference in state.references
        if (found := graph.targets(name, reference)) is not None
    ]
    return {
        "states": states,
        "counts": (graph.resource_count, graph.edge_count, sum(graph.missing())),
        "digests": {kind: graph.digest(kind) for kind in graph.kinds()},
        "members": {kind: sorted(graph.members(kind)) for kind in graph.kinds()},
        "dependents": dependents,
        "selected": selected,
    }


@given(LOGS, st.lists(EVENTS, max_size=20), st.lists(EVENTS, max_size=20), st.integers(1, 7))
def test_a_snapshot_and_the_events_since_are_the_graph_of_all_events(
    before: list[ResourceEvent], during: list[ResourceEvent], after: list[ResourceEvent], numbers: int
) -> None:
    graph = built([*before, *NO_LISTING])
    left = iter(during)
    chunks, count = copied(graph, numbers, left)
    for event in (*left, *after):
        graph.apply(event)
    again = restored(chunks, count)
    for event in (*during, *after):
        again.apply(event)
    assert everything(again) == everything(graph) == everything(built([*before, *NO_LISTING, *during, *after]))


@given(LOGS, LOGS)
def test_a_restored_graph_takes_what_comes_as_the_first_one_does(
    before: list[ResourceEvent], after: list[ResourceEvent]
) -> None:
    graph = built([*before, *NO_LISTING])
    again = restored(*copied(graph, 100, iter(())))
    assert everything(again) == everything(graph)
    for event in after:
        one, other = ({each.resource: (each.old, each.new) for each in site.apply(event)} for site in (graph, again))
        assert one == other
    assert everything(again) == everything(graph)


def test_what_recurs_is_shared_again() -> None:
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "labels": {"app": "web"}}}
    body["spec"] = {"volumes": [{"name": "ca", "secret": {"secretName": "ca"}}], "containers": []}  # type: ignore[assignment]  # a tree
    extractor = extractor_for(builtin_surface())
    pods = [{**body, "metadata": {**body["metadata"], "name": f"web-{place}"}} for place in range(5)]  # type: ignore[dict-item]  # as above
    graph = built([ResourceEvent("put", extractor.state(pod)) for pod in pods])
    records = [one for one in restored(*copied(graph, 3, iter(()))).parts.records.rows if one is not None]
    assert len({id(one.labels) for one in records}) == len({id(one.shape) for one in records}) == 1
    assert len({id(one.traits) for one in records}) == 1


def test_a_snapshot_holds_no_value_of_a_secret_or_a_config_map() -> None:
    extractor = extractor_for(builtin_surface())
    meta = {"name": "ca", "namespace": "shop"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"key.pem": "a-word-to-hide"}}
    secret["data"] = {"crt.pem": "YS13b3JkLXRvLWhpZGU="}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"settings": "a-word-to-hide"}}
    chunks, _ = copied(built([ResourceEvent("put", extractor.state(one)) for one in (secret, config)]), 10, iter(()))
    whole = b"".join(chunks)
    assert b"crt.pem" in whole, "names of keys are known"
    assert b"settings" in whole, "names of keys are known"
    assert b"a-word-to-hide" not in whole
    assert b"YS13b3JkLXRvLWhpZGU" not in whole


def test_a_chunk_that_is_missing_or_out_of_its_place_is_refused() -> None:
    chunks, count = copied(built([ResourceEvent("put", one) for one in _states()]), 1, iter(()))
    with pytest.raises(ChunkError, match="numbers from 2 \\(expected from 1\\)"):
        restored([chunks[0], *chunks[2:]], count)
    with pytest.raises(ChunkError, match="numbers \\(expected"):
        restored(chunks[:-1], count)
    with pytest.raises(ChunkError, match="IndexError"):
        restored([msgspec.msgpack.encode(_without_heads(chunks[0])), *chunks[1:]], count)


def _states() -> list:  # type: ignore[type-arg]  # states
    extractor = extractor_for(builtin_surface())
    metas = [{"name": f"m-{place}", "namespace": "shop"} for place in range(4)]
    return [extractor.state({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}) for meta in metas]


def _without_heads(chunk: bytes) -> Chunk:
    return msgspec.structs.replace(msgspec.msgpack.decode(chunk, type=Chunk), heads=[])


def test_numbers_are_handed_out_again_after_a_copy_and_not_during_it() -> None:
    graph = built([ResourceEvent("put", one) for one in _states()])
    chunks = Copying(graph).chunks(1)
    next(chunks)
    assert graph.keeps_numbers
    chunks.close()
    assert not graph.keeps_numbers
