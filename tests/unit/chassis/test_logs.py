"""What is said again and again is written once a minute; all that is said has one form."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from contextlib import suppress
from typing import Any

import structlog

from services.chassis.kubernetes import connection
from services.chassis.logs import QUIET_S, WARNINGS_MAX, Quiet


class Log:
    """What is written; `now_s` is the time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.written: list[dict[str, Any]] = []
        self._quiet = Quiet(lambda: self.now_s)

    def say(self, event: str, level: str = "warning", **facts: Any) -> None:
        with suppress(structlog.DropEvent):
            self.written.append(dict(self._quiet(None, level, {"event": event, "level": level, **facts})))


def test_a_warning_in_the_same_words_is_written_once_a_minute_with_how_often_it_was_not() -> None:
    """Three readers said every second that the bus is not there."""
    log = Log()
    for second in range(150):
        log.now_s = float(second)
        log.say("the bus does not deliver", error="not connected", retry_in_s=second / 10)
    assert [one.get("left_out", 0) for one in log.written] == [0, 59, 59]


def test_other_words_other_facts_and_other_levels_are_written() -> None:
    log = Log()
    log.say("the bus does not deliver", error="not connected")
    log.say("the bus does not deliver", error="no answer in time")
    log.say("not stored yet", error="not connected")
    for _ in range(2):
        log.say("decided", level="info", intent="i-1")
        log.say("cannot go on", level="error", error="no key")
    assert len(log.written) == 7


def test_of_many_warnings_some_are_remembered() -> None:
    log = Log()
    for number in range(2 * WARNINGS_MAX):
        log.say("not understood", subject=f"s{number}")
    assert len(log.written) == 2 * WARNINGS_MAX
    assert len(log._quiet._said) == WARNINGS_MAX
    log.now_s = QUIET_S / 2
    log.say("not understood", subject="s0")
    log.say("not understood", subject=f"s{2 * WARNINGS_MAX - 1}")
    assert len(log.written) == 2 * WARNINGS_MAX + 1


def test_what_a_library_says_is_one_line_of_the_same_form_with_its_traceback() -> None:
    program = """
import logging
from services.chassis import logs
logs.configure(form="json")
try:
    raise OSError("no such host")
except OSError:
    logging.getLogger("aiohttp").exception("cannot reach %s", "lyon")
logging.getLogger("aiohttp").info("nobody asked")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (line,) = ran.stderr.splitlines()
    said = json.loads(line)
    assert (said["event"], said["logger"], said["level"]) == ("cannot reach lyon", "aiohttp", "error")
    assert said["exception"].endswith("OSError: no such host")


def test_what_is_said_of_the_bus_in_a_program_that_uses_the_sdk_does_not_mix_with_what_that_prints() -> None:
    program = """
import asyncio, structlog
from cheops import connect
from cheops.contexts import Context, Server

async def main():
    async with connect(Context(servers={"lyon": Server()})):
        structlog.get_logger().warning("the bus is lost")

asyncio.run(main())
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (ran.stdout, "the bus is lost" in ran.stderr) == ("", True)


def test_the_end_of_a_watch_is_no_failure_and_other_failures_of_a_loop_are() -> None:
    assert connection is not None
    closed = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")
    for error, is_told in ((closed, False), (RuntimeError("no room"), True), (OSError("the handler is closed"), True)):
        found = (type(error), error, None)
        record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "Fatal error on SSL protocol", None, found)
        assert bool(logging.getLogger("asyncio").filter(record)) is is_told
