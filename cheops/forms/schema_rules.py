"""Mistakes in a CustomResourceDefinition that show only when two fields are read together. Pure.

A schema is structural: each of its nodes has a type, a list says of what it is, and a mapping has named fields or free
ones. What stands below allOf, anyOf, oneOf and not is no part of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cheops.forms.admission_rules import unknown_reviews, wrong_expressions, wrong_url
from cheops.forms.schema_fits import default_misfits
from schemas.untyped import mapping_of, rows_of

Body = Mapping[str, Any]
UNTYPED: Final = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
UNSUPPORTED: Final = ("$ref", "$schema", "id", "dependencies", "definitions", "patternProperties")
TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
DEPTH_MAX: Final = 100
PROTECTED: Final = (".k8s.io", ".kubernetes.io")
APPROVED: Final = "api-approved.kubernetes.io"
JUNCTORS: Final = ("allOf", "anyOf", "oneOf")
STRUCTURAL: Final = ("type", "title", "description", "default", "nullable", "additionalProperties")
NOT_IN_GO: Final = ("(?=", "(?!", "(?<=", "(?<!")
BROKEN: Final = ("missing ), unterminated", "unbalanced parenthesis", "unterminated character set", "nothing to repeat")


def definition(body: Body) -> Iterator[str]:
    """Its name, its versions, and what they hold."""
    spec = mapping_of(body.get("spec"))
    plural, group = mapping_of(spec.get("names")).get("plural"), spec.get("group")
    name = mapping_of(body.get("metadata")).get("name")
    if plural and group and name != f"{plural}.{group}":
        yield f"metadata.name: {name!r} (expected {plural}.{group})"
    versions = rows_of(spec.get("versions"))
    if sum(one.get("storage") is True for one in versions) > 1:
        yield "spec.versions: more than one is stored"
    if spec.get("preserveUnknownFields") is True:
        yield "spec.preserveUnknownFields: cannot be true"
    for place, version in enumerate(versions):
        path = f"spec.versions[{place}]"
        if version.get("deprecationWarning") is not None and version.get("deprecated") is not True:
            yield f"{path}.deprecationWarning: only of a deprecated version"
        schema = mapping_of(version.get("schema")).get("openAPIV3Schema")
        if isinstance(schema, Mapping):
            here = f"{path}.schema.openAPIV3Schema"
            if schema.get("type") not in ("object", None):
                yield f"{here}.type: {schema['type']!r} (expected object)"
            yield from _node(schema, here, 0)
            yield from default_misfits(schema, here)
            yield from _metadata(mapping_of(mapping_of(schema.get("properties")).get("metadata")), here)
            for at, field in enumerate(rows_of(version.get("selectableFields"))):
                if not _leads_somewhere(schema, str(field.get("jsonPath") or "")):
                    yield f"{path}.selectableFields[{at}].jsonPath: {field.get('jsonPath')} is no field"
    yield from _conversion(mapping_of(spec.get("conversion")))
    yield from _approved(body, str(group or ""))
    names = mapping_of(spec.get("names"))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield "spec.names.listKind: is kind"


def _conversion(said: Body) -> Iterator[str]:
    """A webhook has a place and a form; without one there is none."""
    webhook, path = said.get("webhook"), "spec.conversion.webhook"
    if said.get("strategy") != "Webhook":
        told = mapping_of(webhook)
        is_set = told.get("clientConfig") is not None or bool(told.get("conversionReviewVersions"))
        if is_set and said.get("strategy") is not None:
            yield f"{path}: only with strategy Webhook"
        return
    client = mapping_of(mapping_of(webhook).get("clientConfig"))
    versions = mapping_of(webhook).get("conversionReviewVersions")
    if bool(client.get("url")) is (client.get("service") is not None):
        yield f"{path}.clientConfig: one of url, service, and not both"
    yield from wrong_url(f"{path}.clientConfig.url", client.get("url"))
    if not versions:
        yield f"{path}.conversionReviewVersions: missing"
    yield from unknown_reviews(f"{path}.conversionReviewVersions", versions)


def _approved(body: Body, group: str) -> Iterator[str]:
    """A group of the community's own names who approved of it, or says that nobody did."""
    if not group.endswith(PROTECTED):
        return
    said = str(mapping_of(mapping_of(body.get("metadata")).get("annotations")).get(APPROVED) or "")
    if not said.startswith(("unapproved", "https://", "http://")):
        yield f"metadata.annotations: {APPROVED!r} is missing (the group is the community's own)"


def _metadata(schema: Body, path: str) -> Iterator[str]:
    more = sorted(set(mapping_of(schema.get("properties"))) - {"name", "generateName"})
    if more:
        yield f"{path}.properties[metadata]: {more[0]} cannot be restricted"


def _leads_somewhere(schema: Body, path: str) -> bool:
    for name in path.removeprefix(".").split("."):
        found = mapping_of(schema.get("properties")).get(name)
        if not isinstance(found, Mapping):
            return False
        schema = found
    return True


