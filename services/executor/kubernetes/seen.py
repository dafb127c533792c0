"""What a rehearsal has just seen: an object, and that a manifest would change it. Then the write needs no other look.

    rehearsal ──▶ look, dry run ──▶ remembered ──▶ verdict ──▶ operation ──▶ write, conditional on exactly that version

It is a guess what is there now, and the write's condition proves it: the API server takes the write only if the object
is still the very one that was seen, and then the dry run of then is as good as one of now. Each is used once. Values of
Secrets are not remembered.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from schemas.identity import ResourceId
from services.executor.kubernetes import manifests
from services.executor.kubernetes.manifests import Object

BYTES_MAX: Final = 16 * 1024 * 1024
EACH_BYTES_MAX: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Seen:
    manifest: bytes  # its digest
    live: bytes


class Seen:
    """By resource, the last of each; the oldest go when it becomes too much."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max, self._bytes = bytes_max, 0
        self._seen: OrderedDict[ResourceId, _Seen] = OrderedDict()

    def remember(self, resource: ResourceId, manifest: Object, live: Object, after: Object) -> None:
        """`after`: what the dry run said would come of `manifest`; of another version, it says nothing about `live`."""
        self._drop(resource)
        fits = manifests.version_of(after) == manifests.version_of(live) != "" and live.get("kind") != "Secret"
        if not fits or manifests.same(after, live):
            return
        packed = msgspec.json.encode(live)
        if len(packed) > EACH_BYTES_MAX:
            return
        self._seen[resource] = _Seen(_digest(manifest), packed)
        self._bytes += len(packed)
        while self._bytes > self._bytes_max:
            self._drop(next(iter(self._seen)))

    def take(self, resource: ResourceId, manifest: Object) -> Object | None:
        """The object that this very manifest would have changed; None when that is not known."""
        found = self._seen.get(resource)
        self._drop(resource)
        if found is None or found.manifest != _digest(manifest):
            return None
        live: dict[str, Any] = msgspec.json.decode(found.live)
        return live

    def _drop(self, resource: ResourceId) -> None:
        gone = self._seen.pop(resource, None)
        self._bytes -= len(gone.live) if gone else 0


def _digest(manifest: Object) -> bytes:
    return hashlib.sha256(msgspec.json.encode(manifest, order="sorted")).digest()
