"""The smallest extractor: identity, version, labels and key names. For tests of what surrounds the real one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Raw

from schemas.events import ResourceState
from schemas.identity import resource_id
from schemas.kinds import Surface
from schemas.relations.quick import Written


class PlainExtractor:
    """Reads metadata and the keys of `data`."""

    def seen(
        self, body: dict[str, Any], fields: Mapping[str, Raw], decode: Callable[[Raw], Any]
    ) -> tuple[ResourceState, bool]:
        """Object → state."""
        manifest = {**{name: decode(raw) for name, raw in fields.items()}, **body}
        metadata = manifest["metadata"]
        group = manifest["apiVersion"].rpartition("/")[0]
        keys = tuple(sorted(manifest.get("data", {}).keys()))
        labels = metadata.get("labels", {})
        state = ResourceState(
            resource_id(group, manifest["kind"], metadata.get("namespace", ""), metadata["name"]),
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            digest=hashlib.sha256(json.dumps([keys, labels], sort_keys=True).encode()).hexdigest()[:16],
            labels=labels,
            parts={"key": keys} if keys else {},
        )
        return state, True

    def written(self, version: str, kind: str, one: Written) -> None:
        """All is decoded."""


def plain_extractor(surface: Surface) -> PlainExtractor:
    """An extractor does not depend on the surface here."""
    return PlainExtractor()
