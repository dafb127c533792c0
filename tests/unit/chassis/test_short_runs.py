"""What a long run of Python's collector walked over is not walked over again."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from services.chassis.lifecycle import ShortRuns


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    were_frozen = gc.get_freeze_count() > 0
    gc.collect()
    gc.unfreeze()
    yield
    gc.unfreeze()
    if were_frozen:
        gc.freeze()


@pytest.mark.parametrize(("took_s", "frozen"), [(0.009, False), (0.011, True)])
def test_a_whole_run_that_takes_long_is_the_last_over_these_objects(took_s: float, frozen: bool) -> None:
    times = iter((100.0, 100.0 + took_s))
    one = ShortRuns(lambda: next(times))
    gc.callbacks.append(one)
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(one)
    assert (gc.get_freeze_count() > 0) == frozen


def test_short_runs_over_what_is_young_are_not_looked_at() -> None:
    one = ShortRuns(lambda: pytest.fail("no clock is read"))
    gc.callbacks.append(one)
    try:
        gc.collect(1)
    finally:
        gc.callbacks.remove(one)
    assert gc.get_freeze_count() == 0
