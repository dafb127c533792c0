"""What an executor remembers of operations that are over: that there is an outcome, which the stream has."""

from __future__ import annotations

from datetime import UTC, datetime

from schemas.identity import SiteName
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.streams import ensure_streams
from services.executor.ledger import Entry, Ledger
from services.executor.target import Effect
from tests.unit.executor.builders import config_map, operation

READ = operation("read", config_map("shop", "settings"))


async def test_an_operation_that_is_over_is_answered_from_the_stream_and_nothing_that_was_read_is_kept() -> None:
    bus = MemoryBus()
    await ensure_streams(bus, SiteName("lyon"))
    ledger = Ledger(SiteName("lyon"), bus, lambda: datetime(2026, 3, 1, tzinfo=UTC))
    assert not (await ledger.look_up(READ)).final
    said = await ledger.record(READ, Effect("done", False, object={"data": {"a": "b"}}), 1.0)
    ledger.let_go(READ)
    assert [*ledger._entries.values()] == [Entry()]
    again = await ledger.look_up(READ, Entry())  # read before it was done
    assert (again.final, again.outcome) == (True, said)
    await ledger.repeat(READ, again)
