"""Errors by what the caller does with them.

    CheopsError
    ├── TransientError        try again later (redeliver, back off); `retry_after_s` when the other side said so
    │   ├── BusUnavailableError   the bus does not answer; the message says what to start
    │   └── NoStreamError         a stream is not there: who may make it does so
    ├── PermanentError        trying again cannot help: dead letters, exit 1
    │   ├── SettingsError     the caller's set-up is wrong; the message names the field
    │   └── TooLargeError     no bus takes a message of that size; the message says both sizes
    └── ConflictError         somebody else was first (optimistic concurrency): read again, decide again

Foreign errors are converted at the adapter and chained.
"""

from __future__ import annotations


class CheopsError(Exception):
    """Base of all errors that Cheops raises on purpose, but for what a caller has said wrongly (a ValueError)."""


class TransientError(CheopsError):
    """Redeliver later."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BusUnavailableError(TransientError):
    """The bus does not answer."""


class NoStreamError(TransientError):
    """A stream is not there, or not yet."""


class PermanentError(CheopsError):
    """Trying again cannot help."""


class SettingsError(PermanentError):
    """The set-up is wrong."""


class TooLargeError(PermanentError):
    """A message that no bus takes."""


class ConflictError(CheopsError):
    """Optimistic concurrency: the expected last sequence was not the last."""
