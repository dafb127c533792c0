"""A few numbers of resources, four bytes each, in one object. Pure.

A tuple of numbers takes eight bytes for each, and in compiled code, which makes an object of its own of every number
that it stores, forty. Order and repetitions are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

NUMBER_BYTES: Final = 4
PACKED_MAX: Final = 128  # numbers in one object: a look through it takes a microsecond, a hub some 600 bytes more
NOT_THERE: Final = -1
_one: Final = Struct("I").pack
_packers: Final = [Struct(f"{count}I") for count in range(PACKED_MAX + 1)]
_pack: Final = [one.pack for one in _packers]
_unpack: Final = [one.unpack for one in _packers]


def pack_numbers(numbers: Sequence[int]) -> bytes:
    """At most `PACKED_MAX` numbers → bytes."""
    return _pack[len(numbers)](*numbers)


def unpack_numbers(packed: bytes) -> tuple[int, ...]:
    """At most `PACKED_MAX` of them, again."""
    return _unpack[len(packed) // NUMBER_BYTES](packed)


def with_number(packed: bytes, number: int) -> bytes:
    """One more, at the end."""
    return packed + _one(number)


def place_in(packed: bytes, number: int) -> int:
    """Where it stands first, or NOT_THERE."""
    wanted = _one(number)
    at = packed.find(wanted)
    while at % NUMBER_BYTES and at != NOT_THERE:  # the end of one and the beginning of the next
        at = packed.find(wanted, at + 1)
    return at if at == NOT_THERE else at // NUMBER_BYTES


def without_place(packed: bytes, place: int) -> bytes:
    """All but the one that stands there."""
    at = place * NUMBER_BYTES
    return packed[:at] + packed[at + NUMBER_BYTES :]
