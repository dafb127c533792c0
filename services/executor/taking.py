"""Deliveries that came together → operations, and what the ledger holds of them, read at one go.

The lease of each begins here, before anything is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schemas.envelope import MessageError
from schemas.identity import SiteName
from schemas.operations import Operation
from services.chassis.bus.port import Delivery, Received
from services.executor.ledger import Entry, Ledger
from services.executor.permit import Lease


@dataclass(slots=True)
class Taken:
    """One delivery. `operation` None: it is none for this site, `unfit` says why. `entry`: what was read of it."""

    delivery: Delivery
    lease: Lease
    operation: Operation | None = None
    unfit: str = ""
    entry: Entry | None = None

    @property
    def message(self) -> Received:
        """As it was delivered."""
        return self.delivery.message


class Taking:
    """For one site's executor."""

    def __init__(self, site: SiteName, ledger: Ledger, ack_wait_s: float, clock: Callable[[], float]) -> None:
        self._site, self._ledger, self._ack_wait_s, self._clock = site, ledger, ack_wait_s, clock

    async def take(self, deliveries: Sequence[Delivery]) -> list[Taken]:
        """Raises nothing: what could not be read is read by whoever carries it out."""
        taken = [Taken(one, Lease(one, self._ack_wait_s, self._clock)) for one in deliveries]
        for one in taken:
            try:
                one.operation = self._understood(one.message)
            except MessageError as error:
                one.unfit = str(error)
        entries = await self._ledger.look_ahead([one.operation for one in taken if one.operation is not None])
        for one in taken:
            if one.operation is not None:
                one.entry = entries.get(one.operation.id)
        return taken

    def _understood(self, message: Received) -> Operation:
        operation = Operation.from_json(message.payload)
        if operation.site != self._site:
            raise MessageError(f"site: {operation.site[:80]!r} (expected {self._site!r}, whose executor this is)")
        return operation
