"""Event batches and heartbeats: there and back, versions, garbage, and facts that say nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.basis import Basis
from schemas.batches import RawBatch, WireBatch, decode_batch
from schemas.envelope import MESSAGE_BYTES_MAX, MessageError, UnknownVersionError
from schemas.events import (
    BATCH_EVENTS_MAX,
    EventBatch,
    Heartbeat,
    Reference,
    ResourceEvent,
    ResourceState,
    batch_hash,
    decode_heartbeat,
    encode,
)
from schemas.identity import KindId, ResourceId, SiteName
from services.watcher.telling.teller import encode_batch
from tests.kit.examples import examples
from tests.unit.schemas.known import STRUCTS
from tests.unit.schemas.strategies import JSON, messages

DECODERS: dict[type[Any], Any] = {EventBatch: decode_batch, Heartbeat: decode_heartbeat}
ENCODERS: dict[type[Any], Any] = {EventBatch: encode_batch, Heartbeat: encode}
WRITTEN = {WireBatch, RawBatch}  # how an EventBatch is written, and read in a hurry
FEW = settings(max_examples=examples(100))
both = pytest.mark.parametrize("kind", DECODERS, ids=lambda kind: kind.__name__)


def batch(*events: ResourceEvent) -> EventBatch:
    return EventBatch("event/v1", SiteName("lyon"), 1, 1, "", events)


def test_every_struct_that_crosses_the_bus_is_tested_here() -> None:
    assert {*DECODERS, *WRITTEN, Basis} == set(STRUCTS)  # a basis travels in a header: tests/flow/test_replay


@both
def test_a_message_survives_the_bus_and_gives_the_same_bytes_again(kind: type[Any]) -> None:
    @FEW
    @given(messages(kind))
    def check(message: Any) -> None:
        assume(
            not any(one.op == "put" and one.state is None and one.resource for one in getattr(message, "events", ()))
        )
        payload = ENCODERS[kind](message)
        try:
            again = DECODERS[kind](payload)
        except MessageError as error:
            assert "needs" in str(error)  # an event without what its operation is about
            return
        assert ENCODERS[kind](again) == payload
        assert batch_hash(ENCODERS[kind](again)) == batch_hash(payload)

    check()


@both
def test_another_major_version_is_refused_and_the_error_names_both(kind: type[Any]) -> None:
    name = "event" if kind is EventBatch else "heartbeat"
    with pytest.raises(UnknownVersionError, match=f"unknown version '{name}/v2' .expected '{name}/v1'"):
        DECODERS[kind](json.dumps({"schema": f"{name}/v2", "anything": 1}).encode())


@both
def test_a_field_of_a_newer_minor_version_is_tolerated(kind: type[Any]) -> None:
    message = batch() if kind is EventBatch else Heartbeat("heartbeat/v1", SiteName("lyon"), 1, 1, 1)
    body = {**json.loads(ENCODERS[kind](message)), "of_the_future": {"more": 1}}
    assert DECODERS[kind](json.dumps(body).encode()) == message


@both
def test_garbage_deep_nesting_and_a_large_message_are_errors_with_a_sentence(kind: type[Any]) -> None:
    @FEW
    @given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
    def check(payload: bytes) -> None:
        with pytest.raises(MessageError) as caught:
            DECODERS[kind](payload)
        assert len(str(caught.value)) < 4_000

    check()
    for payload in (
        b'{"a":' * 100_000,
        b"[" * 100_000,
        b" " * (MESSAGE_BYTES_MAX + 1),
        b'{"epoch": 1%s}' % (b"0" * 9999),
    ):
        with pytest.raises(MessageError):
            DECODERS[kind](payload)


@both
def test_a_message_is_frozen(kind: type[Any]) -> None:
    message = batch() if kind is EventBatch else Heartbeat("heartbeat/v1", SiteName("lyon"), 1, 1, 1)
    with pytest.raises(AttributeError, match="immutable"):
        message.seq = 2


@pytest.mark.parametrize("op", ["put", "delete", "sync_start", "sync_end", "sync_same"])
def test_an_event_without_what_it_is_about_is_refused_by_place_and_field(op: Any) -> None:
    good = ResourceEvent("put", state=ResourceState(ResourceId("Secret/shop/a")))
    needed = {"put": "resource", "delete": "resource"}.get(op, "kind")
    with pytest.raises(MessageError, match=f"events.1: op '{op}' needs '{needed}'"):
        decode_batch(encode_batch(batch(good, ResourceEvent(op))))
    whole = {"put": good, "delete": ResourceEvent("delete", resource=ResourceId("Secret/shop/a"))}
    decode_batch(encode_batch(batch(good, whole.get(op, ResourceEvent(op, kind=KindId("Secret"))))))


@FEW
@given(messages(WireBatch))
def test_whatever_is_written_is_refused_with_a_place_or_means_what_it_is_written_as_again(wire: WireBatch) -> None:
    try:
        told = decode_batch(msgspec.json.encode(wire))
    except MessageError as error:
        assert str(error).startswith("events.")
        return
    assert decode_batch(encode_batch(told)) == told


def test_a_put_whose_shape_asks_for_more_or_is_not_there_is_refused_by_place() -> None:
    reference = Reference("names", "spec.name", "reliance", "L", ResourceId("Secret/shop/b"), uid="u")
    put = ResourceEvent("put", ResourceState(ResourceId("Secret/shop/a"), references=(reference,)))
    body = json.loads(encode_batch(batch(put)))
    fact = body["events"][0]
    for broken, sentence in (
        (fact | {"shape": 9}, r"events\.0\.shape: there is nothing under 9"),
        (
            fact | {"targets": []},
            r"events\.0: targets, uids and selectors are \(0, 1, 0\) .its shape needs",
        ),
        (fact | {"uids": [""]}, r"events\.0\.uids: an empty one"),
    ):
        with pytest.raises(MessageError, match=sentence):
            decode_batch(json.dumps(body | {"events": [broken]}).encode())


def test_a_batch_of_more_events_than_its_bound_is_refused() -> None:
    event = ResourceEvent("surface")
    decode_batch(encode_batch(batch(*[event] * BATCH_EVENTS_MAX)))
    with pytest.raises(MessageError, match="length <= 256"):
        decode_batch(encode_batch(batch(*[event] * (BATCH_EVENTS_MAX + 1))))


def test_numbers_that_no_machine_word_holds_are_refused() -> None:
    body = msgspec.to_builtins(batch()) | {"seq": 2**64}
    with pytest.raises(MessageError):
        decode_batch(json.dumps(body).encode())
