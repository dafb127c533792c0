"""When something happened, as people read it."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: datetime, now: datetime | None = None) -> str:
    """Local time; with its day when that is not today's: what a stream has kept may be a month old."""
    local, today = at.astimezone(), (now or datetime.now(UTC)).astimezone().date()
    return f"{local:%H:%M:%S}" if local.date() == today else f"{local:%Y-%m-%d %H:%M:%S}"
