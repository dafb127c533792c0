"""Who of many points at something, or is selected, is found as if each of them were looked at."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import LabelSelector, Reference, Requirement, ResourceEvent, ResourceState, Selector
from schemas.identity import KindId, ResourceId
from schemas.relations.selector import selects
from services.resolver.graph.label_index import namespace_of
from services.resolver.graph.pointing import Pointing, Selectable
from services.resolver.graph.store import Graph
from tests.kit.examples import examples
from tests.unit.resolver.sketches import LYON

KINDS = ("Pod", "ConfigMap", "apps/Deployment")
HOMES = ("shop", "cart")
LABELS = st.dictionaries(st.sampled_from(("app", "tier", "")), st.sampled_from("xy"), max_size=2)
EXPRESSIONS = st.lists(
    st.builds(Requirement, st.just("app"), st.sampled_from(("In", "NotIn", "Exists")), st.just(("x",))), max_size=1
)
ASKED = st.builds(LabelSelector, LABELS, EXPRESSIONS.map(tuple))
SELECTORS = st.builds(
    Selector,
    st.sampled_from(KINDS).map(KindId),
    st.sampled_from(((), ("shop",), HOMES)),
    ASKED,
    st.one_of(st.none(), ASKED),
    st.booleans(),
)
NAMES = [ResourceId(f"{kind}/{home}/{name}") for kind in KINDS for home in HOMES for name in "ab"]
NAMING = st.builds(
    Reference, st.just("plain"), st.just("spec.a"), st.just("reliance"), st.just("L"), st.sampled_from(NAMES)
)
SELECTING = SELECTORS.map(lambda one: Reference("selects", "spec.b", "reliance", "L", selector=one))
STATES = st.lists(
    st.builds(
        ResourceState,
        st.sampled_from(NAMES),
        labels=LABELS,
        template_labels=st.one_of(st.none(), LABELS),
        facts=st.sampled_from(({}, {"default": True})),
        references=st.lists(st.one_of(NAMING, SELECTING), max_size=4).map(tuple),
    ),
    max_size=8,
    unique_by=lambda one: one.resource,
)


def may_look(selector: Selector, state: ResourceState) -> bool:
    """Whether it looks there; with labels of namespaces in anyone."""
    homes = selector.namespaces
    return namespace_of(state.resource) in homes or not homes or selector.namespace_labels is not None


def is_meant(selector: Selector, state: ResourceState) -> bool:
    return selects(selector, state) and may_look(selector, state)


@settings(max_examples=examples(600))
@given(STATES, SELECTORS)
def test_whatever_a_selector_matches_is_found_in_its_order(states: list[ResourceState], selector: Selector) -> None:
    found = Selectable(states).by(selector)
    assert found == [one for one in states if one in found]
    assert [one for one in found if is_meant(selector, one)] == [one for one in states if is_meant(selector, one)]


@settings(max_examples=examples(600))
@given(STATES, STATES)
def test_whoever_points_at_something_is_found_in_order(states: list[ResourceState], there: list[ResourceState]) -> None:
    graph, pointing = Graph(LYON), Pointing(states)
    for state in there:
        graph.apply(ResourceEvent("put", state))
    for name in NAMES:
        found = pointing.at(name, graph)
        target = graph.find(name)
        naive = [
            (source.resource, reference.path, reference.target)
            for source in states
            for reference in source.references
            if leads(reference, name, target)
        ]
        rows = [
            (source.resource, one.path, one.target)
            for source, mine in found
            for one in mine
            if leads(one, name, target)
        ]
        assert rows == naive
        assert len({id(source) for source, _ in found}) == len(found), "each of them once"


def leads(one: Reference, name: ResourceId, target: ResourceState | None) -> bool:
    if one.selector is None:
        return one.target == name
    return target is not None and is_meant(one.selector, target)
