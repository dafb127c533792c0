"""Custom resources against the schema of their definition. Each answer is one that a real API server (1.36) gave."""

from __future__ import annotations

from typing import Any

import pytest

from cheops.forms.custom import wrong_with_custom

WORD = {"type": "string"}
KEYED = {
    "type": "array",
    "items": {"type": "object", "required": ["n"], "properties": {"n": WORD}},
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["n"],
}
ANYTHING = {"x-kubernetes-preserve-unknown-fields": True}


def _wrong(field: dict[str, Any], value: Any) -> list[str]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": field}}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]},
    }
    head = {"apiVersion": "shop.example.com/v1", "kind": "Till", "metadata": {"name": "front"}}
    return wrong_with_custom({**head, "spec": {"a": value}}, definition)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ({"type": "integer"}, 1.5, "1.5 (expected a whole number)"),
        ({"type": "integer", "format": "int32"}, 3_000_000_000, "3000000000 is no int32"),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 1, "1 is less than it may be (1)"),
        ({"type": "integer", "multipleOf": 2}, 3, "3 is no multiple of 2"),
        ({"type": "string", "format": "ipv4"}, "5.5", "'5.5' is no ipv4"),
        ({"type": "string", "format": "duration"}, "5 parsecs", "'5 parsecs' is no duration"),
        ({"type": "string", "format": "byte"}, "%%", "'%%' is no byte"),
        ({"type": "array", "items": WORD, "minItems": 1}, [], "fewer than 1 items"),
        (
            {"type": "object", "additionalProperties": WORD, "maxProperties": 1},
            {"x": "", "y": ""},
            "more than 1 fields",
        ),
        (KEYED, [{"n": "a"}, {"n": "a"}], "['a'] stands twice"),
        ({**ANYTHING, "type": "object", "not": {"required": ["b"]}}, {"b": 1}, "is what its schema excludes"),
    ],
)
def test_a_value_that_its_schema_does_not_allow_is_told_with_the_reason(
    field: dict[str, Any], value: Any, reason: str
) -> None:
    assert _wrong(field, value) == [f"spec.a: {reason}"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"type": "integer"}, 3.0),
        ({"type": "string", "nullable": True}, None),
        ({"type": "string"}, None),  # who must not be null is left out
        ({"type": "string", "format": "whatever"}, "5 parsecs"),
        ({"type": "string", "pattern": "b+"}, "abc"),
        ({"type": "string", "pattern": "^[[:digit:]]$"}, "x"),  # Go reads it otherwise than Python: left open
        ({"x-kubernetes-int-or-string": True}, "10%"),
        ({**ANYTHING, "type": "object"}, {"b": {"c": 1}}),
    ],
)
def test_a_value_that_its_schema_allows_is_left_alone(field: dict[str, Any], value: Any) -> None:
    assert _wrong(field, value) == []


def test_what_is_below_a_field_that_keeps_all_has_to_be_known_where_it_is_described() -> None:
    field = {**ANYTHING, "type": "object", "properties": {"b": {"type": "object", "properties": {"c": WORD}}}}
    assert _wrong(field, {"x": 1, "b": {"d": 1}}) == ["spec.a.b.d: unknown field"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"type": "object", "required": 5}, {}),
        ({"type": "object", "properties": [], **ANYTHING}, {"b": 1}),
        ({**KEYED, "x-kubernetes-list-map-keys": 5}, [{"n": "a"}]),
        ({"type": "integer", "multipleOf": 0, "minimum": "b", "enum": "c"}, 1),
        ({"type": "string", "minLength": "d", "pattern": "(", "allOf": [None], "not": 6}, "e"),
    ],
)
def test_what_a_schema_says_in_words_that_are_none_is_not_held_against_anybody(
    field: dict[str, Any], value: Any
) -> None:
    assert _wrong(field, value) == []
