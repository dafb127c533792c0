"""What was applied, or is being deleted, as it is seen now → ready, done, failed, or look again. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from schemas.operations import Operation
from schemas.outcomes import Outcome
from services.executor.target import Effect, Progress

POLL_GROWTH: Final = 1.5


def conclude(operation: Operation, applied: Outcome, progress: Progress, *, over: bool) -> Effect | None:
    """The final effect, or None to look again. `over`: the time to get there has passed. Pure."""
    found = _concluded_delete(progress) if operation.action == "delete" else _concluded_apply(progress)
    if found is None and over:
        what = "gone" if operation.action == "delete" else "ready"
        found = Effect("failed", message=f"not {what} within {operation.ready_timeout_s:g} s: {_words(progress)}")
    if found is None:
        return None
    version = progress.resource_version or applied.resource_version
    return Effect(found.state, applied.changed, found.message, uid=applied.uid, resource_version=version)


def remaining_s(operation: Operation, applied: Outcome, now: datetime) -> float:
    """How long it may still take: a restart of ours does not lengthen it, a clock that was set back neither."""
    passed_s = (now - applied.at).total_seconds()
    return min(max(operation.ready_timeout_s - passed_s, 0.0), operation.ready_timeout_s)


def _concluded_delete(progress: Progress) -> Effect | None:
    return Effect("done") if progress.state in ("gone", "replaced") else None


def _concluded_apply(progress: Progress) -> Effect | None:
    match progress.state:
        case "current":
            return Effect("ready")
        case "failed":
            return Effect("failed", message=progress.reason)
        case "gone" | "replaced":
            return Effect("failed", message="applied, and removed by somebody else before it was ready")
        case "terminating":
            return Effect("failed", message=f"applied, and {progress.reason or 'being deleted'} before it was ready")
        case _:
            return None


def _words(progress: Progress) -> str:
    return f"{progress.state} ({progress.reason})" if progress.reason else progress.state
