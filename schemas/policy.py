"""A policy file: how strict a number is, per kind of relationship, site, namespace or label; who may override.

    schema: policy/v1
    overriders: ["sre-*"]
    rules:
      - {code: "311", set: warn, relation: requirement, namespaces: ["dev-*"], reason: nobody is woken for dev}

The first rule that fits a finding wins; where none fits, the tables of verdicts.md hold. What is unknown stays unknown:
no rule turns a defer into an allow. A rule behind a wider one of its number is never used (`PolicyFile.shadowed`).
"""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, ValidationError, field_validator

from schemas.codes import CODES
from schemas.documents import DocumentError, is_folder, read_documents
from schemas.envelope import IN_KEY_ORDER, StrictMessage, describe
from schemas.events import Relation

Setting = Literal["deny", "warn", "note", "ignore"]
RULES_MAX: Final = 1_000
FIXED: Final = frozenset(("001", "010", "011", "012", "101", "102", "512", "600", "601"))  # about the intent itself
SETTABLE: Final = tuple(sorted({code.number for code in CODES if code.letter in "DWN"} - FIXED))
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=253)]


class PolicyRule(StrictMessage):
    """One rule. Namespace and labels are those of the resource that the reason is about (`reasons[].resource`).

    code        the number (`311`), with or without a letter
    set         what it becomes
    relation    only for findings that rest on this kind of relationship
    sites, namespaces   shell patterns, one of which must match
    labels      all of which the resource must carry
    """

    code: Annotated[str, StringConstraints(pattern=rf"^({'|'.join(SETTABLE)})$")]
    set: Setting
    relation: Relation | None = None
    sites: tuple[Pattern, ...] = ()
    namespaces: tuple[Pattern, ...] = ()
    labels: Annotated[dict[str, str], IN_KEY_ORDER] = Field(default_factory=dict)
    reason: str = ""

    @field_validator("code", mode="before")
    @classmethod
    def _a_number_that_may_be_set(cls, value: Any) -> Any:
        """`311`, `"311"` and `D311` alike."""
        number = f"{value:03d}" if isinstance(value, int) and not isinstance(value, bool) else str(value).lstrip("DWN")
        if number in FIXED:
            raise ValueError(f"{number} is about the intent itself and cannot be set")
        if number not in SETTABLE:
            raise ValueError(f"no finding has the number {number[:20]}")
        return number

    def covers(self, other: PolicyRule) -> bool:
        """Whether it fits whatever the other one fits."""
        return (
            self.code == other.code
            and self.relation in (None, other.relation)
            and _all_within(other.sites, self.sites)
            and _all_within(other.namespaces, self.namespaces)
            and self.labels.items() <= other.labels.items()
        )


class PolicyFile(StrictMessage):
    """policy/v1. `overriders`: patterns of requesters who may override a denial with a reason."""

    schema_: Literal["policy/v1"] = Field("policy/v1", alias="schema")
    overriders: tuple[Pattern, ...] = ()
    rules: Annotated[tuple[PolicyRule, ...], Field(max_length=RULES_MAX)] = ()

    def shadowed(self) -> list[tuple[int, int]]:
        """Rules that never get their turn, each with the first of those before it that covers it, by their places."""
        found = []
        for place, rule in enumerate(self.rules):
            wider = next((one for one in range(place) if self.rules[one].covers(rule)), None)
            if wider is not None:
                found.append((place, wider))
        return found


def _all_within(patterns: tuple[Pattern, ...], wider: tuple[Pattern, ...]) -> bool:
    """Whether whatever matches one of the first matches one of the second; none at all match everything."""
    return not wider or (bool(patterns) and all(any(_is_within(one, two) for two in wider) for one in patterns))


def _is_within(pattern: str, wider: str) -> bool:
    """`dev-a*` within `dev-*`. Of `?` and `[ab]` in the wider one only what is the same is told."""
    return pattern == wider or (not any(sign in wider for sign in "?[") and fnmatch.fnmatchcase(pattern, wider))


def load_policy(path: Path) -> PolicyFile:
    """One policy file, checked. Raises DocumentError with file, line, field and what was expected."""
    if is_folder(path):
        raise DocumentError(str(path), 0, "a folder (expected one file)")
    documents = read_documents(path)
    if len(documents) != 1:
        raise DocumentError(str(path), 0, f"{len(documents)} documents (expected one policy)")
    document = documents[0]
    if "schema" not in document.body:
        raise DocumentError(document.file, document.line, "schema: missing (expected policy/v1)")
    try:
        return PolicyFile.model_validate(document.body)
    except ValidationError as error:
        steps = [step for step in error.errors()[0]["loc"] if isinstance(step, (str, int))]
        raise DocumentError(document.file, document.line_of(steps), describe(error, limit=1)) from error
