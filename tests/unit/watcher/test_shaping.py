"""Raw objects → states; values and whatever an object breaks stay here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw

from schemas.events import Reference, ResourceState, ServedKind
from schemas.identity import KindId, ResourceId, kind_id
from schemas.kinds import Surface
from schemas.relations.extract import Extractor
from schemas.relations.loader import load_catalogue
from schemas.relations.quick import Written
from schemas.relations.resting import Resting
from schemas.relations.surface import builtin_surface
from schemas.ties import DECLARATION
from services.watcher.kubernetes.decoding import UndecodableError
from services.watcher.kubernetes.discovery import Resource
from services.watcher.kubernetes.shaping import Fields, Shaping, gone, read_line, read_metadata
from services.watcher.source import Gone, Unreadable
from tests.bench.fleet import Fleet
from tests.unit.watcher.scripted import line, thing

SCALERS = Resource("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", namespaced=True)
SCALER = KindId("autoscaling/HorizontalPodAutoscaler")
WIDGET = KindId("example.com/Widget")


class PointingExtractor:
    """Every object refers to one widget; `bodies` keeps what it was given."""

    def __init__(self, surface: Surface) -> None:
        found = surface.find(WIDGET)
        self._target = "example.com/Widget/shop/w" if found is None or found.namespaced else "example.com/Widget/w"
        self.bodies: list[dict[str, Any]] = []

    def seen(self, body: dict[str, Any], fields: Fields, decode: Callable[[Raw], Any]) -> tuple[ResourceState, bool]:
        self.bodies.append(body)
        reference = Reference("hpa.target", "spec.scaleTargetRef", "reliance", "L", ResourceId(self._target))
        return ResourceState(ResourceId("autoscaling/HorizontalPodAutoscaler/shop/h"), references=(reference,)), True

    def written(self, version: str, kind: str, one: Written) -> None:
        """All is decoded."""


def fields(body: dict[str, Any]) -> Fields:
    return {name: Raw(json.dumps(value).encode()) for name, value in body.items()}


def shape(shaping: Shaping, body: dict[str, Any]) -> ResourceState | Unreadable:
    return shaping.shape(SCALERS, fields(body), read_metadata(fields(body)))


def served(kind: KindId, *, namespaced: bool = True) -> ServedKind:
    return ServedKind(kind, "plural", ("v1",), namespaced=namespaced)


def shaping_and_extractors() -> tuple[Shaping, list[PointingExtractor]]:
    """In use, and the extractors that it has asked for."""
    made: list[PointingExtractor] = []

    def extractor_for(surface: Surface) -> PointingExtractor:
        made.append(PointingExtractor(surface))
        return made[-1]

    shaping = Shaping(extractor_for)
    shaping.use(Surface())
    return shaping, made


def test_items_of_a_list_get_the_version_and_kind_that_they_leave_out() -> None:
    shaping, made = shaping_and_extractors()
    shape(shaping, thing("h", 3))
    assert made[0].bodies[0]["apiVersion"] == "autoscaling/v2"
    assert made[0].bodies[0]["kind"] == "HorizontalPodAutoscaler"


def test_kinds_that_referred_to_a_kind_before_it_was_served_are_outdated_when_it_appears() -> None:
    shaping = Shaping(PointingExtractor)
    assert shaping.use(Surface([served(SCALER)])) == frozenset()
    shape(shaping, thing("h", 3))
    assert shaping.use(Surface([served(SCALER), served(KindId("Pod"))])) == frozenset()
    assert shaping.use(Surface([served(SCALER), served(WIDGET, namespaced=False)])) == {SCALER}
    state = shape(shaping, thing("h", 3))
    assert isinstance(state, ResourceState)
    assert state.references[0].target == "example.com/Widget/w"
    assert shaping.use(Surface([served(SCALER), served(WIDGET, namespaced=False)])) == frozenset()


@pytest.mark.parametrize("where", ["spec", "status"])
def test_a_guess_is_known_whether_it_was_read_with_the_object_or_with_its_status_alone(where: str) -> None:
    catalogue = load_catalogue()
    shaping = Shaping(lambda surface: Extractor(catalogue, surface, Resting(10)))
    shaping.use(Surface([served(SCALER)]))
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w"}
    seen = {"currentMetrics": [{"type": "Object", "object": {"describedObject": widget}}]}
    spec = {"scaleTargetRef": widget} if where == "spec" else {}
    for status in ({}, seen if where == "status" else {"currentReplicas": 1}):
        state = shape(shaping, {**thing("h", 3), "spec": spec, "status": status})
        assert isinstance(state, ResourceState)
    assert "example.com/Widget/shop/w" in [one.target for one in state.references]
    assert shaping.use(Surface([served(SCALER), served(WIDGET, namespaced=False)])) == {SCALER}


def test_an_object_that_breaks_the_extractor_is_named_and_its_values_are_not() -> None:
    class Broken:
        def seen(
            self, body: dict[str, Any], fields: Fields, decode: Callable[[Raw], Any]
        ) -> tuple[ResourceState, bool]:
            raise ValueError(f"cannot read {decode(fields['data'])}")

        def written(self, version: str, kind: str, one: Written) -> None:
            raise ValueError("cannot read it")

    shaping = Shaping(lambda surface: Broken())
    shaping.use(Surface())
    found = shape(shaping, thing("h", 3, data="s3cr3t"))
    assert found == Unreadable(ResourceId("autoscaling/HorizontalPodAutoscaler/shop/h"), "uid-h", "ValueError")


def test_what_has_no_name_or_no_end_cannot_even_be_named() -> None:
    for body in (b'{"metadata": 7}', b"[1]", b'{"metadata":{"name":"\xff"}}', _deep(1_000_000)):
        with pytest.raises(UndecodableError):
            read_metadata(read_line(b'{"type":"ADDED","object":' + body + b"}").object)


@pytest.mark.parametrize("levels", [100, 900, 2_000, 10_000, 50_000, 100_000, 300_000])
def test_what_is_nested_deeper_than_can_be_read_is_said_to_be_unreadable_and_ends_nothing(levels: int) -> None:
    """How deep that is depends on the Python: it counts levels up to 3.13, and looks at the stack since."""
    catalogue = load_catalogue()
    shaping = Shaping(lambda surface: Extractor(catalogue, surface))
    shaping.use(builtin_surface())
    found: ResourceState | Unreadable | None
    try:
        fields_of = read_line(b'{"type":"ADDED","object":' + _deep(levels) + b"}").object
        found = shaping.shape(SCALERS, fields_of, read_metadata(fields_of))
    except UndecodableError:
        found = None
    assert found is None or isinstance(found, ResourceState | Unreadable)
    assert levels > 100 or isinstance(found, ResourceState)


def _deep(levels: int) -> bytes:
    """A scaler with so many lists in its specification, each in another."""
    head = (
        b'{"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler",'
        b'"metadata":{"name":"h","namespace":"shop","uid":"u","resourceVersion":"1"},"spec":'
    )
    return head + b"[" * levels + b"]" * levels + b"}"


def test_kinds_of_which_something_was_not_read_are_outdated_by_any_new_kind() -> None:
    shaping = Shaping(PointingExtractor)
    shaping.use(Surface([served(SCALER)]))
    shaping.pass_over(SCALERS)
    assert shaping.use(Surface([served(SCALER)])) == frozenset()
    assert shaping.use(Surface([served(SCALER), served(KindId("Pod"))])) == {SCALER}


def test_a_deletion_needs_the_metadata_alone() -> None:
    read = read_line(line("DELETED", thing("h", 9, uid="u")))
    assert read.type == "DELETED"
    found = gone(SCALERS, read_metadata(read.object))
    assert found == Gone(ResourceId("autoscaling/HorizontalPodAutoscaler/shop/h"), "u", "9")


def test_a_namespace_on_a_cluster_scoped_kind_is_dropped() -> None:
    nodes = Resource("", "v1", "Node", "nodes", namespaced=False)
    assert gone(nodes, read_metadata(fields(thing("n", 1)))).resource == "Node/n"


MANAGED = [{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {".": {}}}}}]


def test_who_manages_which_field_is_read_only_where_something_was_declared() -> None:
    shaping, made = shaping_and_extractors()
    for said in ({"a": "b"}, {DECLARATION: "v1:"}):
        body = thing("h", 3)
        body["metadata"] |= {"annotations": said, "managedFields": MANAGED}
        shape(shaping, body)
    assert [one["metadata"].get("managedFields") for one in made[0].bodies] == [None, MANAGED]
    assert made[0].bodies[0]["metadata"] == {**thing("h", 3)["metadata"], "annotations": {"a": "b"}}


def test_an_object_says_the_same_whoever_manages_its_fields() -> None:
    surface = builtin_surface()
    shaping = Shaping(lambda one: Extractor(load_catalogue(), one))
    shaping.use(surface)
    for body in Fleet(120).bodies():
        group, _, version = str(body["apiVersion"]).rpartition("/")
        found = surface.served[kind_id(group, body["kind"])]
        resource = Resource(group, version, body["kind"], found.plural, found.namespaced)
        managed = {**body, "metadata": {**body["metadata"], "managedFields": MANAGED}}
        plain, read = (shaping.shape(resource, fields(one), read_metadata(fields(one))) for one in (body, managed))
        assert isinstance(plain, ResourceState)
        assert read == plain
