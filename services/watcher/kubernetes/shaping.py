"""Raw watch line or list item → ResourceState. Pure. Values stop here.

A line is decoded as far as it is needed: first its type and metadata, with the fields of the object left as bytes. Of
an object that has to be understood those become values that the extractor asks for; it keeps identity, labels,
references and key names of them, and the values die. Compiled code reads most objects from the bytes of their line
instead (schemas/relations/quick.py), and leaves the others to this. What cannot be understood is reported by the name
of the error alone: its text may quote values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from schemas.events import ResourceState
from schemas.identity import KindId, ResourceId, kind_id, kind_of, resource_id
from schemas.kinds import Surface
from schemas.relations.carried import Rulebook, carries, fact_of
from schemas.relations.quick import Places, Written
from schemas.ties import DECLARATION, DRIFT_FACT, RULES_FACT
from services.chassis.kubernetes.declaration import drift_of
from services.watcher.kubernetes.decoding import UndecodableError, decode
from services.watcher.kubernetes.discovery import Resource
from services.watcher.source import Gone, Unreadable

PLACES_MAX = 65_536  # that are known to be served without asking for their kind
Fields = dict[str, Raw]  # of an object, as they came
INITIAL_EVENTS_END = "k8s.io/initial-events-end"  # annotation of the bookmark that closes a WatchList's listing


class Extracts(Protocol):
    """What shaping needs of schemas.relations.extract.Extractor."""

    def seen(self, body: dict[str, Any], fields: Fields, decode: Callable[[Raw], Any]) -> tuple[ResourceState, bool]:
        """Object → state without values, and whether its references were read, or are those that it had before.

        What is needed of the fields beyond metadata is decoded into `body`.
        """

    def written(self, version: str, kind: str, one: Written) -> tuple[ResourceState, bool] | None:
        """The same of an object in the bytes of its line; None: it is to be decoded."""


class Metadata(Struct, rename="camel"):
    """What identifies an object and its version, and whether it is said who manages which field."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None
    managed_fields: Raw | UnsetType = UNSET


class Line(Struct):
    """One line of a watch."""

    type: str
    object: Fields


