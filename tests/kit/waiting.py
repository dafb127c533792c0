"""Waiting for what others do in their own time: the one place where a test pauses.

    look → not yet → a pause → look again → … → the first true answer, or an AssertionError that says what never came

What talks to nobody outside of its process needs none of this: there, time is virtual (virtual_time.py).
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

WAIT_S: Final = 60.0
PAUSE_S: Final = 0.05
Look = Callable[[], Any | Awaitable[Any]]
Said = str | Callable[[], object]


async def eventually(look: Look, said: Said = "", wait_s: float = WAIT_S, pause_s: float = PAUSE_S) -> Any:
    """Ask until the answer is true, and return it; else AssertionError with what is `said`, or says so when asked."""
    try:
        async with asyncio.timeout(wait_s) as bound:
            while not (found := await _answer(look)):
                await asyncio.sleep(pause_s)
            return found
    except TimeoutError:
        if not bound.expired():
            raise  # of the question itself
        raise AssertionError(_never(said, wait_s)) from None


def eventually_seen(look: Callable[[], Any], said: Said = "", wait_s: float = WAIT_S, pause_s: float = PAUSE_S) -> Any:
    """The same for tests without an event loop."""
    end_s = time.monotonic() + wait_s
    while not (found := look()):
        assert time.monotonic() < end_s, _never(said, wait_s)
        time.sleep(pause_s)
    return found


async def lasting(for_s: float) -> None:
    """How long something is done that is the test's own: a fault that has a length, a rhythm. It waits for nothing."""
    await asyncio.sleep(for_s)


async def _answer(look: Look) -> Any:
    found = look()
    return await found if inspect.isawaitable(found) else found


def _never(said: Said, wait_s: float) -> str:
    return f"not within {wait_s:g} s: {said() if callable(said) else said}"
