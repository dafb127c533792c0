"""One step of a plan, for the executor of one site."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import Message
from schemas.identity import ResourceId, SiteName
from schemas.verdicts import Action, Preconditions

Propagation = Literal["background", "foreground", "orphan"]


class Operation(Message):
    """What to do. `id` is unique for (intent, revision, step): a redelivery is answered from the ledger."""

    schema_: Literal["operation/v1"] = Field("operation/v1", alias="schema")
    id: str
    intent: str
    revision: int
    step: str
    site: SiteName
    action: Action
    resource: ResourceId
    version: str = "v1"
    manifest: dict[str, Any] | None = None
    preconditions: Preconditions = Preconditions()
    propagation: Propagation = "background"
    ready_timeout_s: float = 300.0
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    traceparent: str = ""
