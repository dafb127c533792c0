"""What a source says of each kind's watch → the blind kinds of a heartbeat. Pure.

A kind counts as observed only while its watch is open. A connection that is being made again is forgiven for
`INTERRUPTED_GRACE_S`: API servers end every watch after some minutes, and the next one takes milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast

from schemas.events import BlindKind
from schemas.identity import KindId
from services.watcher.source import Health

INTERRUPTED_GRACE_S: Final = 1.0
MESSAGE_LEN_MAX: Final = 200
BlindReason = Literal["syncing", "forbidden", "stalled", "failing", "gone"]


@dataclass(slots=True)
class _State:
    health: Health
    blind_since_s: float | None


class WatchHealth:
    """The health of every watched kind of a site."""

    def __init__(self) -> None:
        self._kinds: dict[KindId, _State] = {}
        self._unreadable: dict[KindId, str] = {}
        self._unreachable = ""
        self._reached_at_s = 0.0

    def note_pulse(self, trouble: str, now_s: float) -> bool:
        """Whether the application could be reached just now ("" = yes). Watches notice a dead network much later.

        True when that has changed.
        """
        changed = bool(trouble) != bool(self._unreachable)
        self._unreachable = trouble
        if not trouble:
            self._reached_at_s = now_s
        return changed

    def note(self, kind: KindId, health: Health, now_s: float) -> bool:
        """Take a source's word in; a kind stays blind since the first moment, whatever the reasons after it.

        True when the kind has become blind by it, or is seen again.
        """
        before = self._is_blind(kind, now_s)
        self._note(kind, health, now_s)
        return self._is_blind(kind, now_s) != before

    def _is_blind(self, kind: KindId, now_s: float) -> bool:
        state = self._kinds.get(kind)
        return state is not None and _blindness(state, self._unreadable.get(kind, ""), now_s) is not None

    def _note(self, kind: KindId, health: Health, now_s: float) -> None:
        known = self._kinds.get(kind)
        if health.reason == "observed":
            self._kinds[kind] = _State(health, None)
            return
        if health.reason == "interrupted" and not _was_watched(known):
            health = Health("failing", health.message)
        since_s = known.blind_since_s if known and known.blind_since_s is not None else now_s - health.for_s
        self._kinds[kind] = _State(health, since_s)

    def note_unreadable(self, kind: KindId, example: str) -> bool:
        """Some resource of the kind could not be understood ("" = all can): claims about the kind would be guesses.

        True when that has changed.
        """
        if not example:
            return self._unreadable.pop(kind, None) is not None
        changed = kind not in self._unreadable
        self._unreadable[kind] = example
        return changed

    def forget(self, kind: KindId) -> None:
        """The kind is not served any more."""
        self._kinds.pop(kind, None)
        self._unreadable.pop(kind, None)

    def blind(self, now_s: float) -> dict[KindId, BlindKind]:
        """The kinds that are not observed, why, and for how long."""
        found = {}
        for kind, state in self._kinds.items():
            entry = _blindness(state, self._unreadable.get(kind, ""), now_s) or self._unreached(now_s)
            if entry is not None:
                found[kind] = entry
        return found

    def _unreached(self, now_s: float) -> BlindKind | None:
        if not self._unreachable:
            return None
        for_s = round(max(0.0, now_s - self._reached_at_s), 3)
        return BlindKind("failing", for_s, self._unreachable[:MESSAGE_LEN_MAX])

    def __len__(self) -> int:
        return len(self._kinds)


def _was_watched(state: _State | None) -> bool:
    """Only a watch that was open can be interrupted; a first listing that fails is a failure from the start."""
    return state is not None and (state.blind_since_s is None or state.health.reason == "interrupted")


def _blindness(state: _State, unreadable: str, now_s: float) -> BlindKind | None:
    if state.blind_since_s is None:
        return BlindKind("failing", 0.0, unreadable[:MESSAGE_LEN_MAX]) if unreadable else None
    for_s = round(max(0.0, now_s - state.blind_since_s), 3)
    reason = state.health.reason
    if reason == "interrupted":
        if for_s <= INTERRUPTED_GRACE_S:
            return None
        reason = "failing"
    return BlindKind(cast("BlindReason", reason), for_s, state.health.message[:MESSAGE_LEN_MAX])
