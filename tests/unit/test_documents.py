"""docs/asyncapi.yaml and docs/schema: sound in themselves, whole, and nothing points nowhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from schemas import subjects
from schemas.identity import SiteName
from tests.unit.schemas.known import MODELS

DOCS = Path(__file__).parents[2] / "docs"
API: dict[str, Any] = yaml.load((DOCS / "asyncapi.yaml").read_text(), yaml.CSafeLoader)
SCHEMAS = sorted((DOCS / "schema").glob("*.json"))
LYON = SiteName("lyon")
# AsyncAPI 3.0.0, the fixed fields of each object
COMMON = "title summary description tags externalDocs bindings"
FIELDS = {
    name: frozenset(fields.split())
    for name, fields in {
        "root": "asyncapi id info servers defaultContentType channels operations components",
        "channel": f"address messages servers parameters {COMMON}",
        "operation": f"action channel security traits messages reply {COMMON}",
        "reply": "address channel messages",
        "message": f"headers payload correlationId contentType name examples traits {COMMON}",
        "parameter": "enum default description examples location",
    }.items()
}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(reference: str, within: Any, folder: Path) -> Any:
    """What a reference points at; KeyError or FileNotFoundError when it points nowhere."""
    file, _, pointer = reference.partition("#")
    found = json.loads((folder / file).read_text()) if file else within
    for step in pointer.removeprefix("/").split("/") if pointer else []:
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    found = list(references(API))
    assert len(found) > 50
    for reference in found:
        assert resolved(reference, API, DOCS), reference


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: str(path.stem))
def test_a_schema_is_valid_and_its_references_resolve(path: Path) -> None:
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    for reference in references(schema):
        assert resolved(reference, schema, path.parent) is not None, reference


def test_the_document_has_the_objects_and_fields_of_asyncapi_3() -> None:
    assert API["asyncapi"] == "3.0.0"
    assert set(API) <= FIELDS["root"]
    assert {"title", "version"} <= set(API["info"])
    for name, channel in API["channels"].items():
        assert set(channel) <= FIELDS["channel"], name
        in_address = set(re.findall(r"\{(\w+)\}", channel["address"] or ""))
        assert in_address == set(channel.get("parameters", {})), name
        for parameter in channel.get("parameters", {}).values():
            assert set(parameter) <= FIELDS["parameter"], name
    for name, operation in API["operations"].items():
        assert set(operation) <= FIELDS["operation"], name
        assert operation["action"] in ("send", "receive"), name
        assert set(operation.get("reply", {})) <= FIELDS["reply"], name
    for name, message in API["components"]["messages"].items():
        assert set(message) <= FIELDS["message"], name
        assert message["contentType"] == "application/json"


def test_every_message_has_its_schema_in_the_document() -> None:
    files = {path.stem for path in SCHEMAS}
    for kind in MODELS:
        assert kind.schema_name().partition("/")[0] in files, kind


def test_the_addresses_are_those_that_the_programs_use() -> None:
    made = {
        "events": subjects.event(LYON),
        "heartbeats": subjects.heartbeat(LYON),
        "intents": subjects.intent(LYON, "i"),
        "verdicts": subjects.verdict(LYON, "allow", "i"),
        "operations": subjects.operation(LYON, "i", "1-1"),
        "outcomes": subjects.outcome(LYON, "i", "1-1"),
        "alerts": subjects.alert(LYON, "A310"),
        "dead": subjects.dead("INTENTS"),
        "preview": subjects.api("resolver", LYON, "preview"),
        "statusOfAll": subjects.api("resolver", subjects.EVERY_SITE, "status"),
    }
    names = {"site": "lyon", "intent": "i", "decision": "allow", "step": "1-1", "code": "A310", "stream": "INTENTS"}
    for channel, subject in made.items():
        assert API["channels"][channel]["address"].format(**names) == subject
