"""Whom the site's own bus refuses, as its server says it to the auditor (schemas/subjects.py) → refusals.py.

It is another user of the server, of its system account, so another connection. Where there is no such user (a bus
without keys, a server whose configuration is older than this) nothing is heard, and the resolver works as ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog
from msgspec import Struct

from schemas import subjects
from schemas.identity import SiteName
from services.chassis.bus.port import Bus
from services.chassis.errors import CheopsError
from services.resolver.refusals import KeyRefused, Refusals
from services.resolver.signals import Moment

AGAIN_S: Final = 30.0
log = structlog.get_logger(__name__)


class _Client(Struct):
    user: str = ""
    name: str = ""
    host: str = ""


class _Refusal(Struct):
    """The part that matters of io.nats.server.advisory.v1.client_disconnect."""

    client: _Client


_decoder: Final = msgspec.json.Decoder(_Refusal)


class Auditing:
    """`connect`: as the auditor; None where there is none."""

    def __init__(
        self,
        site: SiteName,
        refusals: Refusals,
        now: Callable[[], Moment],
        connect: Callable[[], Awaitable[Bus]] | None,
    ) -> None:
        self._site, self._refusals, self._now, self._connect = site, refusals, now, connect

    async def run(self) -> None:
        """Listen until cancelled; what goes wrong here is nobody else's affair."""
        said = ""
        while self._connect is not None:
            try:
                bus = await self._connect()
                try:
                    await self._listen(bus)
                finally:
                    await bus.close()
            except CheopsError as error:
                if str(error) != said:
                    said = str(error)
                    hint = "cheops mesh init --sites … writes keys and server.conf anew; reload the server"
                    log.warning("whom the bus refuses is not heard", site=self._site, error=said, hint=hint)
            await asyncio.sleep(AGAIN_S)

    async def _listen(self, bus: Bus) -> None:
        async with bus.subscribe(subjects.REFUSALS) as refusals:
            async for received in refusals:
                try:
                    client = _decoder.decode(received.payload).client
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                    log.warning("not understood", subject=received.subject, reason=str(error))
                    continue
                log.warning("the bus refused", site=self._site, key=client.user, name=client.name, host=client.host)
                self._refusals.note(KeyRefused(client.user, client.name, client.host), self._now().monotonic_s)
