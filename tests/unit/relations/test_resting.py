"""What is kept of an object while only its status changes: never another word than reading all of it says."""

from __future__ import annotations

import copy
import gc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from schemas.events import ResourceEvent, ResourceState
from schemas.identity import ResourceId
from schemas.relations.extract import Extractor, with_packs
from schemas.relations.loader import load_catalogue
from schemas.relations.resting import REPLACED_MAX, Resting, changes_by_itself
from schemas.relations.run import Rested
from schemas.relations.surface import builtin_surface
from services.watcher.telling.teller import Teller
from tests.bench.fleet import Fleet
from tests.unit.relations.reading import EXTRACTOR
from tests.unit.relations.test_hostile_objects import KINDS
from tests.unit.relations.test_readers import examples_of

CATALOGUE = load_catalogue()
SURFACE = with_packs(builtin_surface(), CATALOGUE)  # once: each extractor would work it out anew
FLEET = list(Fleet(120).bodies())
STATUSES: dict[str, Any] = {
    "phase": ["Running", "Failed", None],
    "nominatedNodeName": ["node-1", "node-2"],
    "resourceClaimStatuses": [[{"name": "a", "resourceClaimName": "gpu"}], []],
    "currentVolumeAttributesClassName": ["gold", "silver"],
    "conditions": [[{"type": "Ready", "status": "True"}], [{"type": "Complete", "status": "True"}], None],
    "observedGeneration": [1, 2],
    "active": [[{"apiVersion": "batch/v1", "kind": "Job", "namespace": "shop", "name": "web-1"}]],
    "volumesAttached": [[{"name": "kubernetes.io/csi/d^v-1"}]],
}


