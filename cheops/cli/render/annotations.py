"""A verdict as a code host shows it beside the lines of a pull request: workflow commands and SARIF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any, Final

from schemas.codes import find
from schemas.documents import Document
from schemas.identity import ResourceKey
from schemas.verdicts import Reason, Verdict

_COMMANDS: Final = {"deny": "error", "defer": "error", "warning": "warning", "note": "notice"}
_LEVELS: Final = {"deny": "error", "defer": "error", "warning": "warning", "note": "note"}
SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def github(verdict: Verdict, documents: Sequence[Document]) -> Iterator[str]:
    """One workflow command a reason, then the line that stands alone."""
    for reason in verdict.reasons:
        place = _place(reason, documents)
        where = f"file={_property(place[0])},line={place[1]}," if place else ""
        title = _property(f"{reason.code} {_title(reason)} @ {reason.site}")
        yield f"::{_COMMANDS[reason.severity]} {where}title={title}::{_data(reason.message)}"
    yield f"{verdict.decision.upper()}  {verdict.summary}"


def sarif(verdict: Verdict, documents: Sequence[Document]) -> dict[str, Any]:
    """SARIF 2.1.0: a rule per code, a result per reason."""
    codes = sorted({reason.code for reason in verdict.reasons})
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "cheops", "version": version("cheops"), "rules": [_rule(code) for code in codes]}
                },
                "results": [_result(reason, documents) for reason in verdict.reasons],
                "properties": {"decision": verdict.decision, "summary": verdict.summary},
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    known = find(code)
    if known is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": f"{known.meaning} {known.why}"},
        "help": {"text": known.what_to_do},
    }


def _result(reason: Reason, documents: Sequence[Document]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "ruleId": reason.code,
        "level": _LEVELS[reason.severity],
        "message": {"text": f"{reason.message} ({reason.site})"},
    }
    place = _place(reason, documents)
    if place:
        made["locations"] = [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": place[0].replace("\\", "/")},
                    "region": {"startLine": place[1]},
                }
            }
        ]
    return made


def _place(reason: Reason, documents: Sequence[Document]) -> tuple[str, int] | None:
    """The line of the manifest that the reason is about: the field of the edge, else the object."""
    relation = reason.relation
    for resource, path in (
        (relation.source if relation else None, relation.path if relation else ""),
        (reason.resource, ""),
    ):
        found = _document_of(resource, documents)
        if found is not None:
            return found.file, found.line_of(_steps(path)) or 1
    return (documents[0].file, documents[0].line) if len(documents) == 1 else None


def _document_of(resource: str | None, documents: Sequence[Document]) -> Document | None:
    if resource is None:
        return None
    key = ResourceKey.parse(resource)
    for one in documents:
        metadata = one.body["metadata"]
        names = metadata.get("namespace") or key.namespace, metadata.get("name")
        group = one.body["apiVersion"].rpartition("/")[0]
        if (group, one.body["kind"], *names) == (key.group, key.kind, key.namespace, key.name):
            return one
    return None


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for part in path.replace("]", "").split("."):
        name, *places = part.split("[")
        steps.append(name)
        steps += [int(place) if place.isdecimal() else place for place in places]
    return steps


def _title(reason: Reason) -> str:
    known = find(reason.code)
    return known.title if known else reason.severity


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
