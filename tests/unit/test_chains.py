"""What the streams hold, for whoever lists it and goes on with what is new."""

from __future__ import annotations

from datetime import UTC, datetime

from cheops.chains import scanned
from schemas import subjects
from schemas.alerts import Alert
from schemas.identity import SiteName
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.streams import ensure_streams

LYON = SiteName("lyon")
ALERTS = subjects.alert(LYON, "*")


def alert(number: int) -> Alert:
    what = {"code": "A310", "state": "raised", "message": "gone", "at": datetime(2026, 1, 1, tzinfo=UTC)}
    return Alert(id=f"a-{number}", site=LYON, **what)


async def test_of_a_long_list_only_what_may_be_heard_as_well_is_remembered() -> None:
    bus, seen = MemoryBus(), set[bytes]()
    await ensure_streams(bus, LYON)
    for number in range(5):
        await bus.publish(subjects.alert(LYON, "A310"), alert(number).to_json(), message_id=f"a-{number}")
    listed = [one async for one in scanned(bus, "ALERTS", ALERTS, Alert, seen, after_seq=3)]
    assert listed == [alert(number) for number in range(5)]
    assert seen == {alert(3).to_json(), alert(4).to_json()}, "what came after somebody began to listen"
