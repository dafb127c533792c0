"""Fixtures for all tests; each family of them has its module in tests/kit.

How many examples Hypothesis tries, and which, is in tests/kit/examples.py.
"""

import gc
import os
import signal
from collections.abc import Generator

# Control planes spend a fifth of their processor time on collecting what they could keep for their few minutes.
os.environ.setdefault("GOGC", "400")
os.environ.setdefault("GOMEMLIMIT", "1500MiB")
os.environ.setdefault("CHEOPS_COMPILED", "0")  # tests read the sources; the continuous run tries compiled code, too

import pytest
import structlog

from tests.kit import examples

pytest_plugins = ["tests.kit.spread", "tests.kit.controlplane", "tests.kit.bed"]

examples.register()
LOGS = structlog.get_config()
COLLECT_AFTER = (50_000, 20, 100)  # objects made, then rounds: what a test makes mostly goes without Python's collector


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is made meanwhile stays to the end: Python's collector walked over it for a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        gc.enable()


def pytest_runtest_teardown() -> None:
    """A command that a test runs within itself says how its process logs."""
    structlog.configure(**LOGS)


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell's background job; what tests interrupt would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
