"""What a resolver says to its peers is carried as often as it is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.identity import SiteName
from schemas.peers import Wake
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
