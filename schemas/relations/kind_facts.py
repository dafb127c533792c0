"""What is known of a kind besides its references: what recurs, what is fixed, what absence means. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.relations.rule import KIND_PATTERN, Paths, PathText

_STRICT = ConfigDict(frozen=True, extra="forbid")


class Condition(BaseModel):
    """A predicate over an object: the value at `path` (or `default` when absent), or a `condition` of its status.

    The value of a condition is its status, `True`, `False` or `Unknown`; `default` when there is none of that type.
    `begins`: of the texts in the list at the path, one begins so.
    It holds as well when `unless_equals` is the first value at `unless`, or that is one of them.
    """

    model_config = _STRICT

    path: PathText = ""
    condition: str = ""
    default: Any = None
    equals: Any = None
    differs: Any = None
    above: float | None = None
    begins: str = ""
    unless: PathText = ""
    unless_equals: Any = None


Ownership = Literal["portable", "site-bound", "identity"]


class Noted(BaseModel):
    """What is known of the fields at a place of objects, so that it can be said once for all places that are like it.

    settable    while nothing is there; filled: by the server, when nobody says them
    defaults    a field → what its absence means
    within      a place below → what is known there
    """

    model_config = _STRICT

    settable: Paths = ()
    filled: Paths = ()
    defaults: dict[PathText, Any] = Field(default_factory=dict)
    within: dict[PathText, Noted] = Field(default_factory=dict)


class KindFacts(Noted):
    """What is known of a kind besides its references; the facts of `*` hold for every kind.

    ownership   portable, site-bound, identity (scope.md); ownership_by: a field → its values → the ownership then
    divides: the numbers that a cross scope splits
    local       fields that one cluster gives it and another would refuse: they do not travel with a copy
    immutable   fields that cannot be changed; immutable_when: a flag in the object → fields that it fixes. Below them:
                mutable: those that can; mutable_when: a flag in the object → those that can while it stands;
                grows: lists to which items can be added
    recurs      when what it needs at a start is needed again by itself (verdicts.md, 311): false, true, or conditions
    takes       of a container: when what is in it goes with it; nothing said: always
    restores    of a container: when it puts back what somebody changes or deletes in it; nothing said: never
    parts       what others can need of it; open: those of which it has any while it says none
    grants      how it permits references (grants.py)
    plural, namespaced   of a custom kind, for when no definition is at hand
    """

    kind: str = Field(pattern=r"^[*]$|" + KIND_PATTERN)
    plural: str = ""
    namespaced: bool = True
    ownership: Ownership = "portable"
    ownership_by: dict[PathText, dict[str, Ownership]] = Field(default_factory=dict)
    divides: Paths = ()
    local: Paths = ()
    immutable: Paths = ()
    immutable_when: dict[PathText, Paths] = Field(default_factory=dict)
    mutable: Paths = ()
    mutable_when: dict[PathText, Paths] = Field(default_factory=dict)
    grows: Paths = ()
    recurs: bool | tuple[Condition, ...] | None = None
    takes: tuple[Condition, ...] = ()
    restores: tuple[Condition, ...] = ()
    template_labels: PathText = ""
    parts: dict[str, Paths] = Field(default_factory=dict)
    open: tuple[str, ...] = ()
    facts: dict[str, PathText] = Field(default_factory=dict)
    grants: Literal["ReferenceGrant", "listeners"] | None = None
    confidential: bool = False
