"""Print and parse belong together, and no text breaks the parser."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import SiteName
from schemas.scope.durations import parse_duration, print_duration
from schemas.scope.errors import ScopeError
from schemas.scope.parse import from_json, parse_scope, site_columns
from schemas.scope.printing import print_scope, to_json
from schemas.scope.sites import fold, site_names
from schemas.scope.tree import SCOPE_LEN_MAX, All, Around, Otherwise, Replicate, Scope, leaves, operands
from schemas.scope.words import explain
from tests.unit.scope.trees import SITES, scopes, seconds

LATENCIES = {(SITES[0], one): 0.001 * place for place, one in enumerate(SITES) if place} | {
    (one, other): 0.005 for one in SITES[1:] for other in SITES[1:] if one < other
}
pieces = st.sampled_from(
    [
        *"&%;,(){}*:/. \n",
        "lyon",
        "oslo",
        "all",
        "around(",
        "10ms",
        "prime",
        "min: 2",
        "secret",
        "é",
        "\0",
        "0",
        "secret/a: ",
    ]
)
hostile = st.lists(pieces, max_size=40).map("".join) | st.text(max_size=200)


@given(scopes())
def test_a_printed_scope_is_read_as_it_was_and_printed_the_same(scope: Scope) -> None:
    text = print_scope(scope)
    assert parse_scope(text) == scope
    assert print_scope(parse_scope(text)) == text
    assert print_scope(parse_scope(text.replace(" ", ""))) == text


@given(scopes())
def test_json_and_text_are_the_same_scope(scope: Scope) -> None:
    assert from_json(json.loads(json.dumps(to_json(scope)))) == scope
    assert set(from_json(json.loads(json.dumps(to_json(scope), sort_keys=True))).parts) == set(scope.parts)


@given(scopes())
def test_every_named_site_has_a_column_and_is_there(scope: Scope) -> None:
    text = print_scope(scope)
    columns = site_columns(text)
    assert set(columns) == set(site_names(scope))
    assert all(text[column - 1 :].startswith(name) for name, column in columns.items())


@given(hostile)
def test_any_text_is_a_scope_or_an_error_with_a_place(text: str) -> None:
    try:
        scope = parse_scope(text)
    except ScopeError as error:
        assert 1 <= error.column <= len(text) + 1
        assert error.text == text
        assert "^ " in str(error)
        return
    assert parse_scope(print_scope(scope)) == scope
    assert explain(scope)


@given(scopes(), st.data())
def test_any_wrong_character_in_a_good_scope_is_answered(scope: Scope, data: st.DataObject) -> None:
    text = print_scope(scope)
    place = data.draw(st.integers(0, len(text)))
    spoiled = text[:place] + data.draw(st.sampled_from("&%;,(){}*:/.é A0-")) + text[place:]
    try:
        assert parse_scope(spoiled)
    except ScopeError as error:
        assert 1 <= error.column <= len(spoiled) + 1


@given(st.integers(2, 4096))
def test_a_scope_as_long_as_may_be_is_printed_no_longer(length: int) -> None:
    names = [f"{number:x}" for number in range(2000)]
    text = ";".join(names)[:length].rstrip(";")
    try:
        scope = parse_scope(text)
    except ScopeError:  # the cut made a name that was there before
        return
    assert len(print_scope(scope)) <= SCOPE_LEN_MAX
    assert parse_scope(print_scope(scope)) == scope


@given(seconds)
def test_a_duration_is_printed_exactly(within_s: float) -> None:
    assert parse_duration(print_duration(within_s)) == within_s


@given(scopes(), st.sampled_from(SITES))
def test_folding_leaves_sites_only_in_flat_trees_and_changes_nothing_more(scope: Scope, entry: SiteName) -> None:
    for part in scope.parts:
        try:
            folded = fold(part.location, SITES, LATENCIES, entry)
        except ScopeError as error:
            assert "is meant twice" in error.message
            assert any(isinstance(one, (All, Around)) for one in leaves(part.location))
            continue
        assert not any(isinstance(one, (All, Around)) for one in leaves(folded))
        assert fold(folded, SITES, LATENCIES, entry) == folded
        waiting = [folded]
        while waiting:
            one = waiting.pop()
            inner = operands(one)
            assert not (isinstance(one, (Replicate, Otherwise)) and type(one) in map(type, inner))
            waiting += inner
