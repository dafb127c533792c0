"""An API server's refusal → what to do about it, and what to tell a person. Pure.

    answer ──▶ ApiError ──▶ standing: final · again (nothing was done) · unknown (perhaps it was done) · raced
                        ──▶ Effect("failed", words, causes)

The classes were measured on kube-apiserver 1.36. Its server-side apply reports schema errors as bare 500s, so a status
code alone decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from services.chassis.errors import TransientError
from services.executor.target import Effect

Standing = Literal["final", "again", "unknown", "raced"]
MESSAGE_LEN_MAX: Final = 2_000
CAUSES_MAX: Final = 20
# What server-side apply says of a manifest that does not fit the schema, with status 500 and no reason.
_MISFIT: Final = ("failed to create typed patch object", "failed to convert new object", "failed to create typed live")
_LATE_ACCOUNT: Final = "error looking up service account"  # made by a controller, a moment after its namespace
_UNSURE: Final = (
    "etcdserver:",
    "context deadline exceeded",
    "context canceled",
    "connection reset",
    "error reading from server",  # gRPC's words for a connection to etcd that ended after the request was sent
    "transport is closing",
)


class ApiError(TransientError):
    """The API server answered, and the answer was no. Whether trying again helps is `standing`'s to say."""

    def __init__(self, status: int, body: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        self.status = status
        self.reason = str(body.get("reason") or "")
        self.words = str(body.get("message") or "")[:MESSAGE_LEN_MAX]
        details = body.get("details")
        self.details: Mapping[str, Any] = details if isinstance(details, Mapping) else {}
        super().__init__(f"{status}: {self.words}" if self.words else str(status), retry_after_s or self._hinted_s())

    def _hinted_s(self) -> float | None:
        hint = self.details.get("retryAfterSeconds")
        return float(hint) if isinstance(hint, int | float) and hint > 0 else None

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The causes as they came."""
        found = self.details.get("causes")
        return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []

    @property
    def causes(self) -> tuple[str, ...]:
        """`field: sentence`, as many as a person can read."""
        return tuple(dict.fromkeys(_cause(row) for row in self.rows))[:CAUSES_MAX]

    def is_absence_of(self, plural: str, name: str) -> bool:
        """Exactly this object is not there. Any other 404 is about its namespace or its kind, and proves nothing."""
        return self.status == 404 and self.details.get("kind") == plural and self.details.get("name") == name

    @property
    def is_denial(self) -> bool:
        """A webhook has said no, with whatever status it likes: 409 is no race then, and 503 no overload."""
        return self.words.startswith("admission webhook ") and " denied the request" in self.words

    @property
    def is_unasked_webhook(self) -> bool:
        """Who was to be asked could not be: nobody has said no, and nothing is stored."""
        return self.status == 500 and "failed calling webhook" in self.words

    @property
    def is_unserved_path(self) -> bool:
        """Nobody serves this path: the kind, or its version, is not there (or not there yet)."""
        return self.status == 404 and not self.details.get("name")


class UnreachableError(TransientError):
    """No answer. `sent`: the request may have arrived."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


def standing(error: TransientError) -> Standing:
    """What is known of a write that was answered like this.

    final    refused, and it would be refused again          again    not done now; later perhaps
    unknown  it may have been done                           raced    the object is not what the write expected
    """
    if isinstance(error, UnreachableError):
        return "unknown" if error.sent else "again"
    if not isinstance(error, ApiError):
        return "again"  # the path is not served: nobody was there to do anything
    if error.is_denial:
        return "final"
    if error.status == 409:
        return "final" if any(row.get("reason") == "FieldManagerConflict" for row in error.rows) else "raced"
    if error.status == 422 and any(row.get("field") == "metadata.uid" for row in error.rows):
        return "raced"  # apply answers a uid that has changed with "field is immutable"
    if error.status in (401, 429) or (error.status == 403 and _LATE_ACCOUNT in error.words):
        return "again"  # 401: the credentials were renewed once already; they may be rewritten later
    if error.status == 408 or error.status >= 500:
        return _standing_5xx(error)
    return "final"


def _standing_5xx(error: ApiError) -> Standing:
    if error.words.startswith(_MISFIT):
        return "final"
    if error.status == 503 and error.reason == "ServiceUnavailable":
        return "again"
    if error.status != 500 or error.reason in ("Timeout", "ServerTimeout"):
        return "unknown"  # somebody between us and the answer gave up, perhaps after passing it on
    return "unknown" if not error.is_unasked_webhook and any(sign in error.words for sign in _UNSURE) else "again"


def failed(error: ApiError) -> Effect:
    """The refusal in the API server's own words."""
    return Effect("failed", False, error.words or f"HTTP {error.status}", error.status, error.causes)


def _cause(row: Mapping[str, Any]) -> str:
    field, message = str(row.get("field") or ""), str(row.get("message") or row.get("reason") or "")
    return (f"{field}: {message}" if field else message)[:MESSAGE_LEN_MAX]
