"""What a permit knows of writes that it has not seen: those of another executor that had the operation in between."""

from __future__ import annotations

import pytest

from services.executor.permit import Lease, OperationPermit
from tests.unit.executor.builders import NOW, config_map, operation


def permit() -> OperationPermit:
    wanted = operation("apply", config_map("shop"), resource_version="7", issued_at=NOW)
    return OperationPermit(wanted, maybe_begun=False, wall=lambda: NOW)


def test_an_operation_that_comes_back_to_us_each_time_was_done_by_nobody_else() -> None:
    one = permit()
    for deliveries in (1, 2, 3):
        one.handed(12, deliveries)
    assert not one.open


@pytest.mark.parametrize("deliveries", [(2,), (1, 3), (1, 2, 5)])
def test_an_operation_that_somebody_else_had_in_between_may_be_done(deliveries: tuple[int, ...]) -> None:
    one = permit()
    for number in deliveries:
        one.handed(12, number)
    assert (one.open, one.basis) == (True, "7")
    one.settle()
    assert one.open, "what was answered to us says nothing of theirs"


def test_a_second_copy_of_it_is_counted_by_itself() -> None:
    one = permit()
    one.handed(12, 1)
    one.handed(40, 1)
    one.handed(12, 2)
    assert not one.open


def test_that_somebody_else_had_it_is_not_forgotten_when_a_write_of_ours_was_not_done() -> None:
    one = permit()
    one.lease = AlwaysHeld()
    one.handed(12, 1)
    one.take(basis="7")
    one.handed(12, 3)
    one.settle()
    assert one.open


def test_what_is_there_may_prove_that_nobody_has_done_it() -> None:
    one = permit()
    one.lease = AlwaysHeld()
    one.handed(12, 2)
    one.clear()
    assert not one.open
    one.take(basis="")
    one.settle()
    assert not one.open


class AlwaysHeld(Lease):
    def __init__(self) -> None:
        """Of nothing."""

    def held(self) -> bool:
        return True
