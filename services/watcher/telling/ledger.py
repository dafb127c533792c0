"""What was said of one kind: resource → (uid, version, digest). Pure.

Never objects: a million resources must fit into the memory of a small pod. Keyed by the identity, because at any
moment one name has one uid; that is what makes a recreation under the same name visible. ledger.pyx stands in for
this module where `make compiled` was called (docs/adr/0041).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from schemas.events import ResourceState, member_weight, weighed
from schemas.identity import ResourceId

DIGEST_LEN: Final = 16  # 64 bits tell two states of one resource apart
Difference = Literal["same", "changed", "recreated"]


class Entry(NamedTuple):
    """A resource as it was last published. `digest` "" means that only its version is known."""

    uid: str
    version: str = ""
    digest: str = ""


class KindLedger:
    """The resources of one kind, as the bus was told.

    While all are listed once more, those that were not named yet are in a table of their own, and whoever is named
    moves: to copy a million names would be a pause of 20 to 100 ms.
    """

    def __init__(self) -> None:
        self._lines: dict[ResourceId, str] = {}  # joined: one text takes 170 bytes less than a tuple of three
        self._unnamed: dict[ResourceId, str] = {}
        self._sum = 0  # of the weights: the digest must not cost a walk over a million lines

    def __len__(self) -> int:
        return len(self._lines) + len(self._unnamed)

    def __iter__(self) -> Iterator[ResourceId]:
        yield from self._lines
        yield from self._unnamed

    def begin(self) -> None:
        """A listing begins: it has named nothing yet. One that was under way does not count."""
        larger, smaller = self._lines, self._unnamed
        if len(larger) < len(smaller):
            larger, smaller = smaller, larger
        larger.update(smaller)
        self._lines, self._unnamed = {}, larger

    def name(self, resource: ResourceId) -> None:
        """The listing has it, or what came meanwhile."""
        line = self._unnamed.pop(resource, None)
        if line is not None:
            self._lines[resource] = line

    def take_unnamed(self) -> tuple[ResourceId, Entry] | None:
        """Of what the listing did not name, the next one; its deletion is published. None: there is no more."""
        if not self._unnamed:
            self._unnamed = {}  # its room stays as large as it was
            return None
        resource, line = self._unnamed.popitem()
        self._sum -= _weight(line)
        return resource, Entry(*line.split("\0"))

    def find(self, resource: ResourceId) -> Entry | None:
        """What was last published of a resource."""
        line = self._find(resource)
        return None if line is None else Entry(*line.split("\0"))

    def _find(self, resource: ResourceId) -> str | None:
        line = self._lines.get(resource)
        return self._unnamed.get(resource) if line is None else line

    def has(self, resource: ResourceId, uid: str, version: str) -> bool:
        """Whether it was published at this version."""
        line = self._find(resource)
        return line is not None and line.startswith(f"{uid}\0{version}\0")

    def put(self, state: ResourceState) -> Difference:
        """A state is published and named; how it differs from what was, by its version and its content.

        Not when it is "recreated": another object had this name, whose deletion is to be published first.
        """
        resource, line = state.resource, f"{state.uid}\0{state.resource_version}\0{state.digest[:DIGEST_LEN]}"
        self.name(resource)
        known = self._lines.get(resource)
        if known is None:
            self._sum += _weight(line)
        elif known == line:
            return "same"
        elif known.startswith(f"{state.uid}\0"):
            self._sum += _weight(line) - _weight(known)
        else:
            return "recreated"
        self._lines[resource] = line
        return "changed"

    def note(self, resource: ResourceId, entry: Entry) -> None:
        """Keep and name an entry; one without a version stands for a resource that exists and could not be told."""
        self.name(resource)
        line, known = "\0".join(entry), self._lines.get(resource)
        self._sum += _weight(line) - (0 if known is None else _weight(known))
        self._lines[resource] = line

    def remove(self, resource: ResourceId) -> Entry | None:
        """The deletion is published."""
        self.name(resource)
        line = self._lines.pop(resource, None)
        if line is None:
            return None
        self._sum -= _weight(line)
        return Entry(*line.split("\0"))

    def digest(self) -> str:
        """What a receiver that missed nothing computes as well (events.kind_digest)."""
        return weighed(len(self), self._sum)


def _weight(line: str) -> int:
    uid, version, _ = line.split("\0")
    return member_weight(uid, version)
