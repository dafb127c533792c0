"""A service's life: settings → logs → run until a signal → clean end, and an exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from importlib.util import find_spec
from typing import Any, Literal

import structlog

from services.chassis import logs, metrics
from services.chassis.errors import CheopsError, SettingsError
from services.chassis.settings import ServiceSettings, Settings, described, mistyped, read_settings

SETTLED_AFTER_S = 20.0  # imports, rules and the first listing are in by then
WHOLE = 2  # the generation of a run over everything that is followed
WHOLE_RUN_S = 0.01  # a run that takes longer is followed by freezing; no pause of ours may be longer than five of it
EXIT_ERROR = 1
EXIT_USAGE = 2


def main(
    name: str,
    model: type[Settings],
    run: Callable[[Settings], Awaitable[None]],
    besides: Iterable[type[ServiceSettings]] = (),
) -> int:
    """Run a service; SIGTERM and SIGINT end it with 0, an error that it cannot survive with 1, bad settings with 2.

    besides   whose settings `run` reads, too
    """
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(usage(name, model))
        return 0
    try:
        settings = read_settings(model)
    except SettingsError as error:
        sys.stderr.write(f"cheops: {error}\n")
        return EXIT_USAGE
    logs.configure(settings.log_level, settings.log_format)
    for variable, like in mistyped((model, *besides), os.environ):
        structlog.get_logger(name).warning("this sets nothing", variable=variable, site=settings.site, like=like)
    loop_factory = None
    if find_spec("uvloop"):
        import uvloop

        loop_factory = uvloop.new_event_loop
    try:
        with (
            metrics.served(settings.metrics_port, settings.metrics_host),
            asyncio.Runner(loop_factory=loop_factory) as runner,
        ):
            return runner.run(_until_signal(name, settings, run))
    except SettingsError as error:
        sys.stderr.write(f"cheops: {error}\n")
        return EXIT_USAGE


async def _until_signal(name: str, settings: Settings, run: Callable[[Settings], Awaitable[None]]) -> int:
    log = structlog.get_logger(name)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.call_later(SETTLED_AFTER_S, settle)
    gc.callbacks.append(ShortRuns())
    running = asyncio.ensure_future(run(settings))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not running.done():
        running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        log.info("stopped", site=settings.site)
        return 0
    except BaseException as error:
        first = _innermost(error)
        if not isinstance(first, CheopsError):
            raise
        log.error("cannot go on", site=settings.site, error=str(first))
        return EXIT_USAGE if isinstance(first, SettingsError) else EXIT_ERROR
    return 0


def begin(work: Coroutine[Any, Any, None], tasks: asyncio.TaskGroup) -> None:
    """As one of the tasks; when these are ending, not at all: nobody waits for it, and why they end is to be said."""
    try:
        tasks.create_task(work)
    except RuntimeError:  # the group's way to say so
        work.close()


def settle() -> None:
    """What is there now stays: the collector need not walk it again and again (20–50 ms each time, measured)."""
    gc.collect()
    gc.freeze()


class ShortRuns:
    """Among `gc.callbacks`: after a whole run of the collector that took long, what it walked over counts as staying.

    A graph of a million resources has some 40,000 objects that the collector follows, far apart in memory: 50 to 80 ms
    a run (measured). They are in no cycle, and there are more of them only when the site grows; so this happens seldom,
    and little of what else was there just then can become garbage that nobody finds.
    """

    def __init__(self, clock_s: Callable[[], float] = time.thread_time) -> None:
        self._clock_s = clock_s
        self._since_s = 0.0

    def __call__(self, phase: Literal["start", "stop"], info: dict[str, Any]) -> None:
        """See gc.callbacks."""
        if info["generation"] < WHOLE:
            return
        if phase == "start":
            self._since_s = self._clock_s()
        elif self._clock_s() - self._since_s > WHOLE_RUN_S:
            gc.freeze()


def _innermost(error: BaseException) -> BaseException:
    """The one error that several tasks may have seen; the group when they are several."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    first, *others = map(_innermost, error.exceptions)
    return first if all(one is first for one in others) else error


def usage(name: str, model: type[ServiceSettings]) -> str:
    """What can be set, with defaults."""
    rows = described(model)
    width = max(len(variable) for variable, _ in rows)
    lines = [f"cheops serve {name}", "", "Settings are environment variables:"]
    lines += [f"  {variable:<{width}}  {text}" for variable, text in rows]
    return "\n".join(lines) + "\n"
