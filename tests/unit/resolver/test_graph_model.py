"""The live graph against a naive model: dictionaries searched from end to end, and networkx for what is reached."""

from __future__ import annotations

import hypothesis.strategies as st
import networkx
from hypothesis import given

from schemas.events import LabelSelector, Reference, ResourceEvent, ResourceState, Selector, kind_digest
from schemas.identity import KindId, ResourceId, SiteName, kind_of
from schemas.relations.selector import matches
from services.resolver.graph.store import Graph
from services.resolver.graph.walk import why
from tests.kit.court import FRESH

POD = KindId("Pod")
NAMES = [ResourceId(f"Pod/{space}/{name}") for space in ("a", "b") for name in range(12)] + [
    ResourceId(f"Secret/a/{name}") for name in range(3)
]
LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["x", "y"]), max_size=2)


def selecting(labels: dict[str, str], spaces: tuple[str, ...]) -> Reference:
    selector = Selector(POD, spaces, LabelSelector(labels))
    return Reference("pods", "spec.selector", "reliance", "L", selector=selector)


NAMED = st.builds(lambda target: Reference("names", f"spec.{target}", "reliance", "L", target), st.sampled_from(NAMES))
# Few targets make hubs: beyond eight sources the graph keeps them otherwise.
TO_HUB = st.builds(lambda: Reference("hub", "spec.hub", "reliance", "L", NAMES[-1]))
SELECTING = st.builds(selecting, LABELS, st.sampled_from([(), ("a",), ("a", "b")]))
STATES = st.builds(
    lambda resource, uid, version, labels, references: ResourceState(
        resource, uid=uid, resource_version=version, labels=labels, references=tuple(references)
    ),
    st.sampled_from(NAMES),
    st.sampled_from(["u1", "u2"]),
    st.sampled_from(["1", "2", "3"]),
    LABELS,
    st.lists(NAMED | TO_HUB | SELECTING, max_size=3, unique_by=lambda one: (one.target, str(one.selector))),
)
EVENTS = st.one_of(
    st.builds(lambda state: ResourceEvent("put", state), STATES),
    st.builds(
        lambda one, uid: ResourceEvent("delete", resource=one, uid=uid),
        st.sampled_from(NAMES),
        st.sampled_from(["", "u1", "u2"]),
    ),
    st.builds(lambda kind: ResourceEvent("sync_start", kind=KindId(kind)), st.sampled_from(["Pod", "Secret"])),
    st.builds(lambda kind: ResourceEvent("sync_end", kind=KindId(kind)), st.sampled_from(["Pod", "Secret"])),
)
LOGS = st.lists(EVENTS, max_size=60)


class Model:
    """What is there, by name."""

    def __init__(self) -> None:
        self.there: dict[ResourceId, ResourceState] = {}
        self.marks: dict[KindId, set[ResourceId]] = {}

    def apply(self, event: ResourceEvent) -> None:
        match event.op:
            case "put":
                assert event.state is not None, "a put has a state"
                self.there[event.state.resource] = event.state
                for kind, seen in self.marks.items():
                    if kind_of(event.state.resource) == kind:
                        seen.add(event.state.resource)
            case "delete":
                known = self.there.get(event.resource)
                if known is not None and (not event.uid or event.uid == known.uid):
                    del self.there[event.resource]
            case "sync_start":
                self.marks[event.kind] = set()
            case "sync_end" if event.kind in self.marks:
                seen = self.marks.pop(event.kind)
                self.there = {
                    one: state for one, state in self.there.items() if kind_of(one) != event.kind or one in seen
                }

    def targets(self, source: ResourceId, reference: Reference) -> set[ResourceId]:
        selector = reference.selector
        if selector is None:
            return {reference.target}
        return {
            one
            for one, state in self.there.items()
            if kind_of(one) == selector.kind
            and (not selector.namespaces or one.split("/")[1] in selector.namespaces)
            and matches(selector.labels, state.labels)
        }

    def dependents(self, target: ResourceId) -> set[ResourceId]:
        return {
            source
            for source, state in self.there.items()
            for reference in state.references
            if target in self.targets(source, reference) and (reference.selector is None or source != target)
        }


def both(log: list[ResourceEvent]) -> tuple[Graph, Model]:
    graph, model = Graph(SiteName("lyon")), Model()
    for event in log:
        graph.apply(event)
        model.apply(event)
    return graph, model


@given(LOGS)
def test_the_graph_holds_what_the_log_says(log: list[ResourceEvent]) -> None:
    graph, model = both(log)
    assert {state.resource: state for state in graph.resources()} == model.there
    assert graph.resource_count == len(model.there)
    assert graph.edge_count == sum(len(state.references) for state in model.there.values())


