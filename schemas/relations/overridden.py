"""Volumes of a template in whose place the claims of its StatefulSet come: nobody reads what they name. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.events import Reference
from schemas.untyped import mapping_of, rows_of

SET: Final = "StatefulSet"
VOLUMES: Final = "spec.template.spec.volumes"


def without_overridden(found: list[Reference], body: Mapping[str, Any]) -> list[Reference]:
    """What a set refers to, but for the volumes that are called as one of its claim templates is."""
    overridden = tuple(f"{VOLUMES}[{place}]." for place in _overridden(mapping_of(body.get("spec"))))
    return [one for one in found if not one.path.startswith(overridden)] if overridden else found


def _overridden(spec: Mapping[str, Any]) -> Iterator[int]:
    claims = [mapping_of(one.get("metadata")).get("name") for one in rows_of(spec.get("volumeClaimTemplates"))]
    volumes = mapping_of(mapping_of(spec.get("template")).get("spec")).get("volumes") if claims else None
    for place, volume in enumerate(volumes if isinstance(volumes, list) else ()):
        name = volume.get("name") if isinstance(volume, dict) else None
        if name is not None and name in claims:
            yield place
