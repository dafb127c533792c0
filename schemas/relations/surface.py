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


FIRST_MINOR: Final = 22  # older ones served betas that are not recorded here


@lru_cache(maxsize=1)
def _rows() -> tuple[Mapping[str, Any], ...]:
    return tuple(parse_value(_FILE.read_bytes(), _FILE.name))


@lru_cache(maxsize=4)
def _builtin(minor: int) -> Surface:
    kinds = []
    for row in _rows():
        since, ended = row.get("since", {}), row.get("ended", {})
        versions = [one for one in row["versions"] if since.get(one, 0) <= minor]
        versions += [one for one, until in reversed(ended.items()) if since.get(one, 0) <= minor < until]
        if versions:
            kinds.append(
                ServedKind(
                    KindId(row["kind"]),
                    row["plural"],
                    tuple(versions),
                    row.get("namespaced", True),
                    row["kind"].rpartition("/")[2].lower(),
                    tuple(row.get("short", ())),
                )
            )
    return Surface(kinds)


def builtin_surface(version: str = BUILTIN_VERSION) -> Surface:
    """The built-in kinds of `1.N`, one for all who ask; ValueError for a version that the catalogue does not know."""
    newest = int(BUILTIN_VERSION.partition(".")[2])
    major, _, minor = version.removeprefix("v").partition(".")
    if major != "1" or not minor.isdecimal() or not FIRST_MINOR <= int(minor) <= newest:
        raise ValueError(f"Kubernetes {version} is not known here (expected 1.{FIRST_MINOR} to {BUILTIN_VERSION})")
    return _builtin(int(minor))


def surface_with_crds(surface: Surface, definitions: Iterable[Mapping[str, Any]]) -> Surface:
    """The same and what these CustomResourceDefinitions serve."""
    defined = [entry for entry in map(_of_crd, definitions) if entry is not None]
    return Surface((*surface.served.values(), *defined)) if defined else surface


def _of_crd(definition: Mapping[str, Any]) -> ServedKind | None:
    spec = definition.get("spec")
    names = spec.get("names") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(names, Mapping) or not names.get("kind"):
        return None
    said = spec.get("versions") or [{"name": spec.get("version"), "served": spec.get("version")}]  # as v1beta1 had it
    rows = [row for row in _listed(said) if isinstance(row, Mapping) and row.get("served")]
    rows.sort(key=lambda row: not row.get("storage"))
    return ServedKind(
        KindId(f"{spec.get('group')}/{names['kind']}"),
        str(names.get("plural") or ""),
        tuple(str(row.get("name")) for row in rows),
        spec.get("scope") != "Cluster",
        str(names.get("singular") or str(names["kind"]).lower()),
        tuple(map(str, _listed(names.get("shortNames")))),
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
