"""What an object says that only people change → kept, so that a change of its status alone is not read whole again.

    mark of the bytes of all but status and versions ──▶ the same as before: what was found then, and the status read
    digest of the same, decoded and in order         ──▶ the same as before: as much, and the mark is kept
                                                     ──▶ another: everything read, and kept

API servers write the fields of an object in one order, so its mark nearly always says what its digest would, for a
third of the time. Kept by resource, so what names and namespaces say is the same, too; what was not met for longest
goes first.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw

from schemas.identity import ResourceId
from schemas.relations.path import Step
from schemas.relations.run import Rested

SERVER_SET: Final = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "deletionTimestamp",
)
REPLACED_MAX: Final = 1_024  # until the collector looks at what is kept instead
_encode: Final = msgspec.json.Encoder().encode


class Resting:
    """Of so many objects.

    The collector counts what is made less what is freed. Here as much is freed as is made, so it would not come until
    all has been replaced, and then walk over all of it in one piece (40 to 110 ms). So it is called.
    """

    def __init__(self, many: int) -> None:
        self._many, self._replaced = many, 0
        self._kept: OrderedDict[ResourceId, Rested] = OrderedDict()  # met last comes last

    def find(self, resource: ResourceId, digest: str) -> Rested | None:
        """What was kept of an object that says the same."""
        found = self._kept.get(resource)
        if found is None or found.digest != digest:
            return None
        self._kept.move_to_end(resource)
        return found

    def find_marked(self, resource: ResourceId, mark: int) -> Rested | None:
        """The same by the mark of its bytes."""
        found = self._kept.get(resource)
        if found is None or found.mark != mark or not mark:
            return None
        self._kept.move_to_end(resource)
        return found

    def keep(self, resource: ResourceId, rested: Rested) -> None:
        """Instead of what was kept of it before."""
        before = len(self._kept)
        self._kept[resource] = rested
        self._kept.move_to_end(resource)
        if len(self._kept) > self._many:
            self._kept.popitem(last=False)
        if len(self._kept) == before:
            self._replaced += 1
            if self._replaced % REPLACED_MAX == 0:
                gc.collect(1)


def kept_of(metadata: Any) -> dict[str, Any]:
    """A copy of metadata without what the server sets."""
    kept = {**metadata} if isinstance(metadata, dict) else {}
    for name in SERVER_SET:
        kept.pop(name, None)
    return kept


def mark_of(body: Mapping[str, Any], fields: Mapping[str, Raw], kept: Mapping[str, Any]) -> int:
    """64 bits that tell two states of one object apart, as far as only people change it.

    Python's own hash of bytes, which has another key in each process. `body`: what is decoded of it; `kept`: its
    metadata without what the server sets.
    """
    rest = {**fields, **body, "metadata": kept}
    rest.pop("status", None)
    return hash(_encode(rest))


def changes_by_itself(steps: Sequence[Step]) -> bool:
    """Whether what stands there is not in the digest, or not known to be in it."""
    if not steps or steps[0] is None or steps[0] == "status":
        return True
    return steps[0] == "metadata" and (len(steps) == 1 or steps[1] is None or steps[1] in SERVER_SET)
