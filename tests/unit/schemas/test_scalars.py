"""Unquoted words of YAML mean here what they mean to kubectl; the table is what kubectl 1.36 made of them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.documents import DocumentError, parse, parse_value

TEXTS = [
    "<<",
    *("oFF", "yEs", "tRue", "nUll", "no1", "1y", "n/a", "12:30", "1:20:30", "190:20:30.15", "2001-01-01", "=", "0o8"),
    *("1e400", "_1", "0x", "0xg", "1e", ".", "..", "-.", "0x_g", "1.2.3", "2001-12-14t21:59:43.10-05:00"),
    *("9" * 400, "-" + "9" * 400, "0x" + "F" * 300, "9" * 5000),
]
VALUES: list[tuple[str, Any]] = [
    *((word, True) for word in ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE")),
    *((word, False) for word in ("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE")),
    *((word, None) for word in ("~", "null", "Null", "NULL", "")),
    *(("0o17", 15), ("017", 15), ("0x1F", 31), ("-0x1F", -31), ("0b11", 3), ("-0b11", -3), ("1_000", 1000), ("0_7", 7)),
    *(("08", 8), ("09.5", 9.5), ("1e3", 1000), ("12e03", 12000), (".5", 0.5), ("5.", 5), ("+5", 5), ("+.5", 0.5)),
    *(("1.0", 1), ("0.10", 0.1), ("100e-2", 1), ("1e20", 10**20), ("9223372036854775808", 2.0**63)),
]


@pytest.mark.parametrize("word", TEXTS)
def test_a_word_that_kubectl_reads_as_text_is_text(word: str) -> None:
    assert parse_value(f"a: {word}".encode(), "f") == {"a": word}


@pytest.mark.parametrize(("word", "value"), VALUES)
def test_a_word_that_kubectl_reads_as_something_else_is_that(word: str, value: Any) -> None:
    found = parse_value(f"a: {word}".encode(), "f")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("word", ["y", "08", "~", "1e3"])
def test_what_is_quoted_is_text(word: str) -> None:
    assert parse_value(f"a: '{word}'".encode(), "f") == {"a": word}


@pytest.mark.parametrize(("word", "key"), [("y", "true"), ("off", "false"), ("5", "5"), ("08", "8"), ("1.50", "1.5")])
def test_a_key_becomes_the_text_that_json_has_for_it(word: str, key: str) -> None:
    assert parse_value(f"{{{word}: x}}".encode(), "f") == {key: "x"}


def test_two_words_for_one_key_stand_twice() -> None:
    with pytest.raises(DocumentError, match="key 'true' stands twice"):
        parse(b"yes: 1\ntrue: 2\n", "f")


def test_nothing_is_no_key() -> None:
    with pytest.raises(DocumentError, match="quote it"):
        parse(b"~: 1\n", "f")


@pytest.mark.parametrize("word", [".inf", "-.Inf", ".NaN"])
def test_what_is_no_number_in_json_is_refused_with_its_line(word: str) -> None:
    with pytest.raises(DocumentError, match=rf"f:2: {word} is no number in JSON \(quote it\)"):
        parse(f"a: 1\nb: {word}\n".encode(), "f")
