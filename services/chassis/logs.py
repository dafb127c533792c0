"""Logs: one constant sentence, facts as keys; text on a terminal, JSON otherwise, also what libraries say.

What is in trouble says so at each try. A warning in the same words is written once a minute, with how often it was not.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

QUIET_S: Final = 60.0
WARNINGS_MAX: Final = 256  # that are remembered
UNSTEADY: Final = ("retry_in_s",)  # says nothing new of the trouble
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: str = "info", form: str = "auto", *, cached: bool = True) -> None:
    """Once per process. Logs go to stderr. `cached`: a logger that was used once stays as this makes it."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            Quiet(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=cached,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[Library()])


def off_stdout() -> None:
    """In somebody else's program, unless it has set structlog up: stdout is its own."""
    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


class Library(logging.Handler):
    """What a library says, as a line of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Its traceback goes with it."""
        said = structlog.get_logger()
        said.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


class Quiet:
    """Among structlog's processors, after the level and before the time."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._said: dict[str, tuple[float, int]] = {}  # when it was written, how often it was not since

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """The event, or DropEvent for a warning that was written a moment ago."""
        if event.get("level") != "warning" or "exc_info" in event:
            return event
        words = repr(sorted((name, str(value)) for name, value in event.items() if name not in UNSTEADY))
        now_s, (at_s, left_out) = self._clock_s(), self._said.pop(words, (float("-inf"), 0))
        if now_s - at_s < QUIET_S:
            self._said[words] = (at_s, left_out + 1)
            raise structlog.DropEvent
        self._said[words] = (now_s, 0)
        if len(self._said) > WARNINGS_MAX:
            del self._said[next(iter(self._said))]
        return {**event, "left_out": left_out} if left_out else event
