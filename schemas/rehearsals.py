"""What would the API server say? A question of a resolver to its site's executor (`api.executor.<site>.rehearse`)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.envelope import Message, StrictMessage
from schemas.identity import ResourceId, SiteName
from schemas.verdicts import Action


class RehearsedChange(StrictMessage):
    """One manifest to try without doing it. `forced`: over whoever has made its fields theirs."""

    action: Action
    resource: ResourceId
    version: str
    manifest: dict[str, Any]
    forced: bool = False


class Rehearsal(StrictMessage):
    """Ask the site's API server, through its executor, what these changes would do (server-side dry run)."""

    schema_: Literal["rehearsal/v1"] = Field("rehearsal/v1", alias="schema")
    site: SiteName
    changes: tuple[RehearsedChange, ...]


class RehearsedResult(Message):
    """`after`: the shaped ResourceState as JSON (no values); `unchanged`: the write would change nothing.

    `status` and `message` are the API server's refusal (0 = it would accept). A refusal because of something that the
    same bundle creates first (a namespace, a CRD) is marked `blocked`. `fixed`: paths of immutable fields that change.
    `anew`: what its pods are made from changes, so that they are made anew.
    """

    resource: ResourceId
    after: dict[str, Any] | None = None
    unchanged: bool = False
    blocked: bool = False
    status: int = 0
    message: str = ""
    causes: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    anew: bool = False


class RehearsalAnswer(Message):
    """The results, in the order of the changes."""

    schema_: Literal["rehearsalanswer/v1"] = Field("rehearsalanswer/v1", alias="schema")
    site: SiteName
    results: tuple[RehearsedResult, ...]
