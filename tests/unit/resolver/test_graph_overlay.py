"""What is laid over a site answers as the site would after the changes, and is read in proportion to what it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from schemas.events import Reference, ResourceEvent, ResourceState
from schemas.identity import ResourceId
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.view import WALK_MAX, Dependents, Which
from tests.kit.examples import examples
from tests.kit.manifests import deployment, namespace, pod
from tests.unit.resolver.naive_cluster import EXTRACTOR
from tests.unit.resolver.sketches import NAMES, Sketch
from tests.unit.resolver.test_gate import Site

NEEDED: Final = frozenset(("key",))
FEW: Final = 16
MANY: Final = 640


@settings(max_examples=examples(1_000))
@given(st.integers(0, 2**32))
def test_who_depends_on_something_is_the_same_laid_over_a_site_and_written_into_it(seed: int) -> None:
    sketch, written = Sketch(seed), Sketch(seed).graph()
    base = sketch.graph()
    known = {name: state.uid for name in NAMES if (state := base.find(name)) is not None}
    puts = [_needing(one, known.get(one.resource, "u1")) for one in sketch.written()]
    gone = {one for one in sketch.targets() if one in known} - {one.resource for one in puts}
    for state in puts:
        written.apply(ResourceEvent("put", state))
    for resource in gone:
        written.apply(ResourceEvent("delete", resource=resource))
    which = get_args(Which)[seed % 4]
    over, put = OverlayView(base, {one.resource: one for one in puts}, gone), {one.resource for one in puts}
    for name in NAMES:
        assert over.find(name) == written.find(name)
        assert {*map(str, over.needing(name, NEEDED))} == {*map(str, written.needing(name, NEEDED))}
        before, mine, theirs = (one.dependents(name, WALK_MAX, which) for one in (base, over, written))
        selecting = (edge for edge in theirs.edges if edge.reference.selector and edge.source not in put)
        begun = {*map(str, selecting)} - _told(before)  # of who stays it is not told that he selects from now on
        assert _told(mine) == _told(theirs) - begun
        if not begun and _is_exact(before) and _is_exact(theirs):
            assert (mine.count, dict(mine.by_kind)) == (theirs.count, dict(theirs.by_kind))


def _needing(state: ResourceState, uid: str) -> ResourceState:
    """Of what it names it needs a key; it is the object that was there."""
    references = (one if one.selector else structs.replace(one, granule="key") for one in state.references)
    return structs.replace(state, uid=uid, references=tuple(references))


def _told(found: Dependents) -> set[str]:
    """Without those that mean a former object of the name: whether they do is not asked again."""
    return {str(edge) for edge in found.edges if edge.reference.uid != "u2"}


def _is_exact(found: Dependents) -> bool:
    """They count, too, where they stand in no edge."""
    return found.count == len({edge.source for edge in found.edges if edge.reference.uid != "u2"})


class Counted(tuple[Reference, ...]):
    """References that know how often one of them was looked at."""

    looked_at = 0

    def __iter__(self) -> Iterator[Reference]:
        for one in super().__iter__():
            self.looked_at += 1
            yield one


def reading(many: int) -> dict[str, Any]:
    env = [{"name": f"E{one}", "valueFrom": {"secretKeyRef": {"name": f"s{one}", "key": "k"}}} for one in range(many)]
    return {"containers": [{"name": "a", "image": "b", "env": env}]}


def test_a_bundle_of_one_object_with_very_many_references_is_read_in_proportion_to_them() -> None:
    site, state = Site(namespace()), EXTRACTOR.state(deployment("web", reading(MANY)))
    references = Counted(state.references)
    view = OverlayView(site.machine.desk.view(), {state.resource: structs.replace(state, references=references)})
    for one in range(MANY):
        (edge,) = view.dependents(ResourceId(f"Secret/shop/s{one}")).edges
        assert (edge.source, f"env[{one}]" in edge.reference.path) == (state.resource, True)
    assert references.looked_at < 5 * MANY


def test_of_many_references_those_by_labels_are_found_with_those_by_name_in_their_order() -> None:
    rows = [{"matchLabels": {"app": f"a{one}"}} for one in range(2 * FEW)]
    peers = [{"podSelector": one} for one in rows]
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "n", "namespace": "shop", "uid": "n"},
        "spec": {"podSelector": {}, "ingress": [{"from": [*peers, *peers]}]},
    }
    chosen = pod("one", app="a3")
    site, state = Site(namespace(), chosen), EXTRACTOR.state(policy)
    view = OverlayView(site.machine.desk.view(), {state.resource: state})
    paths = [edge.reference.path for edge in view.dependents(ResourceId("Pod/shop/one")).edges]
    twice = (f"spec.ingress[0].from[{one}].podSelector" for one in (3, 3 + 2 * FEW))
    assert paths == ["spec.podSelector", *twice]
