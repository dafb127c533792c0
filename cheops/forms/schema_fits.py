"""Does a value fit a structural schema: are its fields known, and is each value what is asked? Pure; see custom.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cheops.forms.schema_values import value_rules
from schemas.relations.path import suffix_of
from schemas.untyped import mapping_of, rows_of, texts_of

Body = Mapping[str, Any]
Schema = Mapping[str, Any]
OF_EVERY_OBJECT: Final = ("apiVersion", "kind", "metadata")
PRESERVED: Final = "x-kubernetes-preserve-unknown-fields"
EMBEDDED: Final = "x-kubernetes-embedded-resource"
DEPTH_MAX: Final = 100


def default_misfits(schema: Schema, path: str, depth: int = 0) -> Iterator[str]:
    """Defaults of a schema that do not fit the place for which they are."""
    if depth > DEPTH_MAX or not schema:
        return
    if schema.get("default") is not None:
        default, place = schema["default"], f"{path}.default"
        wrong = list(unknown(default, schema, place, depth)) or list(
            misfitting(filled(default, schema), schema, place, depth)
        )
        yield from wrong[:1]
    for name, below in mapping_of(schema.get("properties")).items():
        yield from default_misfits(mapping_of(below), f"{path}.properties[{name}]", depth + 1)
    for field in ("items", "additionalProperties"):
        yield from default_misfits(mapping_of(schema.get(field)), f"{path}.{field}", depth + 1)


def filled(value: Any, schema: Schema, depth: int = 0) -> Any:
    """With its defaults. What is null and must not be is left out before, as if nobody had said it."""
    if depth > DEPTH_MAX:
        return value
    if isinstance(value, list):
        items = mapping_of(schema.get("items"))
        return [filled(one, items, depth + 1) for one in value]
    if not isinstance(value, Mapping):
        return value
    fields, free = mapping_of(schema.get("properties")), schema.get("additionalProperties")
    made = {}
    for name, one in value.items():
        below = fields.get(name) if name in fields else free
        if one is None and isinstance(below, Mapping) and below.get("nullable") is not True:
            continue
        made[name] = filled(one, mapping_of(below), depth + 1)
    for name, below in fields.items():
        if name not in made and mapping_of(below).get("default") is not None:
            made[name] = filled(below["default"], below, depth + 1)
    return made


def unknown(value: Any, schema: Schema, path: str, depth: int, *, whole: bool = False) -> Iterator[str]:
    """Fields that the schema does not know; they would be dropped, and kubectl has that refused."""
    if depth > DEPTH_MAX:
        return
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from unknown(item, mapping_of(schema.get("items")), f"{path}[{place}]", depth + 1)
        return
    if not isinstance(value, Mapping):
        return
    fields, free = mapping_of(schema.get("properties")), schema.get("additionalProperties")
    is_object = whole or schema.get(EMBEDDED) is True
    for name, inner in value.items():
        here = f"{path}{suffix_of(str(name))}"
        if is_object and name in OF_EVERY_OBJECT:
            continue
        if name in fields:
            yield from unknown(inner, mapping_of(fields[name]), here, depth + 1)
        elif isinstance(free, Mapping):
            yield from unknown(inner, free, here, depth + 1)
        elif free is not True and schema.get(PRESERVED) is not True:
            yield f"{here}: unknown field"


def misfitting(value: Any, schema: Schema, path: str, depth: int) -> Iterator[str]:
    """What a value breaks of what its schema says, and what stands below it."""
    if depth > DEPTH_MAX or (value is None and schema.get("nullable") is True):
        return
    for reason in value_rules(value, schema):
        yield f"{path or '.'}: {reason}"
    yield from _alternatives(value, schema, path, depth)
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from misfitting(item, mapping_of(schema.get("items")), f"{path}[{place}]", depth + 1)
    elif isinstance(value, Mapping):
        yield from _fields(value, schema, path, depth)


def _fields(value: Body, schema: Schema, path: str, depth: int) -> Iterator[str]:
    fields, free = mapping_of(schema.get("properties")), schema.get("additionalProperties")
    embedded = ("apiVersion", "kind") if schema.get(EMBEDDED) is True else ()
    for name in (*texts_of(schema.get("required")), *embedded):
        if name not in value:
            yield f"{path}{suffix_of(name)}: missing"
    for name, inner in value.items():
        below = fields.get(name) if name in fields else free
        if isinstance(below, Mapping):
            yield from misfitting(inner, below, f"{path}{suffix_of(str(name))}", depth + 1)


def _alternatives(value: Any, schema: Schema, path: str, depth: int) -> Iterator[str]:
    def fits(one: Any) -> bool:
        return next(misfitting(value, mapping_of(one), path, depth + 1), None) is None

    here = path or "."
    for one in rows_of(schema.get("allOf")):
        yield from misfitting(value, one, path, depth + 1)
    some, single = rows_of(schema.get("anyOf")), rows_of(schema.get("oneOf"))
    if some and not any(map(fits, some)):
        yield f"{here}: fits none of its alternatives"
    if single and (count := sum(map(fits, single))) != 1:
        yield f"{here}: fits {count or 'none'} of its alternatives, and has to fit one"
    if isinstance(schema.get("not"), Mapping) and fits(schema["not"]):
        yield f"{here}: is what its schema excludes"
