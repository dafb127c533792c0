"""What a resolver knows of its executor by asking for its key: whether it is there, and what its clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from schemas import subjects
from schemas.exports import KeyAnswer
from services.chassis.bus.memory import MemoryBus
from services.resolver.fetching import SILENT_AFTER, Fetching
from services.resolver.signals import Moment
from tests.unit.resolver.world import LYON

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_an_executor_that_never_answers_is_silent_until_it_does_and_its_clock_is_compared() -> None:
    bus = MemoryBus()
    fetching = Fetching(LYON, bus, cast("Any", None), lambda: Moment(0.0, NOW), lambda _: "")
    for asked in range(SILENT_AFTER):
        assert not fetching.executor_silent, f"asked {asked} times"
        await fetching._ask_key()
    assert fetching.executor_silent
    said = KeyAnswer(site=LYON, key="ab", at=NOW + timedelta(hours=2))
    async with bus.serve(subjects.api("executor", LYON, "key"), lambda _: said.to_json(), name="executor-lyon"):
        await fetching._ask_key()
    assert not fetching.executor_silent
    assert (fetching.own_key, fetching.executor_ahead_s) == ("ab", 7_200.0)
