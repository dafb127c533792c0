"""Whatever stands in an object, reading it ends, never raises, and names only what can be named."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identity import ResourceKey
from schemas.relations.edges import records
from schemas.relations.examples import examples_of
from schemas.relations.loader import load_catalogue
from tests.kit.examples import examples
from tests.unit.relations.reading import EXTRACTOR, made, references, state

WHOLE = [example.object for path in load_catalogue().files for _, example in examples_of(path)]
KINDS = sorted({str(example["kind"]) for example in WHOLE})
TEXTS = ("", "/", "a/b/c", "A/b", "\x00", "a\nb", "x" * 300, "${x}", "{{x}}", "system:serviceaccount:", "a:1", ".svc")
TEXTS = ("", "/", "a/b/c", "A/b", "\x00", "a\nb", "x" * 300, "${x}", "{{x}}", "system:serviceaccount:", "a:1", ".svc")
NAMES = st.sampled_from(["name", "kind", "key", "x"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
JUNK = st.recursive(
    SCALARS | st.sampled_from(TEXTS) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in an object."""
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [one for name, inner in rows for one in [(*path, name), *places(inner, (*path, name))]]


def spoil(data: st.DataObject, body: dict[str, Any]) -> None:
    """Put junk at any place of an object, but where it says what it is."""
    kept = [one for one in places(body) if one[0] not in ("kind", "apiVersion") and one != ("metadata",)]
    where = data.draw(st.sampled_from(kept))
    inner: Any = body
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = data.draw(JUNK)


def assert_read_safely(body: dict[str, Any]) -> None:
    read = EXTRACTOR.state(body)
    for one in read.references:
        if one.selector is None:
            assert ResourceKey.parse(one.target).id == one.target
        else:
            assert one.selector.kind.rpartition("/")[2][:1].isupper()


@settings(max_examples=examples(400))
@given(st.data())
def test_an_example_with_junk_at_any_place_is_read_safely(data: st.DataObject) -> None:
    body = copy.deepcopy(data.draw(st.sampled_from(WHOLE)))
    group, _, kind = str(body["kind"]).rpartition("/")
    body = {"metadata": {"name": "web", "namespace": "shop"}, **body, "kind": kind}
    body.setdefault("apiVersion", f"{group}/v1" if group else "v1")
    spoil(data, body)
    assert_read_safely(body)


@given(st.sampled_from(["Pod", "Service", "Ingress", "Role", "Event", "Secret"]), JUNK, JUNK)
def test_an_object_of_nothing_but_junk_is_read_safely(kind: str, spec: Any, metadata: Any) -> None:
    body = {"apiVersion": "v1", "kind": kind, "spec": spec, "metadata": metadata, "rules": spec, "data": spec}
    assert EXTRACTOR.state(body).resource.startswith(f"{kind}/")


def test_owners_in_a_circle_are_edges_like_others() -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "uid": "u"}
    (found,) = references(made("ConfigMap", metadata={"uid": "u", "ownerReferences": [owner]}), "metadata.owner")
    assert found.target == "ConfigMap/shop/web"  # itself


@pytest.mark.parametrize("name", ["a\x00b", "a/b", "", 7, None, ["a"], "x" * 300])
def test_a_name_that_can_be_none_is_read_as_absent(name: Any) -> None:
    assert references(made("Pod", spec={"volumes": [{"secret": {"secretName": name}}]}), "podspec.volume.secret") == []


@pytest.mark.parametrize("group", ["a/b/c", "Apps/v1", "\x07/v1"])
def test_a_kind_that_can_be_none_is_read_as_absent(group: str) -> None:
    target = {"apiVersion": group, "kind": "Deployment", "name": "web"}
    assert (
        references(
            made("HorizontalPodAutoscaler", "autoscaling/v2", spec={"scaleTargetRef": target}), "autoscaler.target"
        )
        == []
    )


def test_a_definition_that_contradicts_its_objects_changes_nothing() -> None:
    definition = made(
        "CustomResourceDefinition", "apiextensions.k8s.io/v1", "widgets.example.com", "", spec={"versions": "v1"}
    )
    assert state(definition).parts == {"version": (), "scale": ()}


def test_a_hub_of_many_references_is_read_once_each() -> None:
    volumes = [{"secret": {"secretName": f"s{place}"}} for place in range(5_000)]
    rows = list(records([state(made("Pod", spec={"volumes": volumes}))]))
    assert len({row["target"] for row in rows if row["rule"] == "podspec.volume.secret"}) == 5_000
