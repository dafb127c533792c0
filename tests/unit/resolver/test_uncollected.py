"""The collector rests while a step is taken, and no longer."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from services.resolver.uncollected import Uncollected


@pytest.fixture(autouse=True)
def _enabled() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_the_collector_rests_inside_and_goes_on_afterwards() -> None:
    with Uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_goes_on_after_an_error_too() -> None:
    with pytest.raises(ValueError, match="a batch that is none"), Uncollected():
        raise ValueError("a batch that is none")
    assert gc.isenabled()


def test_whoever_had_it_rest_before_still_has() -> None:
    with Uncollected():
        with Uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
