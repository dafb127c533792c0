"""What became of an operation, in the API server's own words where it refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal, Self

from pydantic import AwareDatetime, Field

from schemas.envelope import Message
from schemas.identity import ResourceId, SiteName
from schemas.operations import Operation
from schemas.verdicts import Action

OutcomeState = Literal["begun", "applied", "ready", "done", "conflict", "failed", "expired"]
FINAL_STATES: frozenset[OutcomeState] = frozenset({"ready", "done", "conflict", "failed", "expired"})

KEPT_AT_ITS_SITE: Final = "kept"


class Outcome(Message):
    """outcome/v1.

    begun      what it replaces is kept, and it is about to be written (not final)
    applied    the API server took it; readiness is being followed (not final)
    ready      applied, and ready by kstatus rules      done: deleted, gone, or nothing to do (`changed` says which)
    conflict   a precondition failed: to be decided again      failed: refused, or not ready in time
    expired    not begun: its time was over, or another step failed

    former   what it replaced, sealed for its own site's executor; "": nothing was there; None: not kept, or unchanged
    before   the same as resolvers know it, without values        left   the object as it was left, for comparison
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
    former: str | None = None
    before: dict[str, Any] | None = None
    left: str = ""
    at: AwareDatetime
    duration_ms: float = 0.0

    @classmethod
    def of(cls, operation: Operation, state: OutcomeState, at: datetime, **said: Any) -> Self:
        """Of an operation; `said`: the other fields."""
        return cls(
            operation=operation.id,
            intent=operation.intent,
            revision=operation.revision,
            step=operation.step,
            site=operation.site,
            action=operation.action,
            resource=operation.resource,
            state=state,
            at=at,
            **said,
        )

    @property
    def can_be_undone(self) -> bool:
        """It changed something, and what it replaced is kept (or there was nothing)."""
        return self.changed and self.former is not None and self.state not in ("begun", "conflict", "expired")

    def abroad(self) -> Outcome:
        """As other sites hear of it: what was replaced stays where it was."""
        former = KEPT_AT_ITS_SITE if self.former else self.former
        return self.model_copy(update={"former": former, "before": None})
