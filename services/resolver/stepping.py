"""Signals → machine → what was decided leaves in that order, and nothing rests on what could not be stored.

    step ──▶ waiting ──▶ who has the lock: decides all that waits, one by one ──▶ stores it at one go ──▶ each goes on

One lock makes signals one at a time, from the decision until it is stored. What comes while something is being stored
waits, and is decided and stored together: however many came, the disk is waited for once. Only what was observed is
taken in meanwhile: it waits for nothing by itself, and what follows from it leaves behind that.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from services.chassis import metrics
from services.resolver.carrying import Carrying
from services.resolver.machine import Machine
from services.resolver.signals import (
    BatchSeen,
    BeatSeen,
    CancelSeen,
    Effect,
    IntentSeen,
    Moment,
    OutcomeSeen,
    PeerBeat,
    PeerSeen,
    PreviewSeen,
    Signal,
    SweepOn,
    Tick,
)
from services.resolver.turns import TOGETHER_MAX, Turns

SHOWN_AS: Final[dict[type, str]] = {  # in metrics; all others are answers of somebody who was asked
    BatchSeen: "events",
    SweepOn: "events",
    BeatSeen: "heartbeat",
    IntentSeen: "intent",
    PreviewSeen: "intent",
    CancelSeen: "intent",
    OutcomeSeen: "outcome",
    PeerBeat: "peer",
    PeerSeen: "peer",
    Tick: "tick",
}


class _Asked:
    """What somebody wants decided. `is_over`: all of it is, or it ended with an error."""

    def __init__(self, signals: Iterable[Signal]) -> None:
        self.left = deque(signals)
        self.is_over = False
        self.error: Exception | None = None


class Stepping:
    """The steps of one site's machine. `afterwards`: when what was decided is stored, since nobody waits for it."""

    def __init__(
        self,
        machine: Machine,
        carrying: Carrying,
        turns: Turns,
        now: Callable[[], Moment],
        afterwards: Callable[[], None] = lambda: None,
    ) -> None:
        self._machine, self._carrying, self._turns, self._now = machine, carrying, turns, now
        self._afterwards = afterwards
        self._lock = asyncio.Lock()
        self._waiting = deque[_Asked]()
        self._failed = False
        self._times_s = {signal: metrics.STEP_S.labels(machine.site, name) for signal, name in SHOWN_AS.items()}
        self._answers_s = metrics.STEP_S.labels(machine.site, "answer")

    async def step(self, signals: Sequence[Signal]) -> None:
        """Decide one by one; returns when what was decided is stored. An error of these signals is raised here."""
        asked = _Asked(signals)
        self._waiting.append(asked)
        try:
            async with self._lock:
                await self._unless_failed()
                while not asked.is_over:  # else somebody took it along
                    try:
                        await self._decide()
                    finally:  # one that ends the resolver takes no other's decision with it
                        await self._carry_out()
                    self._afterwards()
        finally:
            with suppress(ValueError):
                self._waiting.remove(asked)  # nobody waits for it any more
        if asked.error is not None:
            raise asked.error

    async def _decide(self) -> None:
        """What waits, as much as is stored at a time; no more after an error."""
        for place in range(TOGETHER_MAX):
            if place and self._next() is not None:
                await asyncio.sleep(0)  # who asks meanwhile waits for one decision, not for all
            asked = self._next()
            if asked is None:
                return
            try:
                self._carrying.decided(self._take(asked.left.popleft()))
            except Exception as error:
                asked.left.clear()
                asked.error = error
                break
        self._next()

    def _take(self, signal: Signal) -> list[Effect]:
        begun_s = time.perf_counter()
        effects = self._machine.step(signal, self._now())
        self._times_s.get(type(signal), self._answers_s).observe(time.perf_counter() - begun_s)
        return effects

    def _next(self) -> _Asked | None:
        """Whose signal is the next one; who waits before with none left has what he wants."""
        while self._waiting and not self._waiting[0].left:
            self._waiting.popleft().is_over = True
        return self._waiting[0] if self._waiting else None

    async def observe(self, signal: BatchSeen | SweepOn) -> bool:
        """Take it in now; whether something followed, which is stored then. Raises MessageError for what is none."""
        await self._unless_failed()
        effects = self._take(signal)
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
        except BaseException:  # also when it is cancelled: others rely on it
            self._failed = True
            raise

    async def _unless_failed(self) -> None:
        """The machine knows of decisions that were not stored: nothing may rest on them."""
        if self._failed:
            await asyncio.Event().wait()  # until the process ends, which it is about to do
