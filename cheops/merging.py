"""Several streams of messages → one: what is stored in order of time, what comes as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import TypeVar

Item = TypeVar("Item")


async def in_order(sources: Sequence[AsyncIterator[Item]], when: Callable[[Item], datetime]) -> AsyncIterator[Item]:
    """Each source is in order; so is the whole. One message of each is held at a time."""
    heads = {source: head for source in sources if (head := await anext(source, None)) is not None}
    while heads:
        source = min(heads, key=lambda one: when(heads[one]))
        yield heads.pop(source)
        following = await anext(source, None)
        if following is not None:
            heads[source] = following


async def as_they_come(sources: Sequence[AsyncIterator[Item]]) -> AsyncIterator[Item]:
    """Until all have ended. An error of one is raised."""
    waits = {asyncio.ensure_future(anext(source)): source for source in sources}
    try:
        while waits:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                source = waits.pop(wait)
                try:
                    item = wait.result()
                except StopAsyncIteration:
                    continue
                waits[asyncio.ensure_future(anext(source))] = source
                yield item
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
