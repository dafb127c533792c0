"""Failures in a row → waits."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.backoff import Backoff


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_waits_grow_are_jittered_and_stay_within_their_bounds(seed: int, failures: int) -> None:
    backoff = Backoff(0.1, 30.0, random.Random(seed))
    for count in range(failures):
        assert 0.1 <= backoff.next() <= min(30.0, 0.1 * 2**count)


def test_what_the_server_asks_for_is_a_minimum_with_an_end() -> None:
    backoff = Backoff(0.1, 30.0, random.Random(1))
    assert 7.0 <= backoff.next(7.0) <= 7.7
    assert backoff.next(1e9) <= 330.0


def test_success_starts_again_from_the_smallest_wait() -> None:
    backoff = Backoff(0.1, 30.0, random.Random(1))
    for _ in range(20):
        backoff.next()
    backoff.reset()
    assert backoff.next() == 0.1
