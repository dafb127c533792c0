"""Effects of the machine → bus, in the order in which they were decided. Verdicts side by side are stored together.

While some are being stored others may be decided: they leave behind them.

A verdict may be stored before operations, alerts and questions that were to leave before it: whoever is killed in
between has stored more than he has done, which is what a restart goes on from. Nothing ever leaves before its verdict.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from schemas.operations import Operation
from services.chassis.peering.liaison import Liaison
from services.resolver.inquiries import Inquiries
from services.resolver.machine import Machine
from services.resolver.outgoing import Outgoing
from services.resolver.signals import (
    AskPeers,
    AskRehearsal,
    AskResync,
    AskSupply,
    Effect,
    EnterIntent,
    Moment,
    PeerSeen,
    RepeatVerdict,
    SendAlert,
    SendOperation,
    SendPeer,
    StoreOutcome,
    StorePart,
    StoreVerdict,
    TellPreview,
)

OPERATIONS_MAX: Final = 64  # with one disk sync
OVERTAKEN: Final = (SendOperation, SendAlert, AskRehearsal, AskResync, AskPeers, AskSupply)


class Carrying:
    """One resolver's way from effects to the bus. `begin`: starts a task of its service."""

    def __init__(
        self,
        machine: Machine,
        out: Outgoing,
        inquiries: Inquiries,
        liaison: Liaison,
        now: Callable[[], Moment],
        begin: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._machine, self._out, self._inquiries, self._liaison, self._now = machine, out, inquiries, liaison, now
        self._begin = begin
        self._left = deque[Effect]()

    def decided(self, effects: Sequence[Effect]) -> None:
        """They leave after all that was decided before."""
        self._left.extend(effects)

    async def carry_out(self) -> None:
        """All that was decided; returns when it is stored. Questions to other services go on as tasks."""
        left = self._left
        while left:
            effect = left.popleft()
            match effect:
                case StoreVerdict():
                    await self._out.store_verdicts([effect, *taken_along(left)])
                case SendOperation():
                    await self._out.send_operations([effect.operation, *_next_operations(left)])
                case SendAlert():
                    await self._out.send_alert(effect.alert)
                case RepeatVerdict():
                    await self._out.repeat_verdict(effect.verdict)
                case AskRehearsal() | AskResync() | AskPeers() | AskSupply():
                    self._begin(self._inquiries.ask(effect))
                case SendPeer():
                    self.decided(await self._tell(effect))
                case EnterIntent():
                    await self._out.enter_intent(effect.intent)
                case StorePart():
                    await self._out.store_part(effect.part, effect.revision)
                case StoreOutcome():
                    await self._out.store_outcome(effect.outcome)
                case TellPreview():
                    self._inquiries.tell(effect.verdict)

    async def _tell(self, effect: SendPeer) -> list[Effect]:
        """What follows from a word that could not be said."""
        key = self._liaison.key_of(effect.message.receiver)
        instead = await self._out.tell(self._liaison.courier, effect.message, key)
        return [] if instead is None else self._machine.step(PeerSeen(instead), self._now())


def _next_operations(left: deque[Effect]) -> list[Operation]:
    """Take those that follow without anything between them, as many as are stored at a time."""
    found: list[Operation] = []
    while left and isinstance(left[0], SendOperation) and len(found) < OPERATIONS_MAX - 1:
        found.append(left[0].operation)
        left.popleft()
    return found


def taken_along(left: deque[Effect]) -> list[StoreVerdict]:
    """Take the verdicts out of what is left that may be stored now, too."""
    found: list[StoreVerdict] = []
    before: list[Effect] = []
    while left and isinstance(left[0], (StoreVerdict, *OVERTAKEN)):
        effect = left.popleft()
        found.append(effect) if isinstance(effect, StoreVerdict) else before.append(effect)
    left.extendleft(reversed(before))
    return found
