"""What a site serves when nobody can be asked: the built-in kinds of a Kubernetes version, plus what CRDs add. Data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from schemas.documents import parse_value
from schemas.events import ServedKind
from schemas.identity import KindId
from schemas.kinds import Surface

BUILTIN_VERSION: Final = "1.36"
_FILE: Final = Path(__file__).parent / "surface.yaml"


@lru_cache(maxsize=1)
def _builtin() -> tuple[ServedKind, ...]:
    rows = parse_value(_FILE.read_bytes(), _FILE.name)
    return tuple(
        ServedKind(
            KindId(row["kind"]),
            row["plural"],
            tuple(row["versions"]),
            row.get("namespaced", True),
            row["kind"].rpartition("/")[2].lower(),
            tuple(row.get("short", ())),
        )
        for row in rows
    )


def builtin_surface(version: str = BUILTIN_VERSION) -> Surface:
    """The built-in kinds; ValueError for a version that the catalogue does not know."""
    if version != BUILTIN_VERSION:
        raise ValueError(f"Kubernetes {version} is not known here (expected {BUILTIN_VERSION})")
    return Surface(_builtin())


def surface_with_crds(surface: Surface, definitions: Iterable[Mapping[str, Any]]) -> Surface:
    """The same and what these CustomResourceDefinitions serve."""
    served = dict(surface.served)
    for definition in definitions:
        entry = _of_crd(definition)
        if entry is not None:
            served[entry.kind] = entry
    return Surface(served.values())


def _of_crd(definition: Mapping[str, Any]) -> ServedKind | None:
    spec = definition.get("spec")
    names = spec.get("names") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(names, Mapping) or not names.get("kind"):
        return None
    rows = [row for row in spec.get("versions") or () if isinstance(row, Mapping) and row.get("served")]
    rows.sort(key=lambda row: not row.get("storage"))
    return ServedKind(
        KindId(f"{spec.get('group')}/{names['kind']}"),
        str(names.get("plural") or ""),
        tuple(str(row.get("name")) for row in rows),
        spec.get("scope") != "Cluster",
        str(names.get("singular") or str(names["kind"]).lower()),
        tuple(map(str, names.get("shortNames") or ())),
    )
