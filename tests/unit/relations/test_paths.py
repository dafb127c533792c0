"""The path language: what it reads, what it refuses, and that it never breaks on a strange object."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.relations.path import ROOT, PathError, compile_first, compile_values, steps_of
from schemas.relations.places import Row, place_of
from schemas.relations.run import Run
from schemas.relations.walking import compiled

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


def places_found(text: str, value: Any, *beside: str) -> list[tuple[str, Any]]:
    """What the function of a tree finds at a path; `beside` are other paths in the same tree."""
    found: list[tuple[str, Any]] = []
    where = ROOT.deeper(text)
    row = Row(where.steps, lambda inner, at, _: found.append((where.text(at), inner)))
    others = [Row(steps_of(one), lambda inner, at, _: None) for one in beside]
    compiled(place_of([*others, row]))(value, (), Run("", "a", {}, [], []))
    return found


def test_concrete_paths_carry_the_indices_of_the_object() -> None:
    assert [path for path, _ in places_found("spec.volumes[*].secret", OBJECT)] == [
        "spec.volumes[0].secret",
        "spec.volumes[3].secret",
    ]
    assert places_found("metadata.labels['a.b/c']", OBJECT) == [("metadata.labels['a.b/c']", "x")]
    assert places_found("metadata.labels[*]", OBJECT) == [("metadata.labels['a.b/c']", "x")]


@given(paths, st.lists(paths, max_size=4), json_values)
def test_the_tree_of_places_finds_what_the_path_alone_finds(text: str, beside: list[str], value: Any) -> None:
    alone = [] if value is None else list(compile_values(text)(value))
    assert [inner for _, inner in places_found(text, value, *beside)] == alone or value is None


def test_a_place_with_many_fields_is_found_by_the_fields_of_the_object() -> None:
    many = [f"field{place}" for place in range(30)]
    assert places_found("field7", {"field7": "x", "other": "y", "field8": None}, *many) == [("field7", "x")]


@pytest.mark.parametrize("name", ['"]', "\\", "{x}", "a\nb", '"""', "import os", "#"])
def test_the_name_of_a_field_is_a_text_in_the_function_whatever_it_says(name: str) -> None:
    assert places_found(f"['{name}'].a", {name: {"a": 1}}) == [(f"['{name}'].a", 1)]


def test_a_path_may_be_deeper_than_functions_nest() -> None:
    value: Any = "x"
    for _ in range(40):
        value = [{"a": value}]
    assert places_found("[*].a" * 40, value) == [("[0].a" * 40, "x")]


@given(paths, json_values)
def test_no_object_breaks_a_path(text: str, value: Any) -> None:
    every = list(compile_values(text)(value))
    assert compile_first(text)(value) in (None, *every)
