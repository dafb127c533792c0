"""Fields as managedFields names them: what differs in them, and what of an object they are."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ties import DECLARATION, REPLICA_SET
from services.chassis.kubernetes.declaration import MANAGER, MARKER, declared_manifest, drift_of, with_declaration
from services.chassis.kubernetes.fields import Difference, differing, pick

WEB = 'k:{"name":"web"}'
PORT = 'k:{"containerPort":80,"protocol":"TCP"}'
FIELDS: dict[str, Any] = {
    "f:spec": {
        "f:replicas": {},
        "f:paused": {},
        "f:volumes": {'k:{"name":"tmp"}': {".": {}, "f:name": {}, "f:emptyDir": {}}},
        "f:containers": {WEB: {".": {}, "f:name": {}, "f:image": {}, "f:ports": {PORT: {".": {}}}, "f:args": {}}},
    },
    "f:finalizers": {'v:"a/b"': {}},
}
BEFORE: dict[str, Any] = {
    "spec": {
        "replicas": 2,
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "containers": [
            {"name": "web", "image": "web:1", "ports": [{"containerPort": 80, "protocol": "TCP"}], "args": ["a", "b"]}
        ],
    },
    "finalizers": ["a/b"],
}


def changed(**spec: Any) -> dict[str, Any]:
    return {**BEFORE, "spec": {**BEFORE["spec"], **spec}}


def container(**how: Any) -> list[dict[str, Any]]:
    return [{"name": "sidecar"}, {**BEFORE["spec"]["containers"][0], **how}]


@pytest.mark.parametrize(
    ("now", "paths"),
    [
        (BEFORE, []),
        (changed(replicas=5), ["spec.replicas"]),
        (changed(paused=True), []),
        (changed(containers=container()), []),
        (changed(containers=container(image="web:2")), ["spec.containers[name=web].image"]),
        (changed(containers=container(args=["b", "a"])), ["spec.containers[name=web].args"]),
        (changed(containers=container(ports=[])), ["spec.containers[name=web].ports[containerPort=80,protocol=TCP]"]),
        (changed(containers=container(ports=[{"containerPort": 80, "protocol": "TCP", "name": "http"}])), []),
        (changed(containers=[{"name": "sidecar"}]), ["spec.containers[name=web]"]),
        (changed(volumes=[{"name": "tmp", "emptyDir": {"medium": "Memory"}}]), []),
        ({**BEFORE, "finalizers": ["x/y"]}, ['finalizers["a/b"]']),
        ({**BEFORE, "finalizers": ["x/y", "a/b"]}, []),
        ({}, ["spec", "finalizers"]),
        ({"spec": 7, "finalizers": None}, ["spec.replicas", "spec.volumes", "spec.containers", 'finalizers["a/b"]']),
    ],
)
def test_only_these_fields_are_compared(now: dict[str, Any], paths: list[str]) -> None:
    assert [one.path for one in differing(FIELDS, BEFORE, now)] == paths


def test_a_difference_says_what_it_was_and_is() -> None:
    assert list(differing(FIELDS, BEFORE, changed(replicas=5))) == [Difference("spec.replicas", 2, 5)]


def test_the_part_of_an_object_that_is_named_differs_in_nothing_from_it() -> None:
    assert list(differing(FIELDS, pick(BEFORE, FIELDS), BEFORE)) == []


# ── on the object itself ────────────────────────────────────────────────────────────────────────────────────────────

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def fields_of(value: Any) -> dict[str, Any]:
    return {f"f:{name}": fields_of(one) for name, one in value.items()} if isinstance(value, dict) else {}


def written(spec: dict[str, Any], kind: str = "Widget") -> dict[str, Any]:
    """As the API server answers, and as it is then stored."""
    labels = {REPLICA_SET: "a-set"}
    said = {"f:metadata": {"f:labels": fields_of(labels), "f:annotations": {f"f:{MARKER}": {}}}, "f:spec": {}}
    said["f:spec"] = fields_of(spec)
    rows = [{"manager": MANAGER, "operation": "Apply", "fieldsV1": said}]
    metadata = {"name": "web", "namespace": "shop", "labels": labels, "annotations": {MARKER: "i-1"}}
    body = {"apiVersion": "v1", "kind": kind, "metadata": {**metadata, "managedFields": rows}, "spec": spec}
    return with_declaration(body, body, lambda one: one)


@given(st.dictionaries(TEXT, VALUES, max_size=4), st.dictionaries(TEXT, VALUES, max_size=4))
def test_what_others_add_is_never_a_drift_and_what_was_declared_can_be_read_back(
    spec: dict[str, Any], more: dict[str, Any]
) -> None:
    live = written(spec)
    others = {f"other-{name}": one for name, one in more.items()}
    grown = {**live, "spec": {**spec, **others}, "status": more} if spec else live
    assert drift_of(grown) == ""
    declared = declared_manifest(grown)
    assert declared is not None
    assert (declared["spec"], declared["metadata"]["name"]) == (spec, "web")
    assert MARKER not in (declared["metadata"].get("annotations") or {})


@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=4), st.data())
def test_any_declared_field_that_changes_or_goes_is_a_drift(spec: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(spec)))
    live = written(spec)
    gone = {**live, "spec": {other: one for other, one in spec.items() if other != name}}
    assert "spec" in drift_of(gone)
    other = {**live, "spec": {**spec, name: "something else entirely"}}
    assert drift_of(other)


def test_no_text_is_said_of_what_differs() -> None:
    live = written({"password": "canary", "size": 2, "on": True})
    found = drift_of({**live, "spec": {"password": "parrot", "size": 3, "on": False}})
    assert found == "spec.on is false (declared true); spec.password differs; spec.size is 3 (declared 2)"


@pytest.mark.parametrize("text", ["", "v1:", "v1:%%", "v1:AAAA", "v1:eJyrVkrOz0lVslJKSU1LLE0pUaoFADcyBcI=", "x" * 99])
def test_somebody_who_writes_over_what_was_declared_is_told_and_harms_nobody(text: str) -> None:
    live = written({"size": 2})
    live["metadata"]["annotations"][DECLARATION] = text
    assert drift_of(live) == (f"metadata.annotations['{DECLARATION}'] cannot be read" if text else "")


def test_what_was_copied_to_another_object_is_not_about_that() -> None:
    """The deployment controller writes a Deployment's annotations on its replica sets."""
    live = written({"size": 2})
    other = {**live, "kind": "WidgetSet", "spec": {"size": 9}}
    namesake = {**live, "metadata": {**live["metadata"], "name": "web-2"}, "spec": {"size": 9}}
    for one in (other, namesake):
        assert (drift_of(one), declared_manifest(one)) == ("", None)


def test_what_is_read_at_another_version_is_not_compared() -> None:
    assert drift_of({**written({"size": 2}), "apiVersion": "v2", "spec": {"width": 2}}) == ""


def test_what_is_too_large_to_be_kept_is_not_kept() -> None:
    noise = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=300_000))
    live = written({"data": noise})
    assert DECLARATION not in json.dumps(live)
    assert drift_of(live) == ""
