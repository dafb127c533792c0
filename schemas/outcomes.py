"""What became of an operation, in the API server's own words where it refused."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import Message
from schemas.identity import ResourceId, SiteName
from schemas.verdicts import Action

OutcomeState = Literal["applied", "ready", "done", "conflict", "failed", "expired"]
FINAL_STATES: frozenset[OutcomeState] = frozenset({"ready", "done", "conflict", "failed", "expired"})


class Outcome(Message):
    """outcome/v1.

    applied    the API server took it; readiness is being followed (not final)
    ready      applied, and ready by kstatus rules      done: deleted, gone, or nothing to do (`changed` says which)
    conflict   a precondition failed: to be decided again      failed: refused, or not ready in time
    expired    not begun: its time was over
    """

    schema_: Literal["outcome/v1"] = Field("outcome/v1", alias="schema")
    operation: str
    intent: str
    revision: int
    step: str
    site: SiteName
    action: Action
    resource: ResourceId
    state: OutcomeState
    changed: bool = True
    message: str = ""
    status: int = 0
    causes: tuple[str, ...] = ()
    uid: str = ""
    resource_version: str = ""
    object: dict[str, Any] | None = None
    at: AwareDatetime
    duration_ms: float = 0.0
