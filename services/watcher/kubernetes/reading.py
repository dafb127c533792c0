"""Lines of one kind's watch → observations, and the version to resume from. Pure.

Resource versions are compared for equality. Only one thing is read out of their order, when both are numbers: a watch
that seems to go back in time is not believed, and the kind is listed again. That can cost a list, never a claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec
from msgspec import Raw

from schemas.identity import ResourceId
from schemas.relations.quick import Written, listed, written
from services.chassis.errors import TransientError
from services.watcher.kubernetes.decoding import UndecodableError, decode
from services.watcher.kubernetes.discovery import Resource
from services.watcher.kubernetes.shaping import (
    INITIAL_EVENTS_END,
    Fields,
    Line,
    Metadata,
    Page,
    Shaping,
    gone,
    identity,
    read_fields,
    read_line,
    read_metadata,
    read_page,
)
from services.watcher.kubernetes.transport import ApiError, Status
from services.watcher.source import Listed, Observation, Seen, Wants


class _Failure(msgspec.Struct):
    object: Status


_failures = msgspec.json.Decoder(_Failure)


class HoleError(TransientError):
    """Something of the watch was lost or cannot be believed: only a list can tell."""


class WatchReading:
    """What was read of one kind. `position` "" means that only a list can begin."""

    def __init__(self, resource: Resource, wants: Wants, shaping: Shaping, counters: Counter[str]) -> None:
        self.position = ""
        self._resource = resource
        self._wants = wants
        self._shaping = shaping
        self._counters = counters

    def line(self, line: bytes, *, listing: bool) -> list[Observation]:
        """One line. While listing (WatchList) the versions come in no order and no position is known yet."""
        one = written(line)
        if one is not None:
            if not listing:
                self._refuse_older(one.resource_version)
            found = self._shaped_quickly(one)
            if found is not None:
                if not listing:
                    self.position = one.resource_version or self.position
                return [found]
        read, metadata = self._decoded(line)
        if not listing:
            self._advance(metadata.resource_version)
        if read.type in ("ADDED", "MODIFIED"):
            return [self._shaped(read.object, metadata)]
        if read.type == "DELETED":
            return [gone(self._resource, metadata)]
        if read.type == "BOOKMARK":
            return self._bookmark(metadata, listing)
        raise HoleError(f"an event of unknown type {read.type[:40]!r}")

    def _decoded(self, line: bytes) -> tuple[Line, Metadata]:
        try:
            read = read_line(line)
            if read.type == "ERROR":
                raise _error(decode(_failures, line).object)
            return read, read_metadata(read.object)
        except UndecodableError as error:
            self._counters["lines_unreadable"] += 1
            raise HoleError(f"a line that cannot be read: {error}") from error

    def page(self, body: bytes) -> tuple[Iterator[Observation], str, str]:
        """One page of a list → its objects, the token of the next page ("" = the last), the list's version.

        Objects are read as they are asked for: 500 of 7 kB take a quarter of a second on a small machine.
        """
        read = _page(body)
        return map(self._item, read.items or ()), read.metadata.continue_, read.metadata.resource_version

    def _item(self, item: Raw) -> Observation:
        one = listed(bytes(item))
        found = None if one is None else self._shaped_quickly(one)
        if found is not None:
            return found
        fields = _fields_of(item)
        return self._shaped(fields, self._metadata(fields))

    def _shaped_quickly(self, one: Written) -> Observation | None:
        """From its bytes; None: it is to be decoded."""
        called = identity(self._resource, one)
        return self._unwanted(called, one) or self._shaping.shape_written(self._resource, called, one)

    def check_not_older(self, body: bytes) -> None:
        """Compare the version of any list of this kind with the position; raises HoleError when it is older."""
        self._refuse_older(_page(body).metadata.resource_version)

    def _shaped(self, fields: Fields, metadata: Metadata) -> Observation:
        unwanted = self._unwanted(identity(self._resource, metadata), metadata)
        return unwanted or self._shaping.shape(self._resource, fields, metadata)

    def _unwanted(self, called: ResourceId, metadata: Metadata | Written) -> Seen | None:
        """What is said of an object that needs not be understood, since it was told at this version."""
        if self._wants(called, metadata.uid, metadata.resource_version):
            return None
        self._shaping.pass_over(self._resource)
        return Seen(called, metadata.uid, metadata.resource_version)

    def _metadata(self, fields: Fields) -> Metadata:
        try:
            return read_metadata(fields)
        except UndecodableError as error:
            self._counters["objects_nameless"] += 1
            raise HoleError(f"an object without a name: {error}") from error

    def _bookmark(self, metadata: Metadata, listing: bool) -> list[Observation]:
        if not listing or INITIAL_EVENTS_END not in (metadata.annotations or {}):
            return []
        self.position = metadata.resource_version
        return [Listed(self.position)]

    def _advance(self, version: str) -> None:
        """Move the position; refuse to go back in time (an API server that restarted on older data)."""
        self._refuse_older(version)
        self.position = version or self.position

    def _refuse_older(self, version: str) -> None:
        position = self.position
        if len(version) == len(position) and version >= position and version.isascii() and position.isascii():
            return  # of as many digits the later text is the larger number
        if version.isdecimal() and self.position.isdecimal() and int(version) < int(self.position):
            self._counters["regressions"] += 1
            raise HoleError("the watch went back in time")


def _page(body: bytes) -> Page:
    try:
        return read_page(body)
    except UndecodableError as error:
        raise HoleError(f"a list that cannot be read: {error}") from error


def _fields_of(item: Raw) -> Fields:
    try:
        return read_fields(item)
    except UndecodableError as error:
        raise HoleError(f"a list that cannot be read: {error}") from error


def _error(status: Status) -> ApiError:
    retry_after_s = status.details.retryAfterSeconds if status.details else 0.0
    return ApiError(status.code, status.message, retry_after_s or None)
