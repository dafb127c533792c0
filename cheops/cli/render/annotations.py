"""A verdict as a code host shows it beside the lines of a pull request: workflow commands and SARIF."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from cheops.cli.render.places import Manifests
from schemas.codes import find
from schemas.release import release
from schemas.verdicts import Reason, Verdict

_COMMANDS: Final = {"deny": "error", "defer": "error", "warning": "warning", "note": "notice"}
_LEVELS: Final = {"deny": "error", "defer": "error", "warning": "warning", "note": "note"}
SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def github(verdict: Verdict, manifests: Manifests) -> Iterator[str]:
    """One workflow command a reason, then the line that stands alone."""
    for reason in verdict.reasons:
        place = manifests.place(reason)
        where = f"file={_property(place[0])},line={place[1]}," if place else ""
        title = _property(f"{reason.code} {_title(reason)} @ {reason.site}")
        yield f"::{_COMMANDS[reason.severity]} {where}title={title}::{_data(reason.message)}"
    yield f"{verdict.decision.upper()}  {verdict.summary}"


def sarif(verdict: Verdict, manifests: Manifests) -> dict[str, Any]:
    """SARIF 2.1.0: a rule per code, a result per reason."""
    codes = sorted({reason.code for reason in verdict.reasons})
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "cheops", "version": release(), "rules": [_rule(code) for code in codes]}},
                "results": [_result(reason, manifests) for reason in verdict.reasons],
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


def _result(reason: Reason, manifests: Manifests) -> dict[str, Any]:
    made: dict[str, Any] = {
        "ruleId": reason.code,
        "level": _LEVELS[reason.severity],
        "message": {"text": f"{reason.message} ({reason.site})"},
    }
    place = manifests.nearest(reason)  # a code host takes no file in which a result has none
    if place:
        made["locations"] = [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(place[0].replace("\\", "/"))},
                    "region": {"startLine": place[1]},
                }
            }
        ]
    return made


def _title(reason: Reason) -> str:
    known = find(reason.code)
    return known.title if known else reason.severity


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
