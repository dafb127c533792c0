"""From a typer command to an awaitable with a connection."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from cheops.contexts import Context
    from cheops.mesh import Mesh

Result = TypeVar("Result")


def _say_unheard(site: str, why: str) -> None:
    """What is not known is not taken for absent."""
    sys.stderr.write(f"cheops: {site} did not answer: {why}\n")


def insist_on_all(mesh: Mesh, what: str) -> None:
    """What was found, or nothing, is not the whole answer where a site was not heard. Raises TransientError."""
    from services.chassis.errors import TransientError

    if mesh.unheard:
        raise TransientError(f"{what} at {', '.join(sorted(mesh.unheard))} is not known")


def with_mesh(
    use: Callable[[Mesh], Awaitable[Result]], server: str | Context | None = None, site: str | None = None
) -> Result:
    """Connect, use, disconnect; sites that could not be read are named on stderr, as is what the bus complains of.

    SIGTERM (of `timeout 60 cheops apply`, of a CI that is cancelled) means what Ctrl-C means, as does a terminal that
    is closed: what has been published goes on, and it is said how to follow it.
    """
    from cheops.mesh import connect
    from services.chassis import logs

    logs.configure("warning", cached=False)

    async def run() -> Result:
        _ended_like_interrupts()
        async with connect(server, site=site) as mesh:
            mesh.on_unheard = _say_unheard
            return await use(mesh)

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:  # what is made of SIGTERM, and left by who has nothing to say about it
        raise KeyboardInterrupt from None


def _ended_like_interrupts() -> None:
    """What asyncio makes of Ctrl-C, for the signals that would end the program without a word."""
    running = asyncio.current_task()
    assert running is not None, "called by a coroutine"
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has it ignored
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
