"""Short words for the tests: subjects of one site, one store, one drain."""

from __future__ import annotations

import itertools

from schemas import subjects
from schemas.identity import SiteName
from services.chassis.bus.port import Bus, Delivery, Reader

LYON, OSLO = SiteName("lyon"), SiteName("oslo")
EVENT = subjects.event(LYON)
ALL_INTENTS = subjects.filters("INTENTS", LYON)
WAIT_S = 30.0  # for what must come; a busy machine may be slow
QUIET_S = 0.3  # for what must not come
_numbers = itertools.count()


async def store(bus: Bus, subject: str, payload: bytes = b"{}", **more: object) -> int:
    """Publish under a message id of its own."""
    return await bus.publish(subject, payload, message_id=f"m{next(_numbers)}", **more)  # type: ignore[arg-type]


async def store_intents(bus: Bus, count: int) -> list[str]:
    """Numbered intents of lyon; returns their bodies."""
    bodies = [str(number) for number in range(count)]
    for body in bodies:
        await store(bus, subjects.intent(LYON, body), body.encode())
    return bodies


async def take(reader: Reader, count: int) -> list[Delivery]:
    """So many deliveries, in as many fetches as it takes."""
    found: list[Delivery] = []
    while len(found) < count:
        some = await reader.fetch(count - len(found), WAIT_S)
        assert some, f"{len(found)} of {count} came within {WAIT_S:g} s"
        found += some
    return found


async def nothing(reader: Reader) -> bool:
    """True when nothing comes."""
    return not await reader.fetch(1, QUIET_S)


def bodies(deliveries: list[Delivery]) -> list[str]:
    """What they say."""
    return [one.message.payload.decode() for one in deliveries]
