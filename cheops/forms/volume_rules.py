"""Mistakes in volumes and claims that show only when two fields are read together. Pure; see crossing.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.untyped import mapping_of, rows_of

Body = Mapping[str, Any]
WITH_ITEMS: Final = ("configMap", "secret", "downwardAPI")
WITH_PATH: Final = ("serviceAccountToken", "clusterTrustBundle")
SOURCE: Final = ("apiGroup", "kind", "name")


def volume(body: Body) -> Iterator[str]:
    """A volume of one node says which, and nobody empties a whole node."""
    spec = mapping_of(body.get("spec"))
    if spec.get("local") is not None and not mapping_of(spec.get("nodeAffinity")).get("required"):
        yield "spec.nodeAffinity.required: missing (it is local)"
    is_root = str(mapping_of(spec.get("hostPath")).get("path") or "-").strip("/") == ""
    if is_root and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        yield "spec.persistentVolumeReclaimPolicy: not Recycle of the hostPath /"


def claim(body: Body) -> Iterator[str]:
    """A claim, or the claims that a StatefulSet makes."""
    spec = mapping_of(body.get("spec"))
    yield from claim_source("spec", spec)
    for place, one in enumerate(rows_of(spec.get("volumeClaimTemplates"))):
        yield from claim_source(f"spec.volumeClaimTemplates[{place}].spec", mapping_of(one.get("spec")))


def claim_source(path: str, spec: Body) -> Iterator[str]:
    """What it is filled from, in the old words and in the new ones."""
    old, new = spec.get("dataSource"), spec.get("dataSourceRef")
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return
    if new.get("namespace"):
        yield f"{path}.dataSource: not with dataSourceRef.namespace"
    elif any((old.get(one) or "") != (new.get(one) or "") for one in SOURCE):
        yield f"{path}.dataSource: is not what dataSourceRef says"


def projected(path: str, projection: Body) -> Iterator[str]:
    """No two sources write one file."""
    files = []
    for source in rows_of(projection.get("sources")):
        for name in WITH_ITEMS:
            files += [one.get("path") for one in rows_of(mapping_of(source.get(name)).get("items"))]
        files += [mapping_of(source.get(name)).get("path") for name in WITH_PATH]
    twice = next((one for one in files if one and files.count(one) > 1), None)
    if twice is not None:
        yield f"{path}.sources: path {twice!r} stands twice"
