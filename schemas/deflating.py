"""Bytes → fewer bytes, as zlib has them, without what zlib costs for few of them. Pure.

zlib makes tables of 256 KiB anew for each call, which the allocator gets from the system and gives back again: some 90
µs where nothing of that size lies free, for 5 kB of JSON that take 20 to deflate. Tables of 96 KiB, which the allocator
keeps, make of up to 32 KiB as little. `zlib.decompress` reads both.
"""

from __future__ import annotations

import zlib
from typing import Final

SMALL_BYTES_MAX: Final = 32 * 1024
SMALL_TABLES: Final = (14, 6)  # logarithms: of the window in bytes; and zlib's own `memLevel`


def deflated(raw: bytes, level: int = 6) -> bytes:
    """For zlib.decompress."""
    if len(raw) > SMALL_BYTES_MAX:
        return zlib.compress(raw, level)
    deflater = zlib.compressobj(level, zlib.DEFLATED, *SMALL_TABLES)
    return deflater.compress(raw) + deflater.flush()
