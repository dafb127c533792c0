"""A rule of the relationship model, checked: where a reference stands, what it points at, and what it means. Pure.

The kind of relationship is derived from the phases (relationships.md): only P → association; L → reliance; else A or S
→ requirement. Composition and containment are said explicitly, they cannot be derived.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from schemas.events import Confidence, Relation
from schemas.relations.path import PathError, compile_path

Phase = Literal["A", "S", "L", "D", "P"]
PHASE_ORDER = "ASLDP"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(_Model):
    """What a reference points at; paths are relative to the rule's `at`.

    kind        `[group/]Kind`, or taken from fields (`kind_from`: path of the kind; `group_from`: of its group)
    name        path to the name; `default`: when it is absent; `prefix`: text before it
    namespace   same (the source's own), cluster, or a path; a path that is absent means same
    selector    path to labels (`form: labels`) or to a LabelSelector; `empty` and `absent` say what such a one selects
    namespaces, namespace_selector   paths: where to look besides the own namespace
    uid         path to the uid of the target
    """

    kind: str = ""
    kind_from: str = ""
    group_from: str = ""
    kinds: tuple[str, ...] = ()
    name: str = ""
    default: str = ""
    prefix: str = ""
    namespace: str = "same"
    selector: str | None = None
    form: Literal["labels", "LabelSelector"] = "LabelSelector"
    empty: Literal["nothing", "everything"] = "everything"
    absent: Literal["nothing", "everything"] = "nothing"
    namespaces: str = ""
    namespace_selector: str = ""
    uid: str = ""

    @model_validator(mode="after")
    def _points_somewhere(self) -> Self:
        if not (self.kind or self.kind_from):
            raise ValueError("to: needs kind or kind_from")
        if self.selector is None and not self.name and not self.default:
            raise ValueError("to: needs name, default or selector")
        for path in (self.kind_from, self.group_from, self.name, self.selector or "", self.namespaces, self.uid):
            _check_path(path)
        return self


class Example(_Model):
    """Evidence for a rule: objects in which it finds `found` targets, and one detail changed where it finds none."""

    found: dict[str, Any]
    target: str
    not_found: dict[str, Any]


class Rule(_Model):
    """One rule. `at`: where the reference stands, relative to the mount of its fragment."""

    rule: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    at: tuple[str, ...]
    to: Target
    phases: tuple[Phase, ...]
    relation: Relation | None = None
    optional: bool | str = False
    soft: bool | str = False
    soft_when: tuple[str, ...] = ()
    parts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    skip: str = ""
    when: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    confidence: Confidence = "declared"
    needs_permission: bool = False
    recurs: bool | None = None
    missing: str = ""

    @field_validator("parts", mode="before")
    @classmethod
    def _one_or_many_parts(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {part: (paths,) if isinstance(paths, str) else paths for part, paths in value.items()}

    @field_validator("at", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _paths_compile(self) -> Self:
        for path in (*self.at, *(one for paths in self.parts.values() for one in paths), *self.when):
            _check_path(path)
        return self

    @property
    def kind_of_relation(self) -> Relation:
        """As said, else derived from the phases."""
        if self.relation is not None:
            return self.relation
        if set(self.phases) <= {"P"}:
            return "association"
        return "reliance" if "L" in self.phases else "requirement"

    @property
    def phase_letters(self) -> str:
        """In the order A S L D P."""
        return "".join(phase for phase in PHASE_ORDER if phase in self.phases)


class Mount(_Model):
    """Where rules apply: the kinds, the place in their objects, and the rules or the fragment."""

    kinds: tuple[str, ...]
    at: str = ""
    use: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


class Condition(_Model):
    """A predicate over an object: the value at `path` (or `default` when absent)."""

    path: str
    default: Any = None
    equals: Any = None
    differs: Any = None
    above: float | None = None


class KindFacts(_Model):
    """What is known of a kind besides its references."""

    kind: str
    ownership: Literal["portable", "site-bound", "identity"] = "portable"
    divides: tuple[str, ...] = ()
    immutable: tuple[str, ...] = ()
    recurs: bool | tuple[Condition, ...] = False
    template_labels: str = ""
    parts: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    facts: dict[str, str] = Field(default_factory=dict)
    confidential: bool = False


def _check_path(text: str) -> None:
    try:
        compile_path(text)
    except PathError as error:
        raise ValueError(str(error)) from error
