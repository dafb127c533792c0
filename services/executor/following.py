"""What was applied, or is being deleted, as it is seen now → ready, done, failed, or look again. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from schemas.operations import Operation
from schemas.outcomes import Outcome
from services.executor.target import Effect, Progress

POLL_GROWTH: Final = 1.5
FOLLOW_MAX_S: Final = 3_600.0  # also of what comes nearer and nearer


def conclude(operation: Operation, applied: Outcome, progress: Progress, *, over: bool) -> Effect | None:
    """The final effect, or None to look again. `over`: the time to get there has passed. Pure."""
    found = _concluded_delete(progress) if operation.action == "delete" else _concluded_apply(progress)
    if found is None and over:
        what = "gone" if operation.action == "delete" else "ready"
        within = f"not {what} within {operation.ready_timeout_s:g} s of its last progress"
        found = Effect("failed", message=f"{within}: {_words(progress)}")
    if found is None:
        return None
    version = progress.resource_version or applied.resource_version
    return Effect(found.state, applied.changed, found.message, uid=applied.uid, resource_version=version)


class Patience:
    """How long one is followed: `ready_timeout_s` after it last said something new, an hour in all.

    A rollout of many pods takes longer than any of them. Words that come again (of a pod that is ready now and again)
    are no progress. A kind that is not served is waited for, too: an API server that starts serves no custom resource.
    """

    def __init__(self, operation: Operation, left_s: float, unserved_max_s: float, now_s: float) -> None:
        """`left_s`: see `remaining_s`."""
        self._timeout_s, self._unserved_max_s = operation.ready_timeout_s, unserved_max_s
        self._last_s, self._served_s = now_s + left_s, now_s
        self._end_s = min(now_s + self._timeout_s, self._last_s)
        self._heard: set[str] = set()

    def ends_with(self, progress: Progress, now_s: float) -> bool:
        """This is what is seen now; True: it has had its time."""
        if progress.state == "unserved":
            return now_s >= max(self._end_s, self._served_s + self._unserved_max_s)
        self._served_s = now_s
        words = _words(progress)
        if words not in self._heard:
            self._heard.add(words)
            self._end_s = min(now_s + self._timeout_s, self._last_s)
        return now_s >= self._end_s

    def pause_s(self, interval_s: float, now_s: float) -> float:
        """Until the next look: its end is not slept through, and after it nobody is asked more often than before."""
        left_s = self._end_s - now_s
        return min(interval_s, left_s) if left_s > 0 else interval_s


def remaining_s(operation: Operation, applied: Outcome, now: datetime) -> float:
    """How long it may still take in all; neither restarts of ours nor a clock that was set back lengthen that."""
    most_s = max(operation.ready_timeout_s, FOLLOW_MAX_S)
    return min(max(most_s - (now - applied.at).total_seconds(), 0.0), most_s)


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
