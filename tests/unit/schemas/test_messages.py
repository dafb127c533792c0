"""Every message: there and back, the same bytes, and garbage refused with a sentence."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from schemas.envelope import MESSAGE_BYTES_MAX, Message, MessageError, StrictMessage, UnknownVersionError
from schemas.intents import INTENT_BYTES_MAX, Intent
from tests.kit.examples import examples
from tests.unit.schemas.known import MODELS, STRICT, title
from tests.unit.schemas.strategies import JSON, messages

every_message = pytest.mark.parametrize("kind", MODELS, ids=title)
FEW = settings(max_examples=examples(50))
FOREIGN = {
    "manifests",
    "brings",
    "manifest",
    "object",
    "before",
    "changes",
    "states",
    "part",
    "outcomes",
}  # their tables belong to others, order and all
PIECES = st.sampled_from([b"{", b"}", b"[", b"]", b'"schema"', b":", b",", b"\0", b"\x1b[2J", b"\xff", b"1e999", b"-"])


@every_message
def test_a_message_survives_the_bus_and_gives_the_same_bytes_again(kind: type[Message]) -> None:
    @FEW
    @given(messages(kind))
    def check(message: Message) -> None:
        payload = message.to_json()
        again = kind.from_json(payload)
        assert again == message
        assert again.to_json() == payload

    check()


@every_message
def test_the_order_in_which_a_table_was_filled_does_not_show(kind: type[Message]) -> None:
    @FEW
    @given(messages(kind))
    def check(message: Message) -> None:
        body = message.model_dump(mode="json", by_alias=True, exclude=FOREIGN)
        kept = message.model_dump(mode="json", by_alias=True, include=FOREIGN)
        turned = kind.from_json(json.dumps({**_turned(body), **kept}).encode())
        if "results" not in body:  # `after` is an application's own object: its order is the application's
            assert turned.to_json() == message.to_json()

    check()


@every_message
def test_another_major_version_is_refused_and_the_error_names_both(kind: type[Message]) -> None:
    @settings(max_examples=5, deadline=None)
    @given(messages(kind))
    def check(message: Message) -> None:
        expected = kind.schema_name()
        newer = expected.replace("/v1", "/v2")
        body = {**json.loads(message.to_json()), "schema": newer, "of_the_future": True}
        with pytest.raises(UnknownVersionError) as caught:
            kind.from_json(json.dumps(body).encode())
        assert newer in str(caught.value)
        assert expected in str(caught.value)

    check()


@every_message
def test_another_message_is_refused_by_name(kind: type[Message]) -> None:
    with pytest.raises(UnknownVersionError, match="unexpected message 'nonsense/v1'"):
        kind.from_json(b'{"schema": "nonsense/v1"}')


@every_message
def test_garbage_is_an_error_with_a_bounded_printable_sentence(kind: type[Message]) -> None:
    @FEW
    @given(st.binary(max_size=200) | st.lists(PIECES, max_size=30).map(b"".join) | JSON.map(_encoded))
    def check(payload: bytes) -> None:
        try:
            kind.from_json(payload)
        except MessageError as error:
            assert str(error).isprintable()
            assert len(str(error)) < 4_000

    check()


@every_message
def test_a_wrong_value_anywhere_is_an_error_and_never_a_crash(kind: type[Message]) -> None:
    @FEW
    @given(messages(kind), st.data(), JSON)
    def check(message: Message, data: st.DataObject, value: Any) -> None:
        body = json.loads(message.to_json())
        body[data.draw(st.sampled_from(sorted(body)))] = value
        try:
            kind.from_json(_encoded(body))
        except MessageError as error:
            assert str(error)

    check()


class _Lease(Message):
    schema_: Literal["lease/v1"] = Field("lease/v1", alias="schema")
    lease_s: float


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_number_that_is_none_is_refused_where_it_is_read(number: str) -> None:
    """It was said on as `null`, which nobody understood: a report with it never arrived."""
    said = b'{"schema":"lease/v1","lease_s":%s}'
    assert _Lease.from_json(said % b"1.5").lease_s == 1.5
    with pytest.raises(MessageError, match=r"lease_s|message"):
        _Lease.from_json(said % number.encode())


@every_message
def test_deep_nesting_is_an_error_and_never_a_crash(kind: type[Message]) -> None:
    schema = kind.schema_name().encode()
    fields = sorted(kind.model_fields)
    for opening, closing in ((b'{"a":', b"}"), (b"[", b"]")):
        deep = opening * 50_000 + b"1" + closing * 50_000
        for name in fields:
            with pytest.raises(MessageError):
                kind.from_json(b'{"schema":"%s","%s":%s}' % (schema, name.encode(), deep))


@every_message
def test_a_message_that_is_too_large_is_refused_before_it_is_parsed(kind: type[Message]) -> None:
    assert MESSAGE_BYTES_MAX == 8 * 1024 * 1024
    bound = INTENT_BYTES_MAX if issubclass(kind, Intent) else MESSAGE_BYTES_MAX
    with pytest.raises(MessageError, match=f"expected at most {bound}"):
        kind.from_json(b" " * (bound + 1))


@every_message
def test_a_message_is_frozen(kind: type[Message]) -> None:
    @settings(max_examples=1, deadline=None)
    @given(messages(kind))
    def check(message: Message) -> None:
        for name in kind.model_fields:
            with pytest.raises(ValidationError, match="frozen"):
                setattr(message, name, None)

    check()


@pytest.mark.parametrize("kind", STRICT, ids=title)
def test_a_field_that_nobody_knows_is_refused_and_named_where_people_write(kind: type[StrictMessage]) -> None:
    @settings(max_examples=5, deadline=None)
    @given(messages(kind))
    def check(message: StrictMessage) -> None:
        body = {**json.loads(message.to_json()), "nmespace": "shop"}
        with pytest.raises(MessageError, match="nmespace: unknown field"):
            kind.from_json(json.dumps(body).encode())

    check()


@pytest.mark.parametrize("kind", sorted(set(MODELS) - set(STRICT), key=title), ids=title)
def test_a_field_of_a_newer_minor_version_is_tolerated_where_programs_write(kind: type[Message]) -> None:
    @settings(max_examples=5, deadline=None)
    @given(messages(kind))
    def check(message: Message) -> None:
        body = {**json.loads(message.to_json()), "of_the_future": {"more": 1}}
        assert kind.from_json(json.dumps(body).encode()) == message

    check()


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def _turned(value: Any) -> Any:
    """The same JSON with every object's keys in the other order."""
    if isinstance(value, dict):
        return {key: _turned(inner) for key, inner in reversed(value.items())}
    return [_turned(inner) for inner in value] if isinstance(value, list) else value
