"""What very many name: who needs a part of it, however they come, change and go, one by one or batch by batch."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import BATCH_EVENTS_MAX, LabelSelector, Reference, ResourceEvent, ResourceState, Selector
from schemas.identity import KindId, ResourceId, SiteName
from services.resolver.graph.edges import Reverse
from services.resolver.graph.forms import form_of, shape_of
from services.resolver.graph.kept import Hub, Shape
from services.resolver.graph.packed import PACKED_MAX
from services.resolver.graph.store import Graph
from services.watcher.telling.teller import Teller, join
from tests.kit.examples import examples

LYON = SiteName("lyon")
HUB = ResourceId("ConfigMap/shop/settings")
PARTS = ("", "", "key:a", "key:b")
SOURCES = 2 * PACKED_MAX


def _source(chance: Random) -> ResourceEvent:
    name = ResourceId(f"{chance.choice(('Pod', 'apps/Deployment'))}/shop/{chance.randrange(SOURCES)}")
    if chance.random() < 0.25:
        return ResourceEvent("delete", resource=name)
    named = tuple(
        Reference("podspec.env", f"spec.{place}", "requirement", "SL", HUB, granule=chance.choice(PARTS))
        for place in range(chance.choice((0, 1, 1, 1, 2)))
    )
    return ResourceEvent("put", ResourceState(name, references=named))


def assert_found_as_in_a_walk(graph: Graph) -> bool:
    """Every answer is what a walk over all states says; returns whether it is a hub now."""
    states = [*graph.resources()]
    for parts in ({"key:a"}, {"key:b", "key:c"}, {"key:c"}):
        expected = [
            (state.resource, one)
            for state in states
            for one in state.references
            if one.target == HUB and one.granule in parts
        ]
        found = [(edge.source, edge.reference) for edge in graph.needing(HUB, parts)]
        assert sorted(found, key=str) == sorted(expected, key=str)
    users = {state.resource for state in states if state.references}
    counted = graph.dependents(HUB)
    assert counted.count == len(users)
    assert counted.by_kind == {kind: found for kind, found in _kinds(users).items() if found}
    links = graph.parts.links
    number = graph.parts.names.find(HUB)
    return number >= 0 and isinstance(links.users.rows[number], Hub)


def _kinds(users: set[ResourceId]) -> dict[KindId, int]:
    deployments = sum(one.startswith("apps/") for one in users)
    return {KindId("Pod"): len(users) - deployments, KindId("apps/Deployment"): deployments}


@settings(max_examples=examples(30))
@given(st.integers(0, 2**32))
def test_who_needs_a_part_is_found_in_a_hub_as_in_a_walk_over_everything(seed: int) -> None:
    chance, teller, seq = Random(seed), Teller(), 1
    one_by_one, by_batches = Graph(LYON), Graph(LYON)
    for size in (SOURCES, SOURCES, 8, 8):
        events = [_source(chance) for _ in range(size)]
        for event in events:
            one_by_one.apply(event)
        batch = by_batches.read(join(LYON, 1, seq, "", tuple(map(teller.tell, events))))
        for _ in by_batches.take(batch, batch.events):
            pass
        seq += size
        assert_found_as_in_a_walk(one_by_one)
        assert_found_as_in_a_walk(by_batches)


def test_so_many_name_it_that_it_becomes_a_hub_either_way_and_nothing_is_left_when_they_go() -> None:
    one_by_one, by_batches, chance, teller = Graph(LYON), Graph(LYON), Random(1), Teller()
    for seq in range(1, 4 * SOURCES, BATCH_EVENTS_MAX):
        events = [_source(chance) for _ in range(BATCH_EVENTS_MAX)]
        for event in events:
            one_by_one.apply(event)
        batch = by_batches.read(join(LYON, 1, seq, "", tuple(map(teller.tell, events))))
        for _ in by_batches.take(batch, batch.events):
            pass
    for graph in (one_by_one, by_batches):
        assert assert_found_as_in_a_walk(graph), "a hub"
        for state in [*graph.resources()]:
            graph.apply(ResourceEvent("delete", resource=state.resource))
        assert not assert_found_as_in_a_walk(graph)


def _labelled(name: str) -> ResourceState:
    return ResourceState(ResourceId(f"Pod/shop/{name}"), labels={"app": "web"})


def test_all_that_have_the_same_labels_are_selected_however_many_come_and_go() -> None:
    graph, chance, there = Graph(LYON), Random(2), dict[str, None]()
    selector = Selector(KindId("Pod"), ("shop",), LabelSelector({"app": "web"}))
    choosing = Reference("service.selector", "spec.selector", "selection", "S", ResourceId(""), selector)
    graph.apply(ResourceEvent("put", ResourceState(ResourceId("Service/shop/web"), references=(choosing,))))
    for most in (2, 2 * PACKED_MAX, PACKED_MAX // 2, 2 * PACKED_MAX, 0):
        while len(there) != most:
            name = str(chance.randrange(3 * PACKED_MAX))
            if len(there) < most:
                graph.apply(ResourceEvent("put", _labelled(name)))
                there[name] = None
            elif name in there:
                graph.apply(ResourceEvent("delete", resource=_labelled(name).resource))
                del there[name]
            found = graph.targets(ResourceId("Service/shop/web"), choosing)
            assert sorted(found.present) == sorted(_labelled(one).resource for one in there)
            assert found.count == len(there)


def _kind_of(number: int) -> KindId:
    return KindId("Pod" if number % 3 else "apps/Deployment")


FORMS = [form_of(Reference("r", "p", "requirement", "SL", HUB, granule=one), False, False) for one in "ab"]
SHAPES = [shape_of((one,)) for one in FORMS]


def _shape_of(number: int) -> Shape:
    return SHAPES[number % 2 and number % 5 == 0]


@settings(max_examples=examples(40))
@given(st.integers(0, 2**32))
def test_who_names_a_target_is_counted_exactly_whenever_somebody_asks(seed: int) -> None:
    chance, reverse, known, last = Random(seed), Reverse(_kind_of, _shape_of), Counter[int](), 0
    reverse.rows.append(None)
    for _ in range(60):
        act = chance.random()
        if act < 0.5:  # as batches come: mostly new numbers, some named twice, seldom old ones
            more = [last + one for one in range(1, chance.randrange(2, 60))]
            more += [chance.randrange(last + 1) for _ in range(chance.choice((0, 0, 1)))]
            more += more[: chance.choice((0, 0, 1))]
            reverse.add_all({0: more})
            known.update(more)
            last += 60
        elif act < 0.7:
            one = chance.randrange(last + 1)
            reverse.add(0, one, _kind_of(one), _shape_of(one))
            known[one] += 1
        for one in chance.choices([*known.elements()], k=chance.choice((0, 0, 3, 30))) if known else ():
            if known[one]:
                reverse.remove(0, one, _kind_of(one), _shape_of(one))
                known[one] -= 1
        known = +known
        if chance.random() < 0.2:
            assert sorted(reverse.sources(0)) == sorted(known)
            assert reverse.by_kind(0) == Counter(map(_kind_of, known))
            for part in "ab":
                needed = any(part in _shape_of(one).granules for one in known)
                assert reverse.may_need(0, {part}) >= needed
                assert not isinstance(reverse.rows[0], Hub) or reverse.may_need(0, {part}) == needed
            assert not known or reverse.contains(0, chance.choice([*known]))
            assert not reverse.contains(0, last + 1)
