"""An intent is stored once, although the server answers late."""

from __future__ import annotations

from typing import Any

import pytest

from cheops.contexts import Context
from cheops.drafts import Intent
from cheops.lines import Lines
from cheops.mesh import STORE_TRIES, Mesh
from schemas.identity import SiteName
from services.chassis.bus.memory import MemoryBus
from services.chassis.bus.port import Bus
from services.chassis.bus.streams import ensure_streams
from services.chassis.errors import BusUnavailableError, TransientError

LYON = SiteName("lyon")


class Late(MemoryBus):
    """Its first answers are these errors; what was published is stored all the same."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors, self.asked = [*errors], 0

    async def publish(self, subject: str, payload: bytes, **more: Any) -> int:
        self.asked += 1
        stored = await super().publish(subject, payload, **more)
        if self.errors:
            raise self.errors.pop(0)
        return stored


class OneLine(Lines):
    """Every site's server is this one."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(Context())
        self._bus = bus

    async def to(self, site: SiteName) -> Bus:
        return self._bus


async def published(bus: Late) -> int:
    await ensure_streams(bus)
    mesh = Mesh(OneLine(bus), Context())
    await mesh.publish(await mesh.enter(Intent.delete("secret/ca", namespace="shop"), site=LYON))
    return len([one async for one in bus.scan("INTENTS", ">")])


async def test_a_server_that_answers_late_is_asked_again_and_stores_the_intent_once() -> None:
    bus = Late(*[TransientError("no answer in time")] * (STORE_TRIES - 1))
    assert await published(bus) == 1
    assert bus.asked == STORE_TRIES


async def test_a_server_that_never_answers_is_told_of() -> None:
    bus = Late(*[TransientError("no answer in time")] * STORE_TRIES)
    with pytest.raises(TransientError, match="no answer in time"):
        await published(bus)


async def test_a_server_that_is_away_is_told_of_at_once() -> None:
    bus = Late(BusUnavailableError("nobody is there"))
    with pytest.raises(BusUnavailableError, match="nobody is there"):
        await published(bus)
    assert bus.asked == 1
