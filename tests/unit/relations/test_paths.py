"""The path language: what it reads, what it refuses, and that it never breaks on a strange object."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import ResourceKey
from schemas.relations.path import PathError, compile_first, compile_values, steps_of
from schemas.relations.places import compiled, place_of
from schemas.relations.reading import Run

OBJECT: dict[str, Any] = {
    "metadata": {"labels": {"a.b/c": "x"}},
    "spec": {"volumes": [{"secret": {"secretName": "ca"}}, None, {"configMap": {}}, {"secret": "a text"}]},
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
paths = st.lists(st.sampled_from(["a", "b", "c", "[*]"]), max_size=4).map(
    lambda steps: "".join(step if step[0] == "[" else f".{step}" for step in steps).lstrip(".")
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [OBJECT]),
        (".", [OBJECT]),
        ("spec.volumes[*].secret.secretName", ["ca"]),
        ("metadata.labels['a.b/c']", ["x"]),
        ("metadata.labels[*]", ["x"]),
        ("spec.nothing.here", []),
        ("spec.volumes.secret", []),
    ],
)
def test_a_path_reads_fields_items_and_quoted_names(text: str, found: list[Any]) -> None:
    assert list(compile_values(text)(OBJECT)) == found
    assert compile_first(text)(OBJECT) == (found[0] if found else None)


@pytest.mark.parametrize("text", ["spec[0]", "spec[?]", "a b", "a['b", "a{b", "a[*"])
def test_what_is_no_path_is_refused_with_the_place(text: str) -> None:
    with pytest.raises(PathError, match="not a path at"):
        steps_of(text)


def places_found(text: str, value: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    place = place_of([(steps_of(text), lambda inner, path, _: found.append((path, inner)))])
    compiled(place)(value, "", Run(ResourceKey("", "Pod", "", "a"), {}, {}, {}))
    return found


def test_concrete_paths_carry_the_indices_of_the_object() -> None:
    assert [path for path, _ in places_found("spec.volumes[*].secret", OBJECT)] == [
        "spec.volumes[0].secret",
        "spec.volumes[3].secret",
    ]
    assert places_found("metadata.labels['a.b/c']", OBJECT) == [("metadata.labels['a.b/c']", "x")]
    assert places_found("metadata.labels[*]", OBJECT) == [("metadata.labels['a.b/c']", "x")]


@given(paths, json_values)
def test_the_tree_of_places_finds_what_the_path_alone_finds(text: str, value: Any) -> None:
    alone = [] if value is None else list(compile_values(text)(value))
    assert [inner for _, inner in places_found(text, value)] == alone or value is None


@given(paths, json_values)
def test_no_object_breaks_a_path(text: str, value: Any) -> None:
    compile_first(text)(value)
    list(compile_values(text)(value))
