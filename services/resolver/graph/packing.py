"""What a record keeps as bytes: a resource's own line, and its traits. Pure.

line     uid, resourceVersion and digest, half as long where they have the usual form
traits   all that a state says besides its line, its labels and its references; equals share them
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec

from schemas.batches import Traits
from schemas.events import ResourceState
from schemas.identity import ResourceId
from services.resolver.graph.forms import DIGEST_BYTES, UUID_BYTES, UUID_LEN, short
from services.resolver.graph.kept import Short

WORD_BITS: Final = 63
UUID_DASHES: Final = (8, 13, 18, 23)
OWN: Final = ("resource", "uid", "resource_version", "digest", "labels", "template_labels", "references")
SHARED: Final = tuple(name for name in ResourceState.__struct_fields__ if name not in OWN)  # the traits
TEXT_LEN: Final = 2 * (UUID_BYTES + DIGEST_BYTES)

pack = msgspec.msgpack.Encoder().encode
_line: msgspec.msgpack.Decoder[tuple[Short, str, Short]] = msgspec.msgpack.Decoder(tuple)
_traits_of = attrgetter(*SHARED)
_types = {field.name: field.type for field in msgspec.structs.fields(ResourceState)}
_traits: Any = msgspec.msgpack.Decoder(tuple[tuple(_types[name] for name in SHARED)])  # type: ignore[misc]  # of data
_THREE_UUID: Final = b"\x93" + pack(bytes(UUID_BYTES))[:-UUID_BYTES]  # an array of three, and the head of the first
_DIGEST: Final = pack(bytes(DIGEST_BYTES))[:-DIGEST_BYTES]
_replace = msgspec.structs.replace


def pack_line(uid: str, version: str, digest: str) -> bytes:
    """As `pack` does it, without slack; a UUID and a digest as they usually are in one go."""
    text = uid.replace("-", "") + digest
    if len(text) == TEXT_LEN and uid[8:24:5] == "----" and len(uid) == UUID_LEN:
        try:
            raw = bytes.fromhex(text)
        except ValueError:
            raw = b""
        if raw.hex() == text:  # capitals and blanks would not come back
            return b"".join((_THREE_UUID, raw[:UUID_BYTES], pack(version), _DIGEST, raw[UUID_BYTES:]))
    return bytes(memoryview(pack((short(uid), version, short(digest)))))


def pack_lines(uids: Sequence[str], versions: Sequence[str], digests: Sequence[str]) -> list[bytes]:
    """The line of each; all in one go when each of them is as they usually are."""
    count, together = len(uids), "".join(uids)
    text, digest_text = together.replace("-", ""), "".join(digests)
    if (
        {*map(len, uids)} == {UUID_LEN}
        and {*map(len, digests)} == {2 * DIGEST_BYTES}
        and len(text) == 2 * UUID_BYTES * count
        and all(together[dash::UUID_LEN] == "-" * count for dash in UUID_DASHES)
    ):
        try:
            raw, digest = unhexlify(text), unhexlify(digest_text)
        except ValueError:
            raw = digest = b""
        if raw.hex() == text and digest.hex() == digest_text:
            mine = range(0, len(raw), UUID_BYTES), map(pack, versions), range(0, len(digest), DIGEST_BYTES)
            return [
                b"".join((_THREE_UUID, raw[at : at + UUID_BYTES], version, _DIGEST, digest[to : to + DIGEST_BYTES]))
                for at, version, to in zip(*mine, strict=True)
            ]
    return [*map(pack_line, uids, versions, digests)]


def unpack_line(line: bytes) -> tuple[Short, str, Short]:
    """uid, resourceVersion, digest."""
    return _line.decode(line)


def pack_traits(state: ResourceState | Traits) -> bytes:
    """The traits of a state, or as a batch tells them."""
    try:
        return pack(_traits_of(state))
    except OverflowError:  # a number beyond 64 bits, which nothing that serves Kubernetes objects can mean
        facts = {
            name: str(value) if isinstance(value, int) and value.bit_length() > WORD_BITS else value
            for name, value in state.facts.items()
        }
        return pack(_traits_of(_replace(state, facts=facts)))


def unpack_traits(packed: bytes) -> ResourceState:
    """A state of nobody, which has them."""
    return ResourceState(ResourceId(""), **dict(zip(SHARED, _traits.decode(packed), strict=True)))