@st.composite
def changes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One object as it is seen again and again: mostly its status and its versions differ, now and then anything."""
    body = copy.deepcopy(draw(st.sampled_from(FLEET)))
    seen = [body]
    for version in range(draw(st.integers(1, 6))):
        body = copy.deepcopy(draw(st.sampled_from(seen)))  # also as it was before
        metadata = body["metadata"]
        metadata["resourceVersion"] = str(1_000 + version)
        metadata["generation"] = version
        what = draw(st.sampled_from(["status", "status", "labels", "uid", "leaf", "annotation", "deleted", "owner"]))
        if what == "status":
            name = draw(st.sampled_from(sorted(STATUSES)))
            body.setdefault("status", {})[name] = draw(st.sampled_from(STATUSES[name]))
        elif what == "labels":
            metadata["labels"] = {"app": draw(st.sampled_from(["a", "b"]))}
        elif what == "uid":
            metadata["uid"] = f"u-{version}"
        elif what == "annotation":
            metadata["annotations"] = {"a": draw(st.sampled_from(["b", "c"]))}
        elif what == "deleted":
            metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        elif what == "owner":
            named = {"name": draw(st.sampled_from(["x", "y"])), "uid": "u-9"}
            metadata["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", **named}]
        else:
            _change_a_leaf(draw, body)
        seen.append(body)
    return seen


def _change_a_leaf(draw: st.DrawFn, body: dict[str, Any]) -> None:
    """Some text, somewhere outside of what names the object."""
    leaves: list[tuple[Any, Any]] = []
    left: list[Any] = [one for name, one in body.items() if name not in ("metadata", "apiVersion", "kind")]
    while left:
        at = left.pop()
        for key, value in at.items() if isinstance(at, dict) else enumerate(at) if isinstance(at, list) else ():
            if isinstance(value, str):
                leaves.append((at, key))
            else:
                left.append(value)
    if leaves:
        at, key = draw(st.sampled_from(leaves))
        at[key] = draw(st.sampled_from(["one", "two"]))


def _seen(extractor: Extractor, body: dict[str, Any], *, turned: bool = False) -> ResourceState:
    """Read from its fields as bytes, as a watcher does. `turned`: in another order."""
    fields = {name: Raw(msgspec.json.encode(value)) for name, value in body.items()}
    if turned:
        fields = dict(reversed(fields.items()))
    head = {name: body[name] for name in ("apiVersion", "kind", "metadata") if name in body}
    return extractor.seen(copy.deepcopy(head), fields, msgspec.json.decode)[0]


@given(st.lists(changes(), min_size=1, max_size=3), st.integers(1, 3), st.data())
def test_what_is_kept_says_what_reading_all_of_it_says(
    objects: list[list[dict[str, Any]]], many: int, data: st.DataObject
) -> None:
    resting, teller = Extractor(CATALOGUE, SURFACE, Resting(many)), Teller()
    for bodies in zip(*(one * 7 for one in objects), strict=False):
        for body in bodies:
            how = data.draw(st.sampled_from(["bytes", "bytes", "turned", "decoded"]))
            kept = resting.state(body) if how == "decoded" else _seen(resting, body, turned=how == "turned")
            plain = EXTRACTOR.state(body)
            assert kept == plain
            told, fresh = (one.tell(ResourceEvent("put", kept)) for one in (teller, Teller()))
            assert told.shape[1] == fresh.shape[1]
            assert _targets(told.fact) == _targets(fresh.fact)


def _targets(fact: bytes) -> Any:
    """A fact without the keys of tables, which every teller numbers for itself."""
    found = msgspec.json.decode(fact)
    return {name: one for name, one in found.items() if name not in ("labels", "template_labels", "traits", "shape")}


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_of_any_kind_is_read_from_its_bytes_as_it_is_read_whole(kind: str) -> None:
    resting = Extractor(CATALOGUE, SURFACE, Resting(10))  # for all of them: it works out anew what rules say of a kind
    for body in examples_of(kind):
        for status in (body.get("status"), {"phase": "Failed"}, None):
            seen = {**body, "status": status} if status is not None else body
            assert _seen(resting, seen) == EXTRACTOR.state(seen)


def test_a_change_of_the_status_alone_gives_the_very_same_references() -> None:
    resting = Extractor(CATALOGUE, SURFACE, Resting(10))
    body = next(one for one in FLEET if one["kind"] == "Pod")
    again = {**body, "status": {**body.get("status", {}), "phase": "Failed"}}
    assert resting.state(again).references is resting.state(body).references
    assert _seen(resting, again).references is _seen(resting, body).references


def test_of_what_only_changed_its_status_nothing_else_is_decoded() -> None:
    resting, decoded = Extractor(CATALOGUE, SURFACE, Resting(10)), []
    pod = next(one for one in FLEET if one["kind"] == "Pod")
    for phase in ("Pending", "Running"):
        body = {**pod, "status": {"phase": phase}}
        fields = {name: Raw(msgspec.json.encode(value)) for name, value in body.items()}
        head = {name: body[name] for name in ("apiVersion", "kind", "metadata")}
        decoded.clear()
        resting.seen(head, fields, lambda raw: decoded.append(bytes(raw)) or msgspec.json.decode(raw))
    assert decoded == [b'{"phase":"Running"}']


def test_so_many_are_kept_and_what_was_not_met_for_longest_goes_first() -> None:
    resting = Resting(10)
    extractor = Extractor(CATALOGUE, SURFACE, resting)
    bodies = [body for body in FLEET if body["kind"] == "Pod"][:11]
    first, second, *others = [extractor.state(body) for body in bodies[:-1]]
    assert extractor.state(bodies[0]).references is first.references
    extractor.state(bodies[-1])
    assert len(resting._kept) == 10
    assert second.resource not in resting._kept
    assert {first.resource, *(one.resource for one in others)} < set(resting._kept)


def test_the_collector_looks_at_what_is_kept_instead_of_others_some_at_a_time() -> None:
    resting, rested, runs = Resting(10), Rested("", (), (), {}, None, {}, (), ()), list[int]()

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            runs.append(info["generation"])

    gc.disable()
    gc.callbacks.append(note)
    try:
        for number in range(10 + 3 * REPLACED_MAX):
            resting.keep(ResourceId(f"Pod/shop/{number}"), rested)
    finally:
        gc.callbacks.remove(note)
        gc.enable()
    assert runs == [1, 1, 1]


def test_no_value_of_a_secret_or_a_config_map_is_kept() -> None:
    resting = Resting(10)
    extractor = Extractor(CATALOGUE, SURFACE, resting)
    for kind in ("Secret", "ConfigMap"):
        metadata = {"name": "a", "namespace": "b", "uid": "u"}
        extractor.state({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {"key": "precious"}})
    assert "precious" not in repr([*resting._kept.values()])
    assert [one.partition("/")[0] for one in resting._kept] == ["ConfigMap"]


def test_what_is_not_in_the_digest_changes_by_itself() -> None:
    for steps in (
        (),
        (None,),
        ("status",),
        ("status", "phase"),
        ("metadata",),
        ("metadata", "uid"),
        ("metadata", None),
    ):
        assert changes_by_itself(steps)
    for steps in (("spec",), ("metadata", "labels"), ("metadata", "ownerReferences", None), ("data",)):
        assert not changes_by_itself(steps)
