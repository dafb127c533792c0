"""A resolver's snapshots in a folder: written whole or not at all, read whole or refused.

write   NEW, piece by piece ──▶ fsync ──▶ CURRENT becomes FORMER ──▶ NEW becomes CURRENT ──▶ fsync of the folder
read    CURRENT, else FORMER

Who is killed in between leaves CURRENT or FORMER as it was. A file is refused, and the resolver starts from the stream,
when it is torn or damaged, another site's, or by another version of Cheops or of the rules: what these make of an
object may be something else. It holds what the graph holds, so no values.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec
import structlog
from msgspec import Struct

from schemas.identity import SiteName
from services.resolver.evidence import Standing
from services.resolver.frames import RefusedError, framed, payloads
from services.resolver.graph.snapshot import Chunk, layout

CURRENT: Final = "graph.snapshot"
FORMER: Final = "graph.former"
NEW: Final = "graph.new"
BYTES_MAX: Final = 8 * 1024**3
Act = Callable[[], object]

log = structlog.get_logger(__name__)


class Head(Struct, frozen=True):
    """Where the resolver stood when its graph began to be copied.

    made_by               version, rules and layout (see `maker`)
    read_by               version and rules of the watcher (events.ResourceEvent)
    stream_seq            the last message of EVENTS that it had applied
    outcome_seq, held     the last message of OUTCOMES that it had read; intents of which something was not seen yet
    """

    site: SiteName
    made_by: str
    stream_seq: int
    outcome_seq: int
    held: tuple[str, ...]
    standing: Standing
    read_by: str = ""


class End(Struct, frozen=True):
    """Where it stood at the end: so far events have to be replayed. `numbers`: as many were handed out."""

    epoch: int
    seq: int
    numbers: int


class Found(NamedTuple):
    """A snapshot that may be used. Its chunks are decoded one by one."""

    head: Head
    end: End
    chunks: Iterator[Chunk]


_encode = msgspec.msgpack.Encoder().encode
_head = msgspec.msgpack.Decoder(Head)
_chunk = msgspec.msgpack.Decoder(Chunk)
_end = msgspec.msgpack.Decoder(End)


def maker(edition: str, namespace: str = "") -> str:
    """What a graph depends on besides the events: this version of Cheops, the rules, and how states are packed.

    `edition`: of the rulebook. Rules of ConfigMaps are in the graph itself; `namespace`: where.
    """
    return hashlib.blake2b("\0".join((edition, layout(), namespace)).encode(), digest_size=16).hexdigest()


class Snapshots:
    """Those of one site in one folder."""

    def __init__(self, folder: Path, site: SiteName, made_by: str) -> None:
        self.folder, self.site, self.made_by = folder, site, made_by

    def acts(self, head: Head, chunks: Iterable[Chunk], end: Callable[[], End]) -> Generator[Act, None, None]:
        """What is to be done one after the other to write a snapshot; each may wait for the disk.

        `end` is asked right after the last chunk.
        """

        def pieces() -> Iterator[bytes]:
            yield _encode(head)
            yield from map(_encode, chunks)
            yield _encode(end())

        new, current, former = (self.folder / name for name in (NEW, CURRENT, FORMER))
        yield lambda: self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with new.open("wb", buffering=0) as file:
                for piece in framed(pieces()):
                    yield partial(_write, file, piece)
                yield lambda: os.fsync(file.fileno())
        except BaseException:  # closed, too: a disk that has no room for it stays full while half of it is there
            new.unlink(missing_ok=True)
            raise
        if current.exists():
            yield lambda: current.replace(former)
        yield lambda: new.replace(current)
        yield lambda: _sync(self.folder)

    def read(self) -> Iterator[Found]:
        """Those that may be used, the newest first; says of the others why not."""
        for name in (CURRENT, FORMER):
            path = self.folder / name
            try:
                yield self._read(path)
            except FileNotFoundError:
                continue
            except (RefusedError, OSError) as error:
                log.warning("snapshot refused", site=self.site, file=str(path), reason=str(error))

    def _read(self, path: Path) -> Found:
        if path.stat().st_size > BYTES_MAX:
            raise RefusedError(f"larger than {BYTES_MAX} bytes")
        found = payloads(path.read_bytes())
        try:
            if len(found) < 2:
                raise RefusedError("torn: it has no end")
            head = _head.decode(found[0])
            if head.site != self.site:
                raise RefusedError(f"of site {head.site[:80]!r}")
            if head.made_by != self.made_by:
                raise RefusedError("made by another version of Cheops or of the rules")
            return Found(head, _last(found[-1]), map(_chunk.decode, found[1:-1]))
        except msgspec.MsgspecError as error:
            raise RefusedError(f"not understood: {error}") from error


def _last(payload: memoryview) -> End:
    try:
        return _end.decode(payload)
    except msgspec.MsgspecError as error:
        raise RefusedError("torn: it has no end") from error


def _write(file: BinaryIO, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[file.write(view) :]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
