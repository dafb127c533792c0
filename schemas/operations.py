"""One step of a plan, for the executor of one site."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from schemas.envelope import Message
from schemas.identity import ResourceId, SiteName
from schemas.verdicts import Action, Preconditions

Propagation = Literal["background", "foreground", "orphan"]


class Operation(Message):
    """What to do. `id` is unique for (intent, revision, step): a redelivery is answered from the ledger.

    keep     what it replaces is kept before it is written, so that it can be undone
    forced   fields that others have made theirs are taken back: what was declared is healed
    undoes   the operation whose effect is taken back: what that one kept says what there was
    """

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
    keep: bool = False
    forced: bool = False
    undoes: str = ""
    propagation: Propagation = "background"
    ready_timeout_s: float = 300.0
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    traceparent: str = ""
