"""Dead letters: something of what could not be understood is kept, as much as the bus takes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas import subjects
from schemas.deadletters import PAYLOAD_BYTES_MAX, DeadLetter
from schemas.envelope import MESSAGE_BYTES_MAX
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Received
from services.chassis.poison import bury


@pytest.mark.parametrize("bytes_max", [MESSAGE_BYTES_MAX, 20_000])
async def test_what_is_large_is_kept_in_part_also_where_a_server_takes_little(bytes_max: int) -> None:
    """Who wanted to keep it ended by it."""
    bus, body = MemoryBus(bytes_max=bytes_max), 200_000 * b"x"
    received = Received("cheops.v1.event.lyon", body, {}, 7)
    await bury(bus, "EVENTS", received, "no batch", by="resolver/lyon", now=datetime(2026, 1, 1, tzinfo=UTC))
    stored = await bus.last("DEAD", subjects.dead("EVENTS"))
    assert stored is not None
    letter = DeadLetter.from_json(stored.payload)
    assert letter.size == len(body)
    assert len(letter.body()) == min(PAYLOAD_BYTES_MAX, bytes_max // 2)
