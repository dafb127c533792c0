"""`…Ref: {kind, name}`, `…Refs: [{kind, name}]`, `ref: {kind, name}`: references that say what they mean. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from schemas.identity import KindId, kind_id
from schemas.relations.pointers import Pointer, Source

REF_ENDINGS: Final = ("Ref", "Refs", "Reference", "References")
BARE: Final = "ref"


def read_typed_refs(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """Of a mapping."""
    for field, inner in value.items() if isinstance(value, dict) else ():
        if not isinstance(field, str) or not (field == BARE or field.endswith(REF_ENDINGS)):
            continue
        rows = [("", inner)] if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ()
        for place, row in rows:
            if isinstance(row, dict) and isinstance(row.get("kind"), str) and isinstance(row.get("name"), str):
                group = row.get("apiGroup", row.get("group")) or str(row.get("apiVersion") or "").rpartition("/")[0]
                said = {"apiGroup", "group", "apiVersion"} & row.keys()
                target = kind_id(str(group), row["kind"]) if said else _kind_beside(row["kind"], source)
                where = f".{field}" if place == "" else f".{field}[{place}]"
                namespace = row.get("namespace")
                named = namespace if isinstance(namespace, str) and namespace else None
                yield Pointer(target, row["name"], named, suffix=f"{where}.name")


def _kind_beside(kind: str, source: Source) -> KindId:
    """A kind of which no group is said: a core one, else one beside the source's own, else whatever has that name."""
    core, own = KindId(kind), kind_id(source.group, kind)
    served = source.surface.served
    if core in served or own in served:
        return core if core in served else own
    return source.surface.find_named(kind) or own
