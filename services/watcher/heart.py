"""What the watcher claims every second, and at once when it changes: how far it is, and what it cannot see.

A kind that is listed again is blind for milliseconds. A receiver that was told so, and then nothing for the rest of a
second, would defer what it could answer; one that was not told would answer what it cannot know.

The pulse is a round trip to the application every other second: a network that swallows packets shows there within
seven, on an idle watch only after its silence of 75 s. An API server that has much to do answers late; it is asked for
less than the ten seconds that a verdict's evidence may be old by default, and no verdict waits for a load that passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from schemas import envelope, subjects
from schemas.events import BlindKind, Heartbeat, encode
from schemas.identity import kind_id
from services.chassis.bus.port import Bus
from services.chassis.errors import TransientError
from services.watcher.health import MESSAGE_LEN_MAX, WatchHealth
from services.watcher.publisher import Publisher
from services.watcher.source import Source

HEARTBEAT_S: Final = 1.0
HURRIED_S: Final = 0.1  # what is seen again is told of that long after the heartbeat before, for many at one go
PULSE_S: Final = 2.0
ANSWER_PULSES: Final = 2.5  # how long an answer may take

log = structlog.get_logger(__name__)


class Heart:
    """Beats while its tasks run."""

    def __init__(
        self,
        publisher: Publisher,
        source: Source,
        bus: Bus,
        health: WatchHealth,
        clock: Callable[[], float],
        heartbeat_s: float,
        pulse_s: float,
    ) -> None:
        self._publisher = publisher
        self._source = source
        self._bus = bus
        self._health = health
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._pulse_s = pulse_s
        self._changed = asyncio.Event()
        self._blinded = asyncio.Event()

    def hurry(self, *, blinded: bool) -> None:
        """What cannot be seen has changed. The next heartbeat is due now when something cannot be seen any more.

        When something is seen again it is due `HURRIED_S` after the one before.
        """
        self._changed.set()
        if blinded:
            self._blinded.set()

    def heartbeat(self) -> Heartbeat:
        """What is claimed now. A group that does not answer is named `group/*`.

        `seq` counts what waits for the bus as well: a receiver that lacks it must not call itself fresh.
        """
        now_s = self._clock()
        blind = self._health.blind(now_s)
        batcher = self._publisher.batcher
        observed = len(self._health) - len(blind)
        for group, reason in self._source.unclear().items():
            blind.setdefault(kind_id(group, "*"), BlindKind("failing", 0.0, reason[:MESSAGE_LEN_MAX]))
        return Heartbeat("heartbeat/v1", batcher.site, batcher.epoch, batcher.numbered, observed, blind, now_s)

    async def beat(self) -> None:
        """Send a heartbeat every second, or sooner; a bus that takes none is told of once."""
        site = self._publisher.batcher.site
        heard = True
        while True:
            self._changed.clear()
            self._blinded.clear()
            name = f"{self._publisher.batcher.epoch}.{self._clock():.3f}"
            headers = envelope.headers("heartbeat", f"watcher/{site}", name)
            try:
                await self._bus.emit(subjects.heartbeat(site), encode(self.heartbeat()), headers)
                heard = True
            except TransientError as error:
                if heard:
                    log.warning("heartbeats do not leave", site=site, reason=str(error))
                heard = False
            await self._until_due()

    async def _until_due(self) -> None:
        hurried_s = min(HURRIED_S, self._heartbeat_s)
        if not await _within(hurried_s, self._blinded):
            await _within(self._heartbeat_s - hurried_s, self._changed)

    async def feel_pulse(self) -> None:
        """Note, again and again, whether the application can be reached."""
        bound_s = ANSWER_PULSES * self._pulse_s
        while True:
            trouble = ""
            try:
                async with asyncio.timeout(bound_s):
                    await self._source.pulse()
            except TransientError as error:
                trouble = str(error)
            except TimeoutError:
                trouble = f"no answer within {bound_s:g} s"
            if self._health.note_pulse(trouble, self._clock()):
                self._say_reached(trouble)
                self.hurry(blinded=bool(trouble))
            await asyncio.sleep(self._pulse_s)

    def _say_reached(self, trouble: str) -> None:
        site = self._publisher.batcher.site
        if trouble:
            log.warning(
                "the application cannot be reached: nothing of it counts as observed", site=site, reason=trouble
            )
        else:
            log.info("the application is reached again", site=site)


async def _within(time_s: float, event: asyncio.Event) -> bool:
    """Whether it happens within that time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(time_s):
            return await event.wait()
    return False
