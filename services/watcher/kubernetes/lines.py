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
        lines = []
        start, end = 0, chunk.find(b"\n")  # which looks at many bytes at a time, where `split` looks at each
        while end >= 0:
            line = chunk[start:end]
            if start == 0:
                line = self._finish(line)
            if line and self._fits(line):
                lines.append(line)
            start = end + 1
            end = chunk.find(b"\n", start)
        if start < len(chunk):
            self._hold(chunk[start:])
        return lines

    def _fits(self, line: bytes) -> bool:
        if len(line) <= self._limit:
            return True
        self.overlong += 1  # begun and ended within one chunk
        return False

    def _finish(self, part: bytes) -> bytes:
        """The line that ends with this; empty where it was dropped."""
        self._hold(part)
        line = b"" if self._dropping else b"".join(self._parts)
        self._parts, self._size, self._dropping = [], 0, False
        return line

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._limit:
            self._parts.append(part)
        elif not self._dropping:
            self._dropping = True
            self._parts = []
            self.overlong += 1
