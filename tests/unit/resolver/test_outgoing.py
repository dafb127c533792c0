"""What a resolver says to its peers is carried as often as it is said."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.alerts import Alert
from schemas.identity import SiteName
from schemas.peers import Wake
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import TransientError
from services.resolver.outgoing import Outgoing
from services.resolver.signals import Moment
from tests.kit.linked import Links
from tests.unit.chassis.letters import LYON, OSLO, carrying, until_arrived, virtually


@virtually
async def test_what_is_said_again_later_is_carried_again() -> None:
    """The server takes a message id once in ten minutes: a nudge under its first id would never arrive."""
    links = await Links.between(LYON, OSLO)
    wall = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [Moment(0.0, wall), Moment(30.0, wall + timedelta(seconds=30))]
    out = Outgoing(SiteName(LYON), links.buses[LYON], lambda: moments[0])
    wake = Wake(sender=LYON, receiver=OSLO, intent="i-1", round=1)
    async with carrying(links.buses[LYON]) as courier:
        for _ in range(2):
            await out.tell(courier, wake, "")
        await until_arrived(links, OSLO, 1)
        moments.pop(0)
        await out.tell(courier, wake, "")
        assert await until_arrived(links, OSLO, 2) == [wake.to_json()] * 2


class FullBus(MemoryBus):
    """Its server answers nothing while its disk has no room."""

    is_full = True

    async def publish(self, subject: str, payload: bytes, **named: Any) -> int:
        if self.is_full:
            raise TransientError(f"{subject} was not stored: no answer in time")
        return await super().publish(subject, payload, **named)


@virtually
async def test_what_the_server_does_not_store_is_known_until_it_is_stored() -> None:
    wall = datetime(2026, 1, 1, tzinfo=UTC)
    bus = FullBus()
    await ensure_streams(bus, LYON)
    out = Outgoing(SiteName(LYON), bus, lambda: Moment(0.0, wall))
    alert = Alert(id="lyon:A501:x", code="A501", state="raised", site=LYON, message="it is broken", at=wall)
    telling = asyncio.create_task(out.send_alert(alert))
    await asyncio.sleep(10)
    assert out.unstored == "cheops.v1.alert.lyon.A501 was not stored: no answer in time"
    bus.is_full = False
    await telling
    assert out.unstored == ""
