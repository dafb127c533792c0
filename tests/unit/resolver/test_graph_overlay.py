"""What is laid over a site answers as the site would after the changes, which is the naive model."""

from __future__ import annotations

from typing import Final, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from schemas.events import ResourceEvent, ResourceState
from services.resolver.graph.overlay import OverlayView
from services.resolver.graph.view import WALK_MAX, Dependents, Which
from tests.kit.examples import examples
from tests.unit.resolver.sketches import NAMES, Sketch

NEEDED: Final = frozenset(("key",))
KINDS: Final = get_args(Which)


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
