"""An alert that stands is in its stream again each day, and is listed once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cheops.contexts import Context
from cheops.mesh import Mesh
from schemas import subjects
from schemas.alerts import Alert
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.streams import ensure_streams
from tests.unit.cli.test_publishing_intents import LYON, OneLine

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def alert(broke: int, again: int | None = None, healed: int | None = None) -> Alert:
    return Alert(
        id="lyon:A310:Secret/shop/edge-ca",
        code="A310",
        state="raised" if healed is None else "healed",
        site=LYON,
        message="edge-ca is gone",
        at=BEGIN + DAY * (broke if healed is None else healed),
        again_at=None if again is None else BEGIN + DAY * again,
    )


async def listed(*stored: Alert) -> list[Alert]:
    bus = MemoryBus()
    await ensure_streams(bus)
    for place, one in enumerate(stored):
        await bus.publish(subjects.alert(LYON, one.code), one.to_json(), message_id=str(place))
    return [one async for one in Mesh(OneLine(bus), Context()).alerts(site=LYON)]


async def test_what_was_said_again_is_no_news() -> None:
    first, later = alert(broke=0), alert(broke=3)
    once, healed = alert(broke=0, again=1), alert(broke=0, healed=2)
    assert await listed(first, once, healed, later, alert(broke=3, again=4)) == [first, healed, later]


async def test_what_the_stream_has_forgotten_is_listed_as_it_was_said_again() -> None:
    again = alert(broke=0, again=8)
    assert await listed(again, alert(broke=0, again=9)) == [again]
