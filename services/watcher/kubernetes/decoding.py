"""Bytes → typed values, with one error for everything that bytes from outside can break. Pure."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T")


class UndecodableError(ValueError):
    """Not JSON, not the expected shape, not UTF-8, or nested without an end. Its text quotes no values."""


def decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """Raises UndecodableError."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise UndecodableError(str(error)) from error  # names types and paths
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UndecodableError(type(error).__name__) from error
