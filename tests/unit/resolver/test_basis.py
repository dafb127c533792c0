"""What a decision rested on survives the way into a header and back; a hostile header does no harm."""

from __future__ import annotations

import base64
import random
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.basis import HEADER_BYTES_MAX, Basis, ChangeRecord, InFlightRecord, ProblemRecord, pack, unpack
from schemas.envelope import MessageError
from schemas.events import Reference, ResourceState
from schemas.identity import ResourceId
from services.resolver.basis import change_of, record_of
from services.resolver.judge.case import Change
from services.resolver.judge.demand import Demand, demand_of
from services.resolver.judge.standards import beyond

NAMES = st.builds(lambda name: ResourceId(f"ConfigMap/shop/{name}"), st.from_regex(r"[a-z]{1,8}", fullmatch=True))
STATES = st.builds(
    ResourceState,
    resource=NAMES,
    labels=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
    references=st.tuples(
        st.builds(Reference, st.just("r"), st.text(max_size=9), st.just("reliance"), st.just("SL"), NAMES)
    ),
)
BASES = st.builds(
    Basis,
    schema=st.just("basis/v1"),
    expires_at=st.datetimes(timezones=st.just(UTC)),
    bound_s=st.floats(0.1, 3600),
    changes=st.lists(st.builds(ChangeRecord, NAMES, st.just("apply"), after=st.none() | STATES), max_size=3).map(tuple),
    problems=st.lists(st.builds(ProblemRecord, st.just("D010"), st.text(max_size=9)), max_size=2).map(tuple),
    in_flight=st.lists(st.builds(InFlightRecord, NAMES, st.just("i-1"), st.none() | STATES), max_size=3).map(tuple),
    overrides=st.lists(st.tuples(st.just("D310"), st.text(max_size=9)), max_size=2).map(tuple),
)


@given(BASES)
def test_a_basis_survives_its_header(basis: Basis) -> None:
    text = pack(basis)
    assert unpack(text) == basis
    assert text.isascii()
    assert "\n" not in text


def test_what_a_change_asks_of_quotas_and_of_its_namespace_survives_its_header() -> None:
    container = {"name": "a", "resources": {"limits": {"cpu": "1"}}, "securityContext": {"privileged": True}}
    pod = {"kind": "Pod", "spec": {"containers": [container], "priorityClassName": "high"}}
    change = Change(ResourceId("Pod/shop/a"), "create", demand=demand_of(pod), had=Demand(), beyond=beyond(pod))
    assert change.demand
    assert change.beyond
    basis = Basis("basis/v1", expires_at=datetime(2026, 1, 1, tzinfo=UTC), bound_s=10.0, changes=(record_of(change),))
    assert change_of(unpack(pack(basis)).changes[0]) == change


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        base64.b64encode(b"not zlib").decode(),
        base64.b64encode(zlib.compress(b"{}")).decode(),
        base64.b64encode(zlib.compress(b"[" * 100_000)).decode(),
        base64.b64encode(zlib.compress(b" " * (65 * 1024 * 1024), level=1)).decode(),
    ],
)
def test_what_is_no_basis_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        unpack(text)


def test_a_basis_that_would_be_too_large_for_a_header_is_left_out() -> None:
    noise = random.Random(0).randbytes(HEADER_BYTES_MAX).hex()  # hex halves under compression
    basis = Basis("basis/v1", datetime(2026, 1, 1, tzinfo=UTC), 10.0, problems=(ProblemRecord("D010", noise),))
    assert pack(basis) == ""
