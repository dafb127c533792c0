"""Rules in CEL of definitions, on objects: what a rule sees, which changes it judges, and what nobody can tell."""

from __future__ import annotations

from typing import Any

import pytest

from cheops.forms.cel import holds
from cheops.forms.validations import broken
from tests.kit.needs import CEL

pytestmark = CEL
WORD = {"type": "string"}


def _schema(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}


def _ruled(schema: dict[str, Any], rule: str, **more: Any) -> dict[str, Any]:
    return {**schema, "x-kubernetes-validations": [{"rule": rule, "message": "no", **more}]}


def _broken(field: dict[str, Any], after: Any, before: Any = None) -> list[str]:
    was = None if before is None else {"spec": {"a": before}}
    return list(broken(was, {"spec": {"a": after}}, _schema(a=field)))


@pytest.mark.parametrize(
    "expression",
    [
        "self.nobody == 1",  # an API server refuses what it cannot evaluate
        "self ==",
        "nobody(self)",
        "self.all(place, one, one > 0)",
        "self > 'a'",
        "self.map(x, self.map(y, self.map(z, x)))",
        "'of no truth'",
        "isURL('http://a b')",  # Go and Python read it differently
        "quantity('2Ei').isGreaterThan(quantity('1Ei')) ? 1 : 2",
        "quantity('many').isGreaterThan(quantity('few'))",
    ],
)
def test_a_rule_that_cannot_be_told_refuses_nobody(expression: str) -> None:
    assert holds(expression, {"self": list(range(100))}) is None
    assert _broken(_ruled({"type": "array", "items": {"type": "integer"}}, expression), list(range(100))) == []


@pytest.mark.parametrize("value", ["2026-01-01T00:00:00Z", "5s"])
def test_a_rule_about_times_is_not_told(value: str) -> None:
    form = "duration" if value == "5s" else "date-time"
    field = {"type": "object", "properties": {"at": {**WORD, "format": form}, "n": {"type": "integer"}}}
    assert _broken(_ruled(field, "self.n > 1"), {"n": 1}) == ["spec.a: no"]
    assert _broken(_ruled(field, "self.n > 1"), {"n": 1, "at": value}) == []


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("namespace", "__namespace__"),
        ("a-b", "a__dash__b"),
        ("a.b", "a__dot__b"),
        ("a/b", "a__slash__b"),
        ("a__b", "a__underscores__b"),
        ("in", "__in__"),
    ],
)
def test_a_field_whose_name_cel_cannot_spell_has_another_one(name: str, spelled: str) -> None:
    field = _ruled({"type": "object", "properties": {name: {"type": "integer"}}}, f"self.{spelled} > 1")
    assert _broken(field, {name: 1}) == ["spec.a: no"]
    assert _broken(field, {name: 2}) == []


def test_keys_of_a_mapping_with_free_fields_are_as_they_are() -> None:
    field = _ruled({"type": "object", "additionalProperties": {"type": "integer"}}, "self['a-b'] > 1")
    assert _broken(field, {"a-b": 1}) == ["spec.a: no"]
    assert _broken(field, {"a-b": 2}) == []


def test_what_is_encoded_is_seen_decoded_and_a_whole_number_as_what_its_type_says() -> None:
    assert _broken(_ruled({**WORD, "format": "byte"}, "self == b'hi'"), "aGk=") == []
    assert _broken(_ruled({"type": "number"}, "self / 2.0 == 1.5"), 3) == []
    assert _broken(_ruled({"type": "integer"}, "self / 2 == 1"), 3.0) == []


