"""Progress on a terminal for what takes longer than two seconds; nothing in a pipe."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

PATIENCE_S: Final = 2.0
REFRESH_S: Final = 1.0
CLEAR_LINE: Final = "\r\x1b[K"


class Patience:
    """The line that says what we wait for."""

    def __init__(self) -> None:
        self._shown = False

    async def tell(self, describe: Callable[[], str]) -> None:
        """Until cancelled."""
        started_s = time.monotonic()
        await asyncio.sleep(PATIENCE_S)
        while True:
            self._shown = True
            sys.stderr.write(f"{CLEAR_LINE}… {describe()}, {time.monotonic() - started_s:.0f} s")
            sys.stderr.flush()
            await asyncio.sleep(REFRESH_S)

    def clear(self) -> None:
        """Before anything else is printed."""
        if self._shown:
            self._shown = False
            sys.stderr.write(CLEAR_LINE)
            sys.stderr.flush()


@asynccontextmanager
async def patient(describe: Callable[[], str]) -> AsyncIterator[Patience]:
    """While the block runs, a line on stderr says what it waits for; it is gone before the result stays."""
    patience = Patience()
    if not (sys.stderr.isatty() and sys.stdout.isatty()):
        yield patience
        return
    telling = asyncio.ensure_future(patience.tell(describe))
    try:
        yield patience
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
        patience.clear()
