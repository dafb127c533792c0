"""Payloads → one file's bytes and back: a first line, then each payload with its length and a digest. Pure.

A payload's digest is keyed by the one before it, so a payload is only right in its place of its own file. Where a file
ends is told by its last payload (snapshots.py), so what was cut off between two payloads is found, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final

MAGIC: Final = b"cheops graph 1\n"
LENGTH_BYTES: Final = 4
DIGEST_BYTES: Final = 16


class RefusedError(ValueError):
    """It is not to be read: torn, damaged, or none of ours."""


def framed(payloads: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces of a file, as they are written one after the other."""
    yield MAGIC
    before = MAGIC
    for payload in payloads:
        before = _digest(before, payload)
        yield len(payload).to_bytes(LENGTH_BYTES, "big") + before + payload


def payloads(raw: bytes) -> list[memoryview]:
    """All payloads of a file. Raises RefusedError."""
    if not raw.startswith(MAGIC):
        is_ours = raw.startswith(MAGIC.split()[0])
        raise RefusedError("of another version" if is_ours else "no snapshot")
    found: list[memoryview] = []
    view, at, before = memoryview(raw), len(MAGIC), MAGIC
    while at < len(raw):
        length = int.from_bytes(view[at : at + LENGTH_BYTES], "big")
        start = at + LENGTH_BYTES + DIGEST_BYTES
        payload, at = view[start : start + length], start + length
        if at > len(raw):
            raise RefusedError(f"torn after {len(found)} pieces")
        before = _digest(before, payload)
        if view[start - DIGEST_BYTES : start] != before:
            raise RefusedError(f"damaged after {len(found)} pieces")
        found.append(payload)
    return found


def _digest(before: bytes, payload: bytes | memoryview) -> bytes:
    return hashlib.blake2b(payload, digest_size=DIGEST_BYTES, key=before).digest()
