"""Label selectors: every operator, what empty and absent mean for each kind, and safe readings of bad ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import LabelSelector, ResourceState, Selector
from schemas.identity import KindId, ResourceId
from schemas.relations.selector import from_object, matches, selects
from tests.unit.relations.reading import made, selectors

LABELS = {"app": "web", "size": "3"}


def expression(key: str, operator: str, *values: str) -> LabelSelector:
    read = from_object({"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]})
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("selector", "answer"),
    [
        (expression("app", "In", "web", "api"), True),
        (expression("app", "In", "api"), False),
        (expression("gone", "In", "api"), False),
        (expression("app", "NotIn", "api"), True),
        (expression("app", "NotIn", "web"), False),
        (expression("gone", "NotIn", "web"), True),
        (expression("app", "Exists"), True),
        (expression("gone", "Exists"), False),
        (expression("gone", "DoesNotExist"), True),
        (expression("app", "DoesNotExist"), False),
        (expression("size", "Gt", "2"), True),
        (expression("size", "Gt", "3"), False),
        (expression("size", "Lt", "4"), True),
        (expression("app", "Lt", "4"), False),
        (expression("size", "Gt"), False),
    ],
)
def test_each_operator_as_the_api_server_has_it(selector: LabelSelector, answer: bool) -> None:
    assert matches(selector, LABELS) is answer


@pytest.mark.parametrize(
    "line",
    [
        {"key": "app", "operator": "Near", "values": ["web"]},
        {"key": "app", "operator": "In", "values": "web"},
        {"key": 7, "operator": "Exists"},
        {"operator": "Exists"},
        "a text",
        None,
    ],
)
def test_a_line_that_cannot_be_read_matches_nothing_and_the_link_stays(line: Any) -> None:
    read = from_object({"matchExpressions": [line]})
    assert read is not None
    assert not matches(read, LABELS)
    assert not matches(read, {})


def test_what_is_no_selector_is_none() -> None:
    assert from_object("app=web") is None
    assert from_object(["app"]) is None


@given(
    st.dictionaries(st.text(max_size=2), st.text(max_size=2)), st.dictionaries(st.text(max_size=2), st.text(max_size=2))
)
def test_match_labels_means_that_the_labels_hold_it(wanted: dict[str, str], labels: dict[str, str]) -> None:
    assert matches(LabelSelector(wanted), labels) == (wanted.items() <= labels.items())


# (kind, body, path of the selector) → (absent, empty): "all", or nothing at all
NIL_AND_EMPTY = [
    ("Service", "v1", "selector", {}, None, None),
    ("PodDisruptionBudget", "policy/v1", "selector", {}, None, "all"),
    ("NetworkPolicy", "networking.k8s.io/v1", "podSelector", {}, "all", "all"),
    ("PersistentVolumeClaim", "v1", "selector", {}, None, None),
]


@pytest.mark.parametrize(("kind", "version", "field", "rest", "absent", "empty"), NIL_AND_EMPTY)
def test_what_absent_and_empty_select_differs_per_kind(
    kind: str, version: str, field: str, rest: dict[str, Any], absent: str | None, empty: str | None
) -> None:
    for value, wanted in ((None, absent), ({}, empty)):
        spec = {**rest, **({} if value is None else {field: value})}
        found = [one for one in selectors(made(kind, version, spec=spec)) if not one.default]
        assert [one.labels for one in found] == ([LabelSelector()] if wanted == "all" else []), (kind, value)


def affinity(**term: Any) -> Selector:
    terms = {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {}, **term}]}
    (found,) = [one for one in selectors(made("Pod", spec={"affinity": {"podAffinity": terms}})) if one.kind == "Pod"]
    return found


def test_an_affinity_without_namespaces_looks_in_its_own() -> None:
    assert affinity().namespaces == ("shop",)
    assert affinity(namespaces=[]).namespaces == ("shop",)
    assert affinity(namespaces=["a", "b"]).namespaces == ("a", "b")


def test_an_empty_namespace_selector_looks_everywhere_and_a_missing_one_at_home() -> None:
    everywhere = affinity(namespaceSelector={})
    assert (everywhere.namespaces, everywhere.namespace_labels) == ((), None)
    chosen = affinity(namespaces=["a"], namespaceSelector={"matchLabels": {"tier": "x"}})
    assert (chosen.namespaces, chosen.namespace_labels) == (("a",), LabelSelector({"tier": "x"}))


def test_a_workload_is_selected_by_the_labels_of_the_pods_that_it_makes() -> None:
    web = ResourceState(ResourceId("apps/Deployment/shop/web"), template_labels={"app": "web"})
    assert selects(Selector(KindId("Pod"), ("shop",), LabelSelector({"app": "web"})), web)
    assert not selects(Selector(KindId("Service"), ("shop",), LabelSelector({"app": "web"})), web)


def test_the_default_of_a_kind_is_the_one_that_is_marked() -> None:
    wanted = Selector(KindId("storage.k8s.io/StorageClass"), default=True)
    marked = ResourceState(ResourceId("storage.k8s.io/StorageClass/fast"), facts={"default": "true"})
    other = ResourceState(ResourceId("storage.k8s.io/StorageClass/slow"), facts={"default": "false"})
    assert selects(wanted, marked)
    assert not selects(wanted, other)
    assert not selects(wanted, ResourceState(ResourceId("storage.k8s.io/StorageClass/none")))
