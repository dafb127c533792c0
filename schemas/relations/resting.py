"""What an object says that only people change → kept, so that a change of its status alone is not read whole again.

    digest of all but status and versions ──▶ the same as before: what was found then, and the status read
                                          ──▶ another: everything read, and kept

Kept by resource, so what names and namespaces say is the same, too; what was not met for longest goes first. JSON objects
whose fields come in another order count as the same, as they do for the digest: API servers write them in order.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from schemas.events import Grant, Reference
from schemas.identity import ResourceId
from schemas.relations.path import Step

SERVER_SET: Final = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
)


class Rested(Struct, frozen=True):
    """What was found outside of the status of one object."""

    digest: str
    references: tuple[Reference, ...]
    values: Sequence[Any]
    labels: dict[str, str]
    template_labels: dict[str, str] | None
    parts: dict[str, tuple[str, ...]]
    finalizers: tuple[str, ...]
    grants: tuple[Grant, ...]


class Resting:
    """Of so many objects."""

    def __init__(self, many: int) -> None:
        self._many = many
        self._kept: OrderedDict[ResourceId, Rested] = OrderedDict()  # met last comes last

    def find(self, resource: ResourceId, digest: str) -> Rested | None:
        """What was kept of an object that says the same."""
        found = self._kept.get(resource)
        if found is None or found.digest != digest:
            return None
        self._kept.move_to_end(resource)
        return found

    def keep(self, resource: ResourceId, rested: Rested) -> None:
        """Instead of what was kept of it before."""
        self._kept[resource] = rested
        self._kept.move_to_end(resource)
        if len(self._kept) > self._many:
            self._kept.popitem(last=False)


def changes_by_itself(steps: Sequence[Step]) -> bool:
    """Whether what stands there is not in the digest, or not known to be in it."""
    if not steps or steps[0] is None or steps[0] == "status":
        return True
    return steps[0] == "metadata" and (len(steps) == 1 or steps[1] is None or steps[1] in SERVER_SET)