@given(LOGS, st.lists(STATES, max_size=20))
def test_what_is_put_at_once_is_what_it_is_one_by_one(log: list[ResourceEvent], states: list[ResourceState]) -> None:
    whole, single = both(log)[0], both(log)[0]
    changed = whole.put(states)
    one_by_one = [each for state in states for each in single.apply(ResourceEvent("put", state))]
    assert [one.resource for one in changed] == [one.resource for one in one_by_one]
    assert [*whole.resources()] == [*single.resources()]
    assert (whole.resource_count, whole.edge_count) == (single.resource_count, single.edge_count)
    for name in NAMES:  # in whatever order they were met: what is new is met last
        found, due = whole.dependents(name), single.dependents(name)
        assert sorted(found.edges, key=repr) == sorted(due.edges, key=repr)
        assert (found.count, found.by_kind) == (due.count, due.by_kind)
    for kind in map(KindId, ("Pod", "Secret")):
        assert whole.digest(kind) == single.digest(kind)


@given(LOGS)
def test_dependents_and_their_counts_are_exact_by_name_and_by_selector(log: list[ResourceEvent]) -> None:
    graph, model = both(log)
    for name in NAMES:
        found, expected = graph.dependents(name), model.dependents(name)
        assert {edge.source for edge in found.edges} == expected
        assert found.count == len(expected)
        assert sum(found.by_kind.values()) == len(expected)


@given(LOGS)
def test_selectors_find_their_targets(log: list[ResourceEvent]) -> None:
    graph, model = both(log)
    for source, state in model.there.items():
        for reference in state.references:
            if reference.selector is not None:
                found = graph.targets(source, reference)
                assert set(found.present) == model.targets(source, reference)
                assert found.count == len(found.present)


@given(LOGS)
def test_what_was_found_before_a_change_is_not_the_answer_after_it(log: list[ResourceEvent]) -> None:
    graph, model = Graph(SiteName("lyon")), Model()
    for event in log:
        graph.apply(event)
        model.apply(event)
        for source, state in model.there.items():
            for reference in state.references:
                if reference.selector is not None:
                    assert set(graph.targets(source, reference).present) == model.targets(source, reference)
        for name in NAMES[:: len(NAMES) // 5]:
            assert {edge.source for edge in graph.dependents(name).edges} == model.dependents(name)


@given(LOGS, st.data())
def test_any_order_that_keeps_each_objects_own_and_any_repetition_ends_in_the_same_graph(
    log: list[ResourceEvent], data: st.DataObject
) -> None:
    rows = [event for event in log if event.op in ("put", "delete")]
    by_name: dict[ResourceId, list[ResourceEvent]] = {}
    for event in rows:
        by_name.setdefault(event.state.resource if event.state else event.resource, []).append(event)
    order = data.draw(st.permutations([name for name, mine in by_name.items() for _ in mine]))
    left = {name: iter(mine) for name, mine in by_name.items()}
    shuffled = [event for name in order for event in [next(left[name])] * data.draw(st.integers(1, 3))]
    graph, again = both(rows)[0], both(shuffled)[0]
    assert {one.resource: one for one in graph.resources()} == {one.resource: one for one in again.resources()}
    for name in NAMES:
        rows = [
            sorted((one.source, str(one.reference)) for one in site.dependents(name).edges) for site in (graph, again)
        ]
        assert rows[0] == rows[1]


@given(LOGS)
def test_the_digest_of_a_kind_is_the_watchers(log: list[ResourceEvent]) -> None:
    graph, model = both(log)
    for kind in ("Pod", "Secret"):
        mine = [(one.uid, one.resource_version) for one in model.there.values() if kind_of(one.resource) == kind]
        assert graph.digest(KindId(kind)) == kind_digest(mine)


@given(LOGS, st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_why_finds_a_shortest_path_when_there_is_one(
    log: list[ResourceEvent], source: ResourceId, target: ResourceId
) -> None:
    graph, model = both(log)
    oracle: networkx.DiGraph[ResourceId] = networkx.DiGraph()
    oracle.add_nodes_from(NAMES)
    for name, state in model.there.items():
        for reference in state.references:
            oracle.add_edges_from((name, one) for one in model.targets(name, reference) if one != name)
    hops = len(why(graph, source, target, evidence=FRESH).edges)
    if source == target or not networkx.has_path(oracle, source, target):
        assert hops == 0
    else:
        assert hops == networkx.shortest_path_length(oracle, source, target)
