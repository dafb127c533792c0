"""Every wrong scope is answered with the place and what was expected there, and nothing hangs or breaks."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.identity import IDENTITY_LEN_MAX
from schemas.scope.errors import ScopeError
from schemas.scope.offered import check_offered, has_shares
from schemas.scope.parse import from_json, parse_scope

HERE = "a site, all, around(SITE, DURATION) or ("
AFTER = "&, %, ;, {options}, a comma or the end"

# text, column, what is said; `did you mean` behind it where a name is near
WRONG: list[tuple[str, int, str]] = [
    ("", 1, f"expected a kind with a colon, *:, {HERE}"),
    ("lyon & ", 8, f"expected {HERE}"),
    ("lyon &", 7, f"expected {HERE}"),
    ("& lyon", 1, f"expected a kind with a colon, *:, {HERE}"),
    ("lyon oslo", 6, f"expected *WEIGHT, {AFTER}"),
    ("lyon and oslo", 6, f"expected *WEIGHT, {AFTER}; did you mean &?"),
    ("lyon || oslo", 6, f"expected *WEIGHT, {AFTER}; did you mean ;?"),
    ("lyon & oslo ^ nice", 13, f"expected {AFTER}"),
    ("(lyon", 6, "expected *WEIGHT, &, %, ; or )"),
    ("lyon)", 5, f"expected *WEIGHT, {AFTER}"),
    ("lyon,", 6, f"expected a kind with a colon, *:, {HERE}"),
    ("secret:", 8, f"expected {HERE}"),
    ("secret/: lyon", 8, "expected a name"),
    ("secret: lyon: oslo", 13, f"expected *WEIGHT, {AFTER}"),
    ("*:* lyon", 3, f"expected {HERE}"),
    ("all: lyon", 1, "all is a location, not a kind; did you mean *?"),
    ("foo..bar: lyon", 1, "the group of a kind has an empty part"),
    ("lyon*2", 7, "expected %"),
    ("lyon & oslo*2 % nice", 12, f"expected {AFTER}"),
    ("lyon*0 % oslo", 6, "a weight is a whole number from 1 to 1000"),
    ("lyon*1001 % oslo", 6, "a weight is a whole number from 1 to 1000"),
    (f"lyon*{'9' * 4000} % oslo", 6, "a weight is a whole number from 1 to 1000"),
    ("lyon*1.5 % oslo", 6, "expected a whole number"),
    ("lyon*-1 % oslo", 6, "expected a whole number"),
    ("around(lyon)", 12, "expected a comma"),
    ("around lyon", 8, "expected ("),
    ("around(all, 10ms)", 8, "one site is expected here, not all"),
    ("around(lyon, 10)", 14, "expected a duration (10ms, 1.5s, 2m)"),
    ("around(lyon, 10h)", 14, "expected a duration (10ms, 1.5s, 2m)"),
    (
        "around(lyon, 0ms)",
        14,
        "not a duration: '0ms' (expected 10ms, 1.5s or 2m, more than 0, at most 60m)",
    ),
    (
        "around(lyon, 61m)",
        14,
        "not a duration: '61m' (expected 10ms, 1.5s or 2m, more than 0, at most 60m)",
    ),
    (
        "lyon & Oslo",
        8,
        "not a site name: 'Oslo' (expected a DNS label: a-z, 0-9 and '-', at most 63); did you mean oslo?",
    ),
    ("lyon & lyon", 8, "lyon is replicated to already"),
    ("lyon & (oslo % lyon)", 9, "lyon is replicated to already"),
    ("all & all", 7, "this is replicated to already"),
    ("lyon % lyon", 8, "lyon has a share already; for a larger one give it a weight, as in lyon*2 % oslo"),
    ("lyon ; oslo ; lyon", 15, "this was tried before"),
    ("lyon {}", 7, "expected prime, min or rebalance"),
    ("lyon {pirme: lyon}", 7, "expected prime, min or rebalance; did you mean prime?"),
    ("lyon {min: 0}", 12, "min is a whole number from 1 to 1000"),
    ("lyon {min: 2}", 12, "this part names only 1 of 2 sites"),
    ("lyon {min: 1, min: 1}", 15, "min is given twice"),
    ("lyon {rebalance: yes}", 18, "expected true or false"),
    ("lyon & oslo {prime: nice}", 21, "nice is not among the sites of this part; did you mean lyon or oslo?"),
    ("secret: oslo, secret: nice", 15, "this has a place already; to be at both write lyon & oslo"),
    ("lyon, oslo", 7, "what is asked for has a place already; to be at both write lyon & oslo"),
    (
        "secret: oslo, secret/edge-ca: nice",
        15,
        "a part before takes all of this, and the first that matches wins; put this first",
    ),
    ("*: oslo, secret: nice", 10, "a part before takes all of this, and the first that matches wins; put this first"),
]


@pytest.mark.parametrize(("text", "column", "said"), WRONG, ids=[text[:40] for text, _, _ in WRONG])
def test_a_wrong_scope_is_shown_with_a_caret_and_what_was_expected(text: str, column: int, said: str) -> None:
    with pytest.raises(ScopeError) as caught:
        parse_scope(text)
    error = caught.value
    assert (error.column, error.code, error.text) == (column, "D600", text)
    line, caret = str(error).split("\n")
    assert caret.lstrip() == f"^ {said}"
    if len(text) <= IDENTITY_LEN_MAX:
        assert line == text
        assert caret.index("^") == column - 1


def test_a_long_scope_is_shown_around_the_place() -> None:
    text = " & ".join(f"site-{number}" for number in range(200)) + " & ?"
    with pytest.raises(ScopeError) as caught:
        parse_scope(text)
    line, caret = str(caught.value).split("\n")
    assert len(line) < 110
    assert line[caret.index("^")] == "?"


def test_lines_are_shown_as_one() -> None:
    with pytest.raises(ScopeError) as caught:
        parse_scope("lyon &\n\x1b[31m")
    assert str(caught.value).split("\n")[0] == "lyon &  [31m"


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a" * 10_000, 4097),
        ("(" * 1_000 + "lyon" + ")" * 1_000, 33),
        ("lyon" + "\0", 5),
        ("lyon & \N{LATIN SMALL LETTER E WITH ACUTE}", 8),
        ("\ud800", 1),
        (", ".join(f"kind{number}: lyon" for number in range(65)), 887),
    ],
    ids=["long", "deep", "nul", "not ascii", "half a pair", "many parts"],
)
def test_hostile_text_is_refused_at_its_place(text: str, column: int) -> None:
    with pytest.raises(ScopeError) as caught:
        parse_scope(text)
    assert caught.value.column == column


@pytest.mark.parametrize(
    "body",
    [
        None,
        3,
        [],
        {},
        ["lyon"],
        {"secret": 3},
        {"secret": ["lyon"]},
        {3: "lyon"},
        {"": "lyon"},
        {"secret: lyon {min": "2}"},
        {"secret ": "lyon"},
        {"a, b": "lyon"},
        {"secret": "lyon, b: oslo"},
        {".": "secret: lyon"},
        {"secret": "x: lyon"},
        {"secret": ""},
        {"secret": "lyon", "Secret": "oslo"},
        {f"kind{number}": "lyon" for number in range(65)},
        {"secret": "l" * 5000},
        {f"kind{number}": "l" * 63 + " " * 200 for number in range(64)},
    ],
    ids=repr,
)
def test_a_wrong_object_is_refused(body: Any) -> None:
    with pytest.raises(ScopeError):
        from_json(body)


def test_an_error_in_json_shows_the_part() -> None:
    with pytest.raises(ScopeError, match="expected") as caught:
        from_json({"deployment": "lyon", "secret": "oslo &"})
    assert str(caught.value).split("\n")[0] == "secret: oslo &"


@pytest.mark.parametrize(
    "text",
    [
        "lyon {rebalance: true}",
        "lyon & oslo {rebalance: true}",
        "(lyon & nice) % oslo {prime: lyon, rebalance : true}",
        "lyon & (nice % oslo) {rebalance : true}",
        "lyon % oslo ; lyon % (oslo & nice) {rebalance: true}",
        "all {rebalance: true}",
        "lyon % all {rebalance: true}",
        "secret: lyon % nice {rebalance: false}, deployment: lyon {prime: lyon, rebalance: true}",
    ],
)
def test_what_is_not_divided_has_no_shares_that_could_move(text: str) -> None:
    with pytest.raises(ScopeError, match="rebalance: true moves the share of a lost site") as caught:
        check_offered(parse_scope(text), text)
    assert (caught.value.code, caught.value.column) == ("D600", text.rindex("rebalance") + 1)


@pytest.mark.parametrize(
    "text",
    [
        "lyon {rebalance: false}",
        "lyon % oslo {rebalance: true}",
        "(lyon % oslo*2) % nice {prime: oslo, rebalance: true}",
        "lyon % around(oslo, 10ms) {rebalance: true}",
        "lyon % oslo ; lyon & oslo {rebalance: true}",
    ],
)
def test_shares_that_add_up_may_move(text: str) -> None:
    scope = parse_scope(text)
    check_offered(scope, text)
    assert all(has_shares(part.location) for part in scope.parts if part.options.rebalance)
