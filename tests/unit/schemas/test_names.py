"""Subjects and identities: whatever a name holds, it stays one token and comes back as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import subjects
from schemas.identity import (
    IDENTITY_LEN_MAX,
    IdentityError,
    ResourceKey,
    SiteName,
    kind_id,
    kind_of,
    resource_id,
    site_name,
    split_kind,
)
from schemas.peers import STORED
from services.chassis.bus.matching import matches

HOSTILE = [
    "",
    "_",
    "__",
    "*",
    ">",
    ".",
    "..",
    "a.b",
    " ",
    "\r\n",
    "\0",
    "=",
    "=5F",
    "=5f",
    "é",
    "\ud800",
    "x" * 300,
    "🦊",
]
ANY = st.text(max_size=20) | st.sampled_from(HOSTILE)
TOKEN = re.compile(r"[A-Za-z0-9_=-]+")
LYON = SiteName("lyon")


@given(ANY)
def test_any_text_becomes_one_harmless_token_and_comes_back(text: str) -> None:
    token = subjects.escape(text)
    assert TOKEN.fullmatch(token)
    assert subjects.unescape(token) == text


@given(ANY, ANY)
def test_different_texts_become_different_tokens(one: str, other: str) -> None:
    assert (subjects.escape(one) == subjects.escape(other)) == (one == other)


@given(st.text(max_size=30))
def test_whatever_is_written_as_a_token_can_be_read(token: str) -> None:
    assert isinstance(subjects.unescape(token), str)


@given(ANY, ANY)
def test_no_name_leaves_its_stream_or_enters_another(one: str, other: str) -> None:
    made = {
        "INTENTS": subjects.intent(LYON, one),
        "PARTS": subjects.part(LYON, one),
        "OPERATIONS": subjects.operation(LYON, one, other),
        "INBOX": subjects.peer(LYON, LYON, one, other),
    }
    for stream, subject in made.items():
        taken = [name for name in (*made, "EVENTS", "DEAD") if matches(subjects.filters(name), subject)]  # type: ignore[arg-type]
        assert taken == [stream]
    assert matches(subjects.filters("INTENTS", LYON), made["INTENTS"])
    assert subjects.last_name(made["INTENTS"]) == one


@pytest.mark.parametrize("name", ["*", ">"])
def test_a_wildcard_in_a_name_of_what_is_published_is_no_wildcard(name: str) -> None:
    assert "*" not in subjects.intent(LYON, name)
    assert ">" not in subjects.operation(LYON, name, name)


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)
KINDS = st.from_regex(r"[A-Z][A-Za-z0-9]{0,20}", fullmatch=True)
GROUPS = st.just("") | st.from_regex(r"[a-z][a-z0-9.]{0,20}", fullmatch=True)
KINDS_OF_GROUPS = st.tuples(GROUPS, KINDS) | st.tuples(
    st.from_regex(r"[a-z][a-z0-9-]{0,9}(\.[a-z]{1,5}){1,2}", fullmatch=True),
    st.from_regex(r"[a-z][A-Za-z0-9]{0,20}", fullmatch=True),
)


@given(KINDS_OF_GROUPS, st.just("") | NAMES, NAMES)
def test_an_identity_is_printed_and_parsed_back(of_kind: tuple[str, str], namespace: str, name: str) -> None:
    group, kind = of_kind
    printed = resource_id(group, kind, namespace, name)
    key = ResourceKey.parse(printed)
    assert (key.group, key.kind, key.namespace, key.name) == (group, kind, namespace, name)
    assert key.id == str(key) == printed
    assert key.kind_id == kind_id(group, kind) == kind_of(printed)
    assert split_kind(key.kind_id) == (group, kind)


@given(st.text(max_size=40))
def test_a_text_is_an_identity_that_prints_the_same_or_an_error_that_says_what_was_expected(text: str) -> None:
    try:
        assert ResourceKey.parse(text).id == text
    except IdentityError as error:
        assert "expected [group/]Kind/[namespace/]name" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "Secret",
        "Secret/",
        "a/b",
        "apps/deployment/web",
        "secret/shop/ca",
        "a.b/1/x",
        "Secret//x",
        "Secret/a/b/c",
        "Secret/a\0b",
        "Secret/a\nb",
        "Secret/\ud800",
    ],
)
def test_what_is_no_identity_is_refused(text: str) -> None:
    with pytest.raises(IdentityError):
        ResourceKey.parse(text)


def test_an_identity_is_bounded() -> None:
    with pytest.raises(IdentityError):
        ResourceKey.parse("Secret/" + "x" * IDENTITY_LEN_MAX)


@given(st.text(max_size=70))
def test_a_site_name_is_a_dns_label_or_an_error(text: str) -> None:
    try:
        assert site_name(text) == text
    except IdentityError as error:
        assert "DNS label" in str(error)
        return
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text)
    assert subjects.escape(text) == text


def test_what_an_inbox_stores_is_what_sites_tell_each_other_and_nothing_that_they_ask() -> None:
    assert tuple(STORED) == subjects.PEER_STORED
    assert not set(subjects.PEER_STORED) & set(subjects.PEER_ASKED)
