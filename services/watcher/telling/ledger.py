"""What was said of one kind: resource → (uid, version, digest). Pure.

Never objects: a million resources must fit into the memory of a small pod. Keyed by the identity, because at any
moment one name has one uid; that is what makes a recreation under the same name visible.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from schemas.events import ResourceState, member_weight, weighed
from schemas.identity import ResourceId

Difference = Literal["same", "changed", "recreated"]


DIGEST_LEN: Final = 16  # 64 bits tell two states of one resource apart


class Entry(NamedTuple):
    """A resource as it was last published. `digest` "" means that only its version is known."""

    uid: str
    version: str = ""
    digest: str = ""


class KindLedger:
    """The resources of one kind, as the bus was told."""

    def __init__(self) -> None:
        self._entries: dict[ResourceId, str] = {}  # joined: one string takes 170 bytes less than a tuple of three
        self._sum = 0  # of the weights: the digest must not cost a walk over a million entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[ResourceId]:
        return iter(self._entries)

    def find(self, resource: ResourceId) -> Entry | None:
        """What was last published of a resource."""
        joined = self._entries.get(resource)
        return None if joined is None else Entry(*joined.split("\0"))

    def compare(self, state: ResourceState) -> Difference:
        """How a state differs from what was published, by its version and its content."""
        known = self._entries.get(state.resource)
        if known is None:
            return "changed"
        if known == _joined_of(state):
            return "same"
        return "changed" if known.startswith(f"{state.uid}\0") else "recreated"

    def has(self, resource: ResourceId, uid: str, version: str) -> bool:
        """Whether it was published at this version."""
        known = self._entries.get(resource)
        return known is not None and known.startswith(f"{uid}\0{version}\0")

    def put(self, state: ResourceState) -> None:
        """The state is published."""
        self._keep(state.resource, state.uid, state.resource_version, _joined_of(state))

    def note(self, resource: ResourceId, entry: Entry) -> None:
        """Keep an entry; one without a version stands for a resource that exists and could not be told."""
        self._keep(resource, entry.uid, entry.version, "\0".join(entry))

    def remove(self, resource: ResourceId) -> Entry | None:
        """The deletion is published."""
        known = self.find(resource)
        if known is not None:
            del self._entries[resource]
            self._sum -= member_weight(known.uid, known.version)
        return known

    def _keep(self, resource: ResourceId, uid: str, version: str, joined: str) -> None:
        known = self._entries.get(resource)
        if known is not None:
            known_uid, known_version, _ = known.split("\0")
            self._sum -= member_weight(known_uid, known_version)
        self._entries[resource] = joined
        self._sum += member_weight(uid, version)

    def digest(self) -> str:
        """What a receiver that missed nothing computes as well (events.kind_digest)."""
        return weighed(len(self._entries), self._sum)


def _joined_of(state: ResourceState) -> str:
    return f"{state.uid}\0{state.resource_version}\0{state.digest[:DIGEST_LEN]}"
