"""Which release of Cheops runs."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version


@cache
def release() -> str:
    """As it is installed. Asked once: it takes a millisecond, and each ping that is answered says it."""
    return version("cheops")
