"""A watch is read the same from its bytes and decoded: the same observations, positions, guesses, errors."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import ServedKind
from schemas.identity import KindId, kind_id
from schemas.kinds import Surface
from schemas.relations.carried import Rulebook
from schemas.relations.extract import Extractor
from schemas.relations.resting import Resting
from schemas.relations.surface import builtin_surface
from schemas.ties import DECLARATION, RULES
from services.watcher.kubernetes import reading
from services.watcher.kubernetes.discovery import Resource
from services.watcher.kubernetes.reading import HoleError, WatchReading
from services.watcher.kubernetes.shaping import Shaping
from services.watcher.source import Observation
from tests.bench.fleet import Fleet
from tests.bench.full_pods import full_pods
from tests.unit.relations.test_quick import MANAGED, as_sent

BOOK = Rulebook(namespace="default")
SURFACE = builtin_surface()
OBJECTS = [*Fleet(120).bodies(), *full_pods(3)]
HOWS = ("as it is", "managed", "declared", "rules", "guess", "floats", "junk", "half", "nameless")
HALF = "half of a pair"  # of which the other is missing: that is no text
WIDGET = KindId("example.com/Widget")
LATER = Surface([*SURFACE.served.values(), ServedKind(WIDGET, "widgets", ("v1",), namespaced=False)])


@dataclass
class Watch:
    """Of all kinds of the fleet, each read by itself. `known`: versions that were told already."""

    known: set[str] = field(default_factory=set)
    counters: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.shaping = Shaping(lambda surface: Extractor(BOOK.catalogue, surface, Resting(50)), BOOK)
        self.shaping.use(SURFACE)
        self.readings: dict[tuple[str, str], WatchReading] = {}

    def of(self, body: dict[str, Any]) -> WatchReading:
        key = (body["apiVersion"], body["kind"])
        if key not in self.readings:
            group, _, version = body["apiVersion"].rpartition("/")
            served = SURFACE.served[kind_id(group, body["kind"])]
            resource = Resource(group, version, body["kind"], served.plural, served.namespaced)
            self.readings[key] = WatchReading(
                resource, lambda one, uid, version: version not in self.known, self.shaping, self.counters
            )
        return self.readings[key]

    def sees(self, what: str, body: dict[str, Any], line: bytes, *, listing: bool) -> list[Observation] | str:
        try:
            if what == "page":
                return [*self.of(body).page(line)[0]]
            return self.of(body).line(line, listing=listing)
        except HoleError as error:
            return str(error)


@st.composite
def told(draw: st.DrawFn) -> tuple[str, dict[str, Any], bytes, bool]:
    """What happened, to which object, and the bytes that say so."""
    body = copy.deepcopy(draw(st.sampled_from(OBJECTS)))
    metadata = body["metadata"]
    metadata["resourceVersion"] = str(draw(st.integers(1, 9)))
    how = draw(
        st.sampled_from(["as it is", "managed", "declared", "rules", "guess", "floats", "junk", "half", "nameless"])
    )
    if how == "managed":
        metadata["managedFields"] = MANAGED
    elif how == "declared":
        metadata |= {"annotations": {DECLARATION: "v1:"}, "managedFields": MANAGED}
    elif how == "rules":
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a.yaml": "area: a"}}
        metadata |= {"labels": {RULES: "true"}}
        metadata["namespace"] = draw(st.sampled_from(["default", "shop", ""]))
        if not metadata["namespace"]:
            del metadata["namespace"]
    elif how == "guess":
        owner = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "u"}
        metadata["ownerReferences"] = [owner]
    elif how == "floats":
        body["spec"] = {"weight": 1.5, "containers": [{"name": "a", "env": [{"name": "HOST", "value": "db.shop.svc"}]}]}
    elif how == "junk":
        body["spec"] = draw(st.sampled_from([None, [], 7, {"volumes": 7}, {"containers": [None, {"env": {}}]}]))
    elif how == "half":
        body[draw(st.sampled_from(["spec", "status"]))] = HALF
    elif how == "nameless":
        del metadata["name"]
    what = draw(st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "page"]))
    if what == "page":
        items = [{name: one for name, one in body.items() if name not in ("apiVersion", "kind")}] * draw(
            st.integers(1, 2)
        )
        said = as_sent({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items})
    else:
        said = as_sent({"type": what, "object": body})
    return what, body, said.replace(HALF.encode(), b"\\ud800"), draw(st.booleans())


@given(st.lists(told(), min_size=1, max_size=5), st.sets(st.integers(1, 9).map(str), max_size=4))
def test_a_watch_is_read_from_its_bytes_as_it_is_read_when_it_is_decoded(
    events: list[tuple[str, dict[str, Any], bytes, bool]], known: set[str]
) -> None:
    quick, plain = Watch(known), Watch(known)
    for what, body, line, listing in events:
        found = quick.sees(what, body, line, listing=listing)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "written", lambda line: None)
            patch.setattr(reading, "listed", lambda item: None)
            assert found == plain.sees(what, body, line, listing=listing)
        assert quick.of(body).position == plain.of(body).position
    assert quick.counters == plain.counters
    assert quick.shaping.use(LATER) == plain.shaping.use(LATER)


VERSIONS = st.text("0189", max_size=3) | st.text("09a\u0660\u0669", max_size=3)


@given(VERSIONS, VERSIONS)
def test_a_watch_goes_back_in_time_when_both_versions_are_numbers_and_the_later_one_is_less(
    position: str, version: str
) -> None:
    watch = Watch()
    watch.of(OBJECTS[0]).position = position
    body = {**OBJECTS[0], "metadata": {**OBJECTS[0]["metadata"], "resourceVersion": version}}
    found = watch.sees("ADDED", body, as_sent({"type": "ADDED", "object": body}), listing=False)
    is_older = version.isdecimal() and position.isdecimal() and int(version) < int(position)
    assert (found == "the watch went back in time") == is_older


def test_an_item_that_is_no_object_ends_the_listing() -> None:
    watch = Watch()
    said = b'{"metadata":{"resourceVersion":"7"},"items":[7]}'
    with pytest.raises(HoleError, match="a list that cannot be read"):
        list(watch.of(OBJECTS[0]).page(said)[0])