class _PageMetadata(Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(Struct):
    """One page of a list."""

    metadata: _PageMetadata
    items: list[Raw] | None = None


_lines = msgspec.json.Decoder(Line)
_metadata = msgspec.json.Decoder(Metadata)
_pages = msgspec.json.Decoder(Page)
_fields = msgspec.json.Decoder(Fields)
_values: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def read_line(line: bytes) -> Line:
    """Raises UndecodableError."""
    return decode(_lines, line)


def read_metadata(fields: Fields) -> Metadata:
    """Raises UndecodableError."""
    if "metadata" not in fields:
        raise UndecodableError("no metadata")
    return decode(_metadata, fields["metadata"])


def read_fields(item: Raw) -> Fields:
    """Of an item of a page. Raises UndecodableError."""
    return decode(_fields, item)


def read_page(body: bytes) -> Page:
    """Raises UndecodableError."""
    return decode(_pages, body)


class Shaping:
    """The extractor for the surface in force, and which kinds have read past their knowledge.

    A reference to a kind that is not served yet is extracted with a guess (namespaced or not); when that kind
    appears, the kinds that refer to it are outdated and have to be read again.
    """

    def __init__(self, extractor_for: Callable[[Surface], Extracts], book: Rulebook | None = None) -> None:
        """`book`: the rules of which ConfigMaps carry some; the extractors are made with it."""
        self._extractor_for = extractor_for
        self._book = book or Rulebook()
        self._surface = Surface()
        self._extractor: Extracts | None = None
        self._guesses: dict[KindId, set[KindId]] = {}
        self._unread: set[KindId] = set()
        self._served_places = Places()  # kinds in namespaces that were found to be served

    def use(self, surface: Surface) -> frozenset[KindId]:
        """Read with this surface from now on; returns the kinds that guessed what it now knows."""
        before, self._surface = self._surface, surface
        self._served_places.clear()
        self._extractor = self._extractor_for(surface)
        changed = {
            kind
            for kind, served in surface.served.items()
            if (known := before.find(kind)) is None or known.namespaced != served.namespaced
        }
        outdated = {kind for kind, guessed in self._guesses.items() if guessed & changed}
        if changed:
            outdated |= self._unread
        for kind in outdated:
            self._guesses.pop(kind, None)
        self._unread -= outdated
        return frozenset(outdated)

    def renew(self) -> None:
        """Read by other rules from now on."""
        if self._extractor is not None:
            self._extractor = self._extractor_for(self._surface)

    def shape_written(self, resource: Resource, called: ResourceId, one: Written) -> ResourceState | Unreadable | None:
        """As `shape`, of an object in the bytes of its line, `called` so; None: it is to be decoded for that."""
        try:
            assert self._extractor is not None, "a surface is known before anything is observed"
            found = self._extractor.written(resource.api_version, resource.kind, one)
        except Exception as error:  # as below
            return Unreadable(called, one.uid, type(error).__name__)
        if found is None:
            return None
        state, was_read = found
        if self._book.concerns(state.resource):
            return None
        if was_read:
            self._note_guesses(resource, state)
        return state

    def shape(self, resource: Resource, fields: Fields, metadata: Metadata) -> ResourceState | Unreadable:
        """Object → state; Unreadable when it can only be named."""
        try:
            # Items of a list leave these two out.
            version = resource.api_version
            is_declared = metadata.annotations is not None and DECLARATION in metadata.annotations
            is_whole = is_declared or metadata.managed_fields is UNSET  # what is declared is compared, also by manager
            own = value_of(fields["metadata"]) if is_whole else _unmanaged(fields["metadata"])
            manifest = {"apiVersion": version, "kind": resource.kind, "metadata": own}
            assert self._extractor is not None, "a surface is known before anything is observed"
            state, was_read = self._extractor.seen(manifest, fields, value_of)
            if self._book.concerns(state.resource) and carries(state.labels):
                fact = fact_of(value_of(fields["data"]) if "data" in fields else {})
                state = msgspec.structs.replace(state, facts={**state.facts, RULES_FACT: fact})
            if is_declared:
                state = _compared(state, {**{name: value_of(raw) for name, raw in fields.items()}, **manifest})
        except Exception as error:  # whatever a hostile object breaks, it is that object's problem alone
            return Unreadable(identity(resource, metadata), metadata.uid, type(error).__name__)
        if was_read:  # else it was by this same extractor before, so on this surface
            self._note_guesses(resource, state)
        return state

    def pass_over(self, resource: Resource) -> None:
        """An object that was not read may hold any guess of whoever read it before us."""
        self._unread.add(kind_id(resource.group, resource.kind))

    def _note_guesses(self, resource: Resource, state: ResourceState) -> None:
        for found in self._served_places.unplaced(state.references):
            place = found.rpartition("/")[0]
            if place and (target := kind_of(found)) not in self._surface.served:
                self._guesses.setdefault(kind_id(resource.group, resource.kind), set()).add(target)
            elif len(self._served_places) < PLACES_MAX:
                self._served_places.add(place)


def value_of(raw: Raw) -> Any:
    """Bytes → value. Raises UndecodableError."""
    return decode(_values, raw)


def _unmanaged(metadata: Raw) -> dict[str, Any]:
    """Metadata without who manages which field: half of an object's structures, and nothing of it is a relation."""
    return {name: value_of(raw) for name, raw in decode(_fields, metadata).items() if name != "managedFields"}


def _compared(state: ResourceState, manifest: dict[str, Any]) -> ResourceState:
    """With what differs from what was declared of it."""
    found = drift_of(manifest)
    return msgspec.structs.replace(state, facts={**state.facts, DRIFT_FACT: found}) if found else state


def gone(resource: Resource, metadata: Metadata) -> Gone:
    """The deletion of an object."""
    return Gone(identity(resource, metadata), metadata.uid, metadata.resource_version)


def identity(resource: Resource, metadata: Metadata | Written) -> ResourceId:
    """The identity of an object of a kind."""
    namespace = metadata.namespace if resource.namespaced else ""
    return resource_id(resource.group, resource.kind, namespace, metadata.name)