def _node(schema: Body, path: str, depth: int) -> Iterator[str]:
    if depth > DEPTH_MAX:
        return
    sort = schema.get("type")
    if depth and not sort and not any(schema.get(one) is True for one in UNTYPED):
        yield f"{path}.type: missing"
    if sort and sort not in TYPES:
        yield f"{path}.type: {sort!r:.60} (expected {', '.join(TYPES)})"
    for field in UNSUPPORTED:
        if schema.get(field) not in (None, "", {}):
            yield f"{path}.{field}: is not supported"
    if schema.get("uniqueItems") is True:
        yield f"{path}.uniqueItems: cannot be true"
    if sort == "array" and schema.get("items") is None:
        yield f"{path}.items: missing"
    yield from _items(schema, path)
    yield from _words(schema, path)
    named, free = schema.get("properties"), schema.get("additionalProperties")
    if named and free not in (None, False):
        yield f"{path}: properties and additionalProperties exclude each other"
    for name, below in mapping_of(named).items():
        if isinstance(below, Mapping):
            yield from _node(below, f"{path}.properties[{name}]", depth + 1)
    for field in ("items", "additionalProperties"):
        inner = schema.get(field)
        if isinstance(inner, Mapping):
            yield from _node(inner, f"{path}.{field}", depth + 1)


def _items(schema: Body, path: str) -> Iterator[str]:
    """What tells the items of a list from each other."""
    sort, items = schema.get("x-kubernetes-list-type"), mapping_of(schema.get("items"))
    if sort not in (None, "atomic", "set", "map"):
        yield f"{path}.x-kubernetes-list-type: {sort!r:.60} (expected atomic, set, map)"
    keys = schema.get("x-kubernetes-list-map-keys")
    if sort == "map":
        fields, needed = mapping_of(items.get("properties")), items.get("required") or ()
        if not keys:
            yield f"{path}.x-kubernetes-list-map-keys: missing (x-kubernetes-list-type is map)"
        for key in keys if isinstance(keys, list) else ():
            field = fields.get(key)
            if field is None:
                yield f"{path}.x-kubernetes-list-map-keys: {key!r:.60} is no field of an item"
            elif key not in needed and mapping_of(field).get("default") is None:
                yield f"{path}.items.properties[{key}]: is a key, and has to be required or to have a default"
    if sort == "set" and items.get("type") in ("object", "array"):
        atomic = items.get("x-kubernetes-map-type") == "atomic" or items.get("x-kubernetes-list-type") == "atomic"
        if not atomic and not (items["type"] == "array" and items.get("x-kubernetes-list-type") is None):
            yield f"{path}.items: has to be atomic in a set"


def _words(schema: Body, path: str) -> Iterator[str]:
    """Patterns, rules, what is embedded, and what stands beside the structure."""
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and (any(one in pattern for one in NOT_IN_GO) or _is_broken(pattern)):
        yield f"{path}.pattern: {pattern!r:.80} is no regular expression"
    for place, rule in enumerate(rows_of(schema.get("x-kubernetes-validations"))):
        if not str(rule.get("rule") or "").strip():
            yield f"{path}.x-kubernetes-validations[{place}].rule: missing"
    yield from wrong_expressions(f"{path}.x-kubernetes-validations", schema.get("x-kubernetes-validations"))
    if schema.get("x-kubernetes-embedded-resource") is True and not (
        schema.get("properties") or schema.get("x-kubernetes-preserve-unknown-fields") is True
    ):
        yield f"{path}.properties: missing (x-kubernetes-embedded-resource is true)"
    loose = schema.get("x-kubernetes-int-or-string") is True
    for field in JUNCTORS:
        for place, one in enumerate(rows_of(schema.get(field))):
            yield from _beside(one, f"{path}.{field}[{place}]", typed=loose and field in ("anyOf", "allOf"))
    yield from _beside(mapping_of(schema.get("not")), f"{path}.not", typed=False)


def _beside(schema: Body, path: str, *, typed: bool, depth: int = 0) -> Iterator[str]:
    """Below allOf, anyOf, oneOf and not stands what is asked of a value, and nothing of what it is."""
    if depth > DEPTH_MAX or not schema:
        return
    for field in STRUCTURAL:
        if schema.get(field) not in (None, False, "") and not (field == "type" and typed):
            yield f"{path}.{field}: belongs to the structure"
    for field in JUNCTORS:
        for place, one in enumerate(rows_of(schema.get(field))):
            yield from _beside(one, f"{path}.{field}[{place}]", typed=typed, depth=depth + 1)
    for name, below in mapping_of(schema.get("properties")).items():
        yield from _beside(mapping_of(below), f"{path}.properties[{name}]", typed=False, depth=depth + 1)
    yield from _beside(mapping_of(schema.get("items")), f"{path}.items", typed=False, depth=depth + 1)


def _is_broken(pattern: str) -> bool:
    """As Go says it, too: what only ours cannot read is not called broken."""
    try:
        re.compile(pattern)
    except re.error as error:
        return error.msg.startswith(BROKEN)
    return False


def stored(body: Body) -> Iterator[str]:
    """One of its versions is what objects are stored at."""
    versions = rows_of(mapping_of(body.get("spec")).get("versions"))
    if versions and not any(one.get("storage") is True for one in versions):
        yield "spec.versions: none is stored"
