"""What waits for one peer, counted. Pure: time is an argument, seconds of the monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind a peer is. `error`: why the oldest letter could not be delivered at the last attempt."""

    count: int
    size: int
    oldest_s: float
    retries: int
    error: str


class Backlog:
    """Letters by their number in the OUTBOX. They leave in order."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[int, float]] = {}
        self._gone = 0
        self.size = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, seq: int, size: int, since_s: float) -> None:
        """Harmless for one that waits, and for one that has left already (a letter that was sent again)."""
        if seq > self._gone and seq not in self._waiting:
            self._waiting[seq] = (size, since_s)
            self.size += size

    def remove(self, seq: int) -> None:
        """It is there."""
        self._gone = max(self._gone, seq)
        size, _ = self._waiting.pop(seq, (0, 0.0))
        self.size -= size

    def forget(self, until_s: float) -> None:
        """The OUTBOX does not have what was counted until then: it was too old, or had left in a former life."""
        for seq, (_, since_s) in list(self._waiting.items()):
            if since_s <= until_s:
                self.remove(seq)

    def oldest_s(self, now_s: float) -> float:
        """The age of the one that has waited longest; 0 when none does."""
        return max(0.0, now_s - min((since for _, since in self._waiting.values()), default=now_s))