def test_of_the_object_itself_its_kind_and_its_name_are_seen_and_no_more() -> None:
    body = {"apiVersion": "a/v1", "kind": "Till", "metadata": {"name": "front", "labels": {"b": "c"}}}
    seen = "self.apiVersion == 'a/v1' && self.kind == 'Till' && self.metadata.name == 'front'"
    assert list(broken(None, body, _ruled(_schema(), f"!({seen})"))) == [".: no"]
    assert list(broken(None, body, _ruled(_schema(), "has(self.metadata.labels)"))) == [".: no"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "no"),
        ({"message": ""}, "failed rule: self > 1"),
        ({"messageExpression": "'not ' + string(self)"}, "not 1"),
        ({"messageExpression": "self.nobody"}, "no"),
        ({"messageExpression": "'two\\nlines'"}, "no"),
        ({"messageExpression": "' '"}, "no"),
    ],
)
def test_the_message_is_what_its_expression_makes_or_what_the_rule_says(more: dict[str, str], told: str) -> None:
    assert _broken(_ruled({"type": "integer"}, "self >\n 1", **more), 1) == [f"spec.a: {told}"]


def test_a_rule_names_the_field_that_it_is_about() -> None:
    field = _ruled({"type": "object", "properties": {"b": WORD}}, "self.b == 'c'", fieldPath=".b")
    assert _broken(field, {"b": "d"}) == ["spec.a.b: no"]


def test_what_was_there_before_the_rule_stays() -> None:
    field = _ruled({"type": "integer"}, "self > 1")
    assert _broken(field, 0, before=0) == []
    assert _broken(field, 0, before=1) == ["spec.a: no"]


def test_an_item_of_a_list_that_has_changed_elsewhere_is_judged_unless_its_key_says_which_it_was() -> None:
    item = _ruled({"type": "object", "properties": {"k": WORD, "n": {"type": "integer"}}}, "self.n > 1")
    rows, more = [{"k": "a", "n": 1}], [{"k": "a", "n": 1}, {"k": "b", "n": 2}]
    plain = {"type": "array", "items": item}
    keyed = {**plain, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    assert _broken(plain, more, before=rows) == ["spec.a[0]: no"]
    assert _broken(plain, rows, before=rows) == []
    assert _broken(keyed, more, before=rows) == []


def test_a_rule_on_a_change_is_not_asked_of_what_is_new_unless_it_says_so() -> None:
    field = {"type": "integer"}
    assert _broken(_ruled(field, "self > oldSelf"), 1) == []
    assert _broken(_ruled(field, "self > oldSelf"), 1, before=1) == ["spec.a: no"]
    assert _broken(_ruled(field, "self > oldSelf.orValue(1)", optionalOldSelf=True), 1) == ["spec.a: no"]
    assert _broken(_ruled(field, "self > oldSelf.orValue(0)", optionalOldSelf=True), 1) == []


def test_that_the_word_for_what_was_stands_in_a_text_makes_no_rule_on_a_change() -> None:
    assert _broken(_ruled(WORD, "self != 'oldSelf'"), "oldSelf") == ["spec.a: no"]


def test_a_set_inside_what_has_to_stay_may_come_in_another_order() -> None:
    tags = {"type": "array", "items": WORD, "x-kubernetes-list-type": "set"}
    field = _ruled({"type": "object", "properties": {"tags": tags, "n": WORD}}, "self.tags == oldSelf.tags")
    assert _broken(field, {"tags": ["b", "a"], "n": "c"}, before={"tags": ["a", "b"], "n": "d"}) == []
    assert _broken(field, {"tags": ["b"], "n": "c"}, before={"tags": ["a", "b"], "n": "d"}) == ["spec.a: no"]


def test_what_was_there_without_the_key_is_let_in_whatever_place_it_has_in_a_list() -> None:
    item = _ruled({"type": "object", "properties": {"n": WORD, "p": WORD}}, "self.p != 'x'")
    listed = {"type": "array", "items": item}
    assert _broken(listed, [{"n": "a"}]) == ["spec.a[0]: no such key: p evaluating rule: no"]
    assert _broken(listed, [{"n": "a"}, {"n": "b"}], [{"n": "a"}]) == []
    by_name = {**listed, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
    assert len(_broken(by_name, [{"n": "a"}, {"n": "b"}], [{"n": "a"}])) == 1


def test_a_name_in_quotes_is_not_missed() -> None:
    field = _ruled({"type": "object", "properties": {"a-b": WORD}}, "self.`a-b` == 'x'")
    assert _broken(field, {"a-b": "x"}) == []
