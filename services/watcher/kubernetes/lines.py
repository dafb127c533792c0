"""Chunks of a byte stream → complete lines. Pure.

aiohttp's own `readline` fails for good at its limit; here a line over the cap is dropped, counted, and the next line
is found. Chunks are joined once per line, so a long line costs no copying per chunk.
"""

from __future__ import annotations

from typing import Final

LINE_BYTES_MAX: Final = 16 * 1024 * 1024  # etcd takes 1.5 MiB objects by default; ten times that is somebody's mistake


class LineSplitter:
    """Feed chunks, get lines (without their newline)."""

    def __init__(self, limit: int = LINE_BYTES_MAX) -> None:
        self.overlong = 0
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._dropping = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that end in this chunk; blank ones are left out."""
        *complete, rest = chunk.split(b"\n")
        lines = [line for line in self._finish(complete) if line and self._fits(line)]
        if rest:
            self._hold(rest)
        return lines

    def _fits(self, line: bytes) -> bool:
        if len(line) <= self._limit:
            return True
        self.overlong += 1  # begun and ended within one chunk
        return False

    def _finish(self, complete: list[bytes]) -> list[bytes]:
        if not complete:
            return complete
        self._hold(complete[0])
        complete[0] = b"" if self._dropping else b"".join(self._parts)
        self._parts, self._size, self._dropping = [], 0, False
        return complete

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._limit:
            self._parts.append(part)
        elif not self._dropping:
            self._dropping = True
            self._parts = []
            self.overlong += 1
