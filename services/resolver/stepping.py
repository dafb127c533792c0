"""Signals → machine → what was decided leaves in that order, and nothing rests on what could not be stored.

One lock makes signals one at a time, from the decision until it is stored. Only what was observed is taken in while
something is being stored: it waits for nothing by itself, and what follows from it leaves behind that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from services.resolver.carrying import Carrying
from services.resolver.machine import Machine
from services.resolver.signals import BatchSeen, Effect, Moment, Signal, SweepOn
from services.resolver.turns import Turns


class Stepping:
    """The steps of one site's machine."""

    def __init__(self, machine: Machine, carrying: Carrying, turns: Turns, now: Callable[[], Moment]) -> None:
        self._machine, self._carrying, self._turns, self._now = machine, carrying, turns, now
        self._lock = asyncio.Lock()
        self._failed = False

    async def step(self, signals: Sequence[Signal]) -> None:
        """Decide one by one, store at once."""
        async with self._lock:
            await self._unless_failed()
            try:
                for place, signal in enumerate(signals):
                    if place:
                        await asyncio.sleep(0)  # who asks meanwhile waits for one decision, not for all
                    self._carrying.decided(self._machine.step(signal, self._now()))
            finally:  # one that ends the resolver takes no other's decision with it
                await self._carry_out()

    async def observe(self, signal: BatchSeen | SweepOn) -> bool:
        """Take it in now; whether something followed, which is stored then. Raises MessageError for what is none."""
        await self._unless_failed()
        effects = self._machine.step(signal, self._now())
        if effects:
            await self.say(effects)
        return bool(effects)

    async def say(self, effects: Sequence[Effect]) -> None:
        """Behind all that was decided before."""
        self._carrying.decided(effects)
        async with self._lock:
            await self._unless_failed()
            await self._carry_out()

    async def _carry_out(self) -> None:
        try:
            with self._turns.away():
                await self._carrying.carry_out()
        except Exception:
            self._failed = True
            raise

    async def _unless_failed(self) -> None:
        """The machine knows of decisions that were not stored: nothing may rest on them."""
        if self._failed:
            await asyncio.Event().wait()  # until the process ends, which it is about to do
