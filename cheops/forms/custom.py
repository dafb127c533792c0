"""Does a custom resource fit the schema of its definition? As an API server reads it, before anybody else. Pure.

definition ─▶ its version's schema ─▶ fields that the schema does not know; then, with defaults filled in, each value;
then what rules in CEL say. The status is not read: nobody applies one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cheops.forms.fields import wrong_with_metadata
from cheops.forms.schema_fits import Schema, filled, misfitting, unknown
from cheops.forms.validations import broken
from schemas.identity import ResourceId
from schemas.untyped import mapping_of, rows_of, texts_of

Body = Mapping[str, Any]
Definitions = Mapping[tuple[str, str], Body]
STORED_FORM: Final = "apiextensions.k8s.io/v1"  # of definitions; an older one need not say a schema
DEFINITIONS: Final = "apiextensions.k8s.io/CustomResourceDefinition/"
STATUS: Final = "status"
SHOWN_MAX: Final = 16


def kind_named(body: Body) -> tuple[str, str]:
    """Group and kind, as an object names its own."""
    return str(body.get("apiVersion")).rpartition("/")[0], str(body.get("kind"))


def definitions_in(bodies: Mapping[ResourceId, Body]) -> Definitions:
    """Group and kind → the definition among these."""
    specs = ((mapping_of(one.get("spec")), one) for name, one in bodies.items() if name.startswith(DEFINITIONS))
    return {(str(spec.get("group")), str(mapping_of(spec.get("names")).get("kind"))): one for spec, one in specs}


def wrong_with_custom(body: Body, definition: Body) -> list[str]:
    """All that is wrong with an object of a definition."""
    return wrong_with_metadata(body, named=True) or misfits(body, definition)


def rules_broken(before: Body | None, after: Body, definition: Body, *, final: bool = True) -> list[str]:
    """`path: message` of each rule in CEL that an object of a definition breaks; `before`: what is there, if anything.

    `final`: no webhook or policy fills in what it does not say. An object that is there at another version is judged by
    the API server alone, which knows how to convert it.
    """
    version = kind_version(after)
    schema = schema_of(definition, version)
    if schema is None or (before is not None and kind_version(before) != version):
        return []
    now = dict(after)
    if STATUS in mapping_of(_served(definition, version).get("subresources")):  # then nobody writes it here
        now = {**now, STATUS: mapping_of(before).get(STATUS)}
    was = None if before is None else filled(before, schema)
    return list(dict.fromkeys(broken(was, filled(now, schema), schema, final=final)))[:SHOWN_MAX]


def kind_version(body: Body) -> str:
    """The version at which an object is written."""
    return str(body.get("apiVersion")).rpartition("/")[2]


def misfits(body: Body, definition: Body) -> list[str]:
    """`path: reason` for each mistake, the first of them; nothing where the definition does not say."""
    schema = schema_of(definition, kind_version(body))
    if schema is None:
        return []
    said = {name: value for name, value in body.items() if name != STATUS}
    found = list(unknown(said, schema, "", 0, whole=True))
    if not found:
        rules = {name: value for name, value in schema.items() if name != "properties"}
        fields = {name: one for name, one in mapping_of(schema.get("properties")).items() if name != STATUS}
        needed = [one for one in texts_of(schema.get("required")) if one != STATUS]
        found = list(misfitting(filled(said, schema), {**rules, "properties": fields, "required": needed}, "", 0))
    return [_shown(reason) for reason in dict.fromkeys(found)][:SHOWN_MAX]


def _shown(reason: str) -> str:
    """The path of a field without its first dot; the dot alone is the object itself."""
    return reason if reason.startswith(".:") else reason.removeprefix(".")


def schema_of(definition: Body, version: str) -> Schema | None:
    """Of one of its versions; None where it says none."""
    if definition.get("apiVersion") != STORED_FORM:
        return None
    schema = mapping_of(_served(definition, version).get("schema")).get("openAPIV3Schema")
    return schema if isinstance(schema, Mapping) and schema.get("type") == "object" else None


def _served(definition: Body, version: str) -> Body:
    versions = rows_of(mapping_of(definition.get("spec")).get("versions"))
    return next((one for one in versions if one.get("name") == version), {})
