"""The port: what a kind of application must offer to be acted upon.

    service ──▶ apply, delete, read (one try each, begun with a look at what is there) ──▶ Effect
            ──▶ progress (is it ready, is it gone?)        rehearse (what would happen?)

A try may be repeated at any time: it looks for its own effect first, and whatever it writes is conditional on what it
saw, so of several tries of one operation at most one takes effect. `Permit` carries what a look cannot tell: that an
earlier try may still be unanswered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from schemas.identity import ResourceId
from schemas.operations import Operation
from schemas.outcomes import OutcomeState
from schemas.rehearsals import RehearsedChange, RehearsedResult
from services.chassis.errors import CheopsError, TransientError

Manifest = dict[str, Any]


class NotServedError(TransientError):
    """The application does not serve this kind (yet: a definition takes a moment to be served)."""


class RefusedError(TransientError):
    """The application answered that it could not do it, and that nothing was done; `effect` is the answer to keep."""

    def __init__(self, effect: Effect, retry_after_s: float | None = None) -> None:
        super().__init__(effect.message, retry_after_s)
        self.effect = effect


class ExpiredError(CheopsError):
    """The operation's time was over before anything was written."""


class LeaseLostError(CheopsError):
    """The bus may have given the operation to somebody else meanwhile: write nothing, say nothing."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What became of a try; the ledger makes an Outcome of it. `left`: see there."""

    state: OutcomeState
    changed: bool = True
    message: str = ""
    status: int = 0
    causes: tuple[str, ...] = ()
    uid: str = ""
    resource_version: str = ""
    object: dict[str, Any] | None = None
    left: str = ""


ProgressState = Literal["current", "progressing", "failed", "terminating", "gone", "replaced", "unserved"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a resource is on its way to.

    gone   it is not there      replaced   its name belongs to another uid      unserved   nobody serves its kind now
    """

    state: ProgressState
    reason: str = ""
    resource_version: str = ""


class Permit(Protocol):
    """The right to write, asked for at the last moment; and the memory of the writes that nobody answered.

    open    a write of this operation may have reached the application, and no answer says what became of it
    basis   the resource version that the open write was conditional on; "" when it is not known
    """

    @property
    def open(self) -> bool:
        """A write is unanswered."""

    @property
    def basis(self) -> str:
        """The version it was conditional on."""

    async def keep(self, live: Manifest | None) -> None:
        """Store what is about to be replaced (None: nothing is there). Raises TransientError: then write nothing."""

    def take(self, basis: str) -> None:
        """From now on a write may be under way. Raises ExpiredError or LeaseLostError: then nothing may be written."""

    def settle(self) -> None:
        """The application has answered that nothing was written."""

    def clear(self) -> None:
        """What is there proves that no write was done, whoever tried."""


class Target(Protocol):
    """One site's application. Raises TransientError where a later try may say more."""

    async def apply(self, operation: Operation, permit: Permit) -> Effect:
        """Create, update or apply (`operation.action`) the manifest."""

    async def delete(self, operation: Operation, permit: Permit) -> Effect:
        """Delete exactly the resource of `preconditions.uid`."""

    async def read(self, operation: Operation, permit: Permit) -> Effect:
        """What is there, without secret values."""

    async def progress(self, operation: Operation, uid: str) -> Progress:
        """How far the resource that was applied, or is being deleted, has come."""

    async def rehearse(self, changes: tuple[RehearsedChange, ...]) -> tuple[RehearsedResult, ...]:
        """What each change would do, in their order; nothing is written."""

    async def take(self, resources: dict[ResourceId, str], declared: bool = False) -> dict[ResourceId, Manifest]:
        """Whole objects, values included, by resource and the version to read it at; without what servers set.

        declared   as they were declared, values of Secrets as they were sealed on them
        """

    async def state(self, manifest: Manifest) -> dict[str, Any]:
        """A live object as resolvers know it: references, labels, key names; no values."""

    async def close(self) -> None:
        """Let go of connections."""
